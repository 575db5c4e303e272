"""Rounds of the schedule against stand-ins for the exchanges, over real sockets, into a real database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import httpx
import numpy as np
import pytest

from app import settings
from app.db import Database
from app.ingest import jobs, limits
from app.ingest.runner import Patience, opened
from app.ingest.sources import load
from app.ingest.spec import Source
from app.ingest.work import Engine, Order
from app.services import log
from tests.plain import Contract, weighted
from tests.replay import CUT, HTML, RESET, Fault, Replay, broken, throttled
from tests.replayed import markets as world
from tests.replayed.markets import MARKETS, Market

HOUR, MINUTE, MINUTES_5 = timedelta(hours=1), timedelta(minutes=1), timedelta(minutes=5)
ACTIVE = [market for market in MARKETS if market.active]
HISTORY_DAYS = 0.5


@dataclass
class Clock:
    """The time of the exchanges and of those who ask them; it stands until it is moved."""

    now: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(minute=7, second=21, microsecond=0) - 60 * HOUR
    )

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replay(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    with Replay(now=clock) as replay:
        for name, value in replay.settings().items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        yield replay
    settings.environment.cache_clear()


@pytest.fixture
async def engine(
    clean_database: Database, replay: Replay, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Engine]:
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(limits, "BAN", 0.05)
    async with opened(Patience(tries=8, first=0.01, most=0.05), now=clock) as web:
        yield Engine(clean_database, replace(web, limiters={}), HISTORY_DAYS)


def source(name: str) -> Source:
    """A source that may be asked as often as the test likes."""
    found = load([name])[name]
    roomy = {key: replace(budget, limit=budget.limit * 10_000) for key, budget in found.budgets.items()}
    return replace(found, budgets=roomy)


SOURCES = ("binance", "bybit", "okx", "hyperliquid")
ALL_WELL = {"succeeded": sum(len(jobs.datasets(source(name))) for name in SOURCES)}


async def pull_round(
    engine: Engine, names: Iterable[str] = SOURCES, until: datetime | None = None
) -> list[jobs.Pulled]:
    """What the schedule does when it starts, of every source."""
    order = Order(until=until)
    wanted = [source(name) for name in names]
    async with asyncio.TaskGroup() as group:
        each = [group.create_task(jobs.pull_all(engine, one, jobs.datasets(one), order)) for one in wanted]
    return [pulled for task in each for pulled in task.result()]


async def stored(db: Database, fact: str, columns: str) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """Rows of a fact by exchange and symbol, in order."""
    rows = await db.reads.fetch(
        f"""select e.slug, i.symbol, f.ts, {columns} from {fact} f join series s on s.id = f.series_id
        join instrument i on i.id = s.instrument_id join exchange e on e.id = i.exchange_id order by f.ts"""
    )
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for exchange, symbol, *values in rows:
        found.setdefault((exchange, symbol), []).append(tuple(values))
    return found


def first_wanted(start: datetime, step: timedelta) -> datetime:
    """From when on a first round at `start` wants history that comes in these steps."""
    since = start - timedelta(days=HISTORY_DAYS)
    return since - (since - world.EPOCH) % step


async def check_store(db: Database, start: datetime, now: datetime) -> None:
    """Everything the exchanges have told since history was first wanted is stored, once, and nothing else."""
    funding = await stored(db, "funding", "rate")
    since = first_wanted(start, HOUR)
    assert funding == {
        (m.exchange, m.symbol): [(time, world.rate(m, time)) for time in world.settlements(m, since, now)]
        for m in ACTIVE
    }
    for step, fact in ((HOUR, "perp_1h"), (MINUTE, "perp_1m")):
        candles = await stored(db, fact, "open, close, volume_base")
        times = list(world.grid(first_wanted(start, step), now - step, step))
        for m in ACTIVE:
            found = [(time.timestamp(), *values) for time, *values in candles[m.exchange, m.symbol]]
            assert [row[0] for row in found] == [time.timestamp() for time in times]
            assert np.allclose(found, list(bars(m, times, step)), rtol=1e-9, atol=0)
    interest = await stored(db, "open_interest", "oi_base")
    for m in ACTIVE:
        step = {"binance": MINUTES_5, "bybit": HOUR, "okx": HOUR}.get(m.exchange)
        times = set(world.grid(first_wanted(start, step), now, step)) if step else {now}
        assert {row[0] for row in interest[m.exchange, m.symbol]} >= times


def bars(market: Market, times: Iterable[datetime], step: timedelta) -> Iterator[tuple[float, ...]]:
    """Rows of candles as they ought to be stored: in coins."""
    unit = 1000 if market.base in ("1000PEPE", "kPEPE") else 1
    for time in times:
        first, _, _, last, volume = world.candle(market, time, step)
        yield time.timestamp(), first / unit, last / unit, volume * unit


def summary(pulled: Iterable[jobs.Pulled]) -> Counter[str]:
    return Counter(one.status for one in pulled)


async def test_a_round_fills_the_store_and_the_next_brings_only_what_is_new(engine: Engine, clock: Clock) -> None:
    start = clock.now
    first = await pull_round(engine)
    assert [one for one in first if one.status != "succeeded"] == []
    assert sum(one.counts.rejected for one in first) == 0
    await check_store(engine.db, start, clock.now)
    again = await pull_round(engine)
    assert summary(again) == ALL_WELL
    assert sum(one.counts.inserted + one.counts.updated for one in again) == 0
    clock.now += HOUR
    later = await pull_round(engine)
    await check_store(engine.db, start, clock.now)
    inserted = {(one.source, one.dataset): one.counts.inserted for one in later}
    assert inserted["binance", "candles_1m"] == 60 * 3
    assert inserted["hyperliquid", "funding"] == 3
    assert inserted["okx", "candles_1h"] == 4


async def test_a_new_process_knows_from_the_store_alone_what_is_missing(engine: Engine) -> None:
    await pull_round(engine)
    fresh = replace(engine, asked={}, listed={})
    assert sum(one.counts.inserted for one in await pull_round(fresh)) == 0


@pytest.mark.parametrize("absence", [5 * HOUR, 30 * HOUR])
async def test_after_an_absence_no_hole_is_left(engine: Engine, clock: Clock, absence: timedelta) -> None:
    start = clock.now
    await pull_round(engine)
    clock.now += absence
    assert summary(await pull_round(replace(engine, asked={}, listed={}))) == ALL_WELL
    await check_store(engine.db, start, clock.now)


STORM = (CUT, RESET, broken(500), broken(503), throttled(), throttled(0), throttled(status=418), broken(408))


async def test_a_round_completes_in_a_storm(engine: Engine, replay: Replay, clock: Clock) -> None:
    replay.storm(STORM, share=0.2)
    start = clock.now
    assert summary(await pull_round(engine)) == ALL_WELL
    await check_store(engine.db, start, clock.now)


@pytest.mark.parametrize("answers", [10, 40, 80])
async def test_a_round_cut_short_is_taken_up_where_it_was_left(
    engine: Engine, replay: Replay, clock: Clock, answers: int
) -> None:
    start = clock.now
    task = asyncio.create_task(pull_round(engine))
    while len(replay.asked) < answers and not task.done():  # noqa: ASYNC110 - the other side is a thread
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = {(row.status, row.error) for row in await log.pulls(engine.db)} - {("succeeded", None)}
    assert said <= {("failed", "cancelled")}
    assert summary(await pull_round(replace(engine, asked={}, listed={}))) == ALL_WELL
    await check_store(engine.db, start, clock.now)


async def test_history_gives_way_when_its_time_is_over(engine: Engine, clock: Clock) -> None:
    pulled = await pull_round(engine, until=clock.now)
    assert summary(pulled) == ALL_WELL
    newest = await stored(engine.db, "perp_1m", "close")
    last = clock.now.replace(second=0) - MINUTE
    assert {(m.exchange, m.symbol) for m in ACTIVE} == {key for key, rows in newest.items() if rows[-1][0] == last}
    assert len(newest["okx", "BTC-USDT-SWAP"]) < 100
    await pull_round(engine)
    await check_store(engine.db, clock.now, clock.now)


async def test_one_bad_instrument_costs_only_itself(engine: Engine, replay: Replay) -> None:
    bad = Fault(400, b'{"code":-1121,"msg":"Invalid symbol."}')
    replay.misbehave(bad, to="klines?symbol=ETHUSDT", times=100)
    pulled = {one.dataset: one for one in await pull_round(engine, ["binance"])}
    assert pulled["candles_1m"].status == "partial"
    assert "ETHUSDT" in str(pulled["candles_1m"].error)
    assert "-1121" in str(pulled["candles_1m"].error)
    assert set(await stored(engine.db, "perp_1m", "close")) == {("binance", "BTCUSDT"), ("binance", "1000PEPEUSDT")}
    assert pulled["funding"].status == "succeeded"


async def test_who_refuses_everything_is_left_alone(engine: Engine, replay: Replay) -> None:
    await pull_round(engine, ["bybit"])
    replay.asked.clear()
    replay.misbehave(Fault(451, b"not from where you are"), times=1000)
    pulled = await pull_round(engine, ["bybit"])
    assert summary(one for one in pulled if one.counts.requests) == {"failed": len(replay.asked)}


async def test_what_nobody_can_read_is_kept(engine: Engine, replay: Replay) -> None:
    replay.misbehave(HTML, to="/v5/market/tickers")
    pulled = {one.dataset: one for one in await pull_round(engine, ["bybit"])}
    assert {one.status for name, one in pulled.items() if name != "predicted_funding"} <= {"succeeded", "partial"}
    (body,) = await log.bodies(engine.db)
    assert (body.source, body.status, body.body) == ("bybit", 200, HTML.body)
    assert body.request == "GET /v5/market/tickers?category=linear"
    (reject,) = await log.rejects(engine.db)
    assert (reject.code, reject.symbol, reject.count) == ("malformed", "", 1)


async def test_a_source_that_is_down_is_given_up_soon(engine: Engine, replay: Replay) -> None:
    await pull_round(engine, ["okx"])
    replay.asked.clear()
    replay.storm([broken(502)], share=1)
    pulled = await pull_round(engine, ["okx"])
    assert {one.status for one in pulled if one.counts.requests} == {"failed"}
    assert all("HTTP 502" in str(one.error) for one in pulled if one.counts.requests)


async def test_who_is_listed_no_more_is_asked_no_more(
    engine: Engine, replay: Replay, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pull_round(engine, ["bybit"])
    monkeypatch.setattr(world, "MARKETS", tuple(market for market in MARKETS if market.symbol != "BTCPERP"))
    clock.now += 2 * HOUR
    assert {one.status for one in await pull_round(engine, ["bybit"])} == {"succeeded"}
    replay.asked.clear()
    clock.now += 2 * HOUR
    await pull_round(engine, ["bybit"])
    assert [asked for asked in replay.asked if asked.query.get("symbol") == "BTCPERP"] == []


async def test_days_and_symbols_asked_for_outright(clean_database: Database, replay: Replay, clock: Clock) -> None:
    seen: list[tuple[int, int]] = []
    pulled = await jobs.pull(
        clean_database,
        source("bybit"),
        "funding",
        days=20,
        symbols=["BTCUSDT"],
        progress=lambda at: seen.append((at.done, at.planned)),
    )
    assert [(one.dataset, one.status) for one in pulled] == [("funding", "succeeded")]
    (market, rows), *others = (await stored(clean_database, "funding", "rate")).items()
    assert (market, others) == (("bybit", "BTCUSDT"), [])
    btc = next(m for m in MARKETS if (m.exchange, m.symbol) == market)
    since = (datetime.now(UTC) - timedelta(days=20)).replace(minute=0, second=0, microsecond=0)
    assert rows == [(time, world.rate(btc, time)) for time in world.settlements(btc, since, clock.now)]
    assert seen[-1][0] == seen[-1][1]


def told(market: Market, now: datetime) -> Contract:
    """What an exchange has told of a market by `now`, with the open interest that goes with it."""
    settled = {
        time: (world.rate(market, time), float(market.hours))
        for time in world.settlements(market, now - timedelta(days=1), now)
    }
    sampled = max(world.grid(now - MINUTES_5, now, MINUTES_5)) if market.exchange == "binance" else now
    return Contract(market.exchange, settled, {sampled: world.usd(market, sampled)})


@pytest.mark.skipif(find_spec("app.main") is None, reason="there is no API yet")
async def test_the_weighted_mean_is_that_of_plain_python(
    engine: Engine, client: httpx.AsyncClient, clock: Clock
) -> None:
    await pull_round(engine)
    for asset, bases in (("BTC", {"BTC"}), ("ETH", {"ETH"}), ("PEPE", {"PEPE", "1000PEPE", "kPEPE"})):
        answer = await client.get(f"/funding/{asset}", params={"weighted": "oi", "at": clock.now.isoformat()})
        (row,) = answer.json()["data"]
        expected = weighted([told(market, clock.now) for market in ACTIVE if market.base in bases], clock.now)
        for name in ("rate", "mean", "median", "min", "max", "coverage"):
            assert row[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-15), name
        for name in ("instruments", "present", "stale", "missing"):
            assert row[name] == expected[name], name
        assert row["present"] == sorted({market.exchange for market in ACTIVE if market.base in bases})
