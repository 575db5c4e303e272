"""Holes found in what is stored, asked for again over real sockets, and what the ledger says of them then."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.db import Database, connected
from app.ingest import jobs, repair
from app.ingest.engine import Engine
from app.ingest.spec import Source
from app.ingest.watch import watch
from app.ingest.work import Order
from app.records import Instrument
from app.services import gaps, reference
from app.services.gaps import Hole
from tests.conftest import ROOT
from tests.e2e.rounds import MINUTE, Clock, bars, source, stored
from tests.replay import Fault, Replay, broken, slow
from tests.replayed import hyperliquid as hyperliquid_replayed
from tests.replayed import markets as world

UNKNOWN = Fault(400, b'{"code":-1121,"msg":"Invalid symbol."}')


async def held(engine: Engine, found: Source, symbol: str = "BTCUSDT") -> int:
    """Half a day of candles of one contract is stored; its series."""
    await jobs.pull_all(engine, found, ["instruments", "candles_1m"], Order(symbols=frozenset({symbol})))
    return (await reference.series_of(engine.db, found.id, found.id))[symbol].id


def ago(engine: Engine, minutes: int) -> datetime:
    """So many full minutes before now."""
    return engine.web.now().replace(second=0) - minutes * MINUTE


async def lose(engine: Engine, first: int, last: int, series: int) -> None:
    """The rows from so many minutes ago until before so many."""
    await engine.db.reads.execute(
        "delete from perp_1m where ts >= $1 and ts < $2 and series_id = $3",
        ago(engine, first),
        ago(engine, last),
        series,
    )


async def told(engine: Engine) -> list[tuple[Any, ...]]:
    """Minutes ago it began and ended, state, reason and attempts of every gap in what was once there."""
    rows = await engine.db.reads.fetch(
        "select * from gap where reason <> 'not_fetched_yet' and dataset <> 'taker_volume' order by first, id"
    )
    end = ago(engine, 0)
    return [
        ((end - r["first"]) // MINUTE, (end - r["last"]) // MINUTE, r["state"], r["reason"], r["attempts"])
        for r in rows
    ]


async def due_again(db: Database) -> None:
    """Time has gone by."""
    await db.reads.execute("update gap set next_try_at = clock_timestamp() where state = 'open'")


def asked_of(replay: Replay, path: str = "/fapi/v1/klines") -> int:
    return replay.counted()[path]


async def check_candles(db: Database, exchange: str, symbol: str) -> None:
    """They are all there and are those that the exchange tells."""
    market = world.find(exchange, symbol)
    assert market
    rows = (await stored(db, "perp_1m", "open, close, volume_base"))[exchange, symbol]
    times = list(world.grid(rows[0][0], rows[-1][0], MINUTE))
    assert [row[0] for row in rows] == times
    assert [(t.timestamp(), *v) for t, *v in rows] == [pytest.approx(row) for row in bars(market, times, MINUTE)]


@pytest.fixture
async def second(engine: Engine) -> AsyncIterator[Engine]:
    """The same database and upstreams, as another process has them."""
    async with connected(engine.db.dsn) as db:
        yield Engine(db, replace(engine.web, limiters={}), engine.history_days)


async def test_holes_are_found_asked_for_as_few_windows_and_repaired(engine: Engine, replay: Replay) -> None:
    binance = source("binance")
    series = await held(engine, binance)
    for first, last in ((300, 280), (279, 270), (100, 95), (700, 699)):
        await lose(engine, first, last, series)
    await watch(engine, [binance], None)
    assert [gap[:4] for gap in await told(engine)] == [
        (700, 699, "open", "outage"),
        (300, 280, "open", "outage"),
        (279, 270, "open", "outage"),
        (100, 95, "open", "outage"),
    ]
    before = asked_of(replay)
    await repair.repair(engine, [binance])
    assert asked_of(replay) - before == 2
    assert {row["state"] for row in await engine.db.reads.fetch("select state from gap")} == {"repaired"}
    await check_candles(engine.db, "binance", "BTCUSDT")
    await watch(engine, [binance], None)
    await repair.repair(engine, [binance])
    assert (len(await told(engine)), asked_of(replay) - before) == (4, 2)


async def test_out_of_order_upstream_it_stays_open_and_waits_longer_each_time(engine: Engine, replay: Replay) -> None:
    binance = source("binance")
    await lose(engine, 300, 290, await held(engine, binance))
    await watch(engine, [binance], timedelta(days=2))
    replay.misbehave(broken(), to="klines", times=10_000)
    waits = list[float]()
    for attempt in range(1, 8):
        await repair.repair(engine, [binance])
        before = asked_of(replay)
        await repair.repair(engine, [binance])
        assert asked_of(replay) == before, "it is not due yet"
        row = await engine.db.reads.fetchrow(
            """select *, extract(epoch from next_try_at - clock_timestamp())::float8 / 60 as wait
            from gap where dataset = 'candles_1m'"""
        )
        assert (row["state"], row["reason"], row["attempts"]) == ("open", "outage", attempt)
        assert "upstream connect error" in row["detail"] or "500" in row["detail"]
        waits.append(row["wait"])
        await due_again(engine.db)
    assert waits == pytest.approx([1, 4, 16, 64, 256, 360, 360], abs=0.5)
    replay._faults.clear()
    await repair.repair(engine, [binance])
    assert [gap[2] for gap in await told(engine)] == ["repaired"]
    await check_candles(engine.db, "binance", "BTCUSDT")


async def test_quiet_minutes_are_given_up(engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hyperliquid tells no candle of some minutes; of those that are older than it keeps it is not even asked."""
    found, quiet = source("hyperliquid"), {ago(engine, n) for n in (200, 199, 150)}

    def candles(*asked: Any) -> list[Any]:
        return [row for row in told_by(*asked) if row[0] not in quiet]

    told_by = hyperliquid_replayed.candles
    monkeypatch.setattr(hyperliquid_replayed, "candles", candles)
    series = await held(engine, found, "BTC")
    await lose(engine, 160, 140, series)
    long_ago = Hole(series, "candles_1m", ago(engine, 9000), ago(engine, 8990))
    await gaps.note(engine.db, [long_ago])
    await watch(engine, [found], timedelta(days=1))
    await repair.repair(engine, [found])
    gone = ("unfillable", "upstream_keeps_no_more", 1)
    assert await told(engine) == [(9000, 8990, *gone), (200, 198, *gone), (150, 149, *gone)]
    forgotten, *others = await engine.db.reads.fetch("select detail from gap order by first")
    assert "keeps only the last 3 days" in forgotten["detail"]
    assert all("without a trade" in row["detail"] for row in others)
    before = len(replay.asked)
    await watch(engine, [found], None)
    await repair.repair(engine, [found])
    assert len(replay.asked) == before


async def test_of_what_is_refused_for_good_nobody_asks_again(engine: Engine, replay: Replay) -> None:
    """A contract that the exchange does not know any more: the next one is asked for all the same."""
    binance = source("binance")
    gone, other = await held(engine, binance), await held(engine, binance, "ETHUSDT")
    await lose(engine, 300, 290, other)
    await lose(engine, 200, 190, gone)
    await watch(engine, [binance], None)
    states = list[list[tuple[Any, ...]]]()
    for _ in range(4):
        replay.misbehave(UNKNOWN, to="klines?symbol=BTCUSDT")
        await repair.repair(engine, [binance])
        states.append([gap[2:] for gap in await told(engine)])
        await due_again(engine.db)
    repaired = ("repaired", "outage", 0)
    assert states == [
        *([repaired, ("open", "outage", attempt)] for attempt in (1, 2, 3)),
        [repaired, ("unfillable", "upstream_keeps_no_more", 4)],
    ]
    assert "Invalid symbol" in await engine.db.reads.fetchval("select detail from gap where state = 'unfillable'")
    errors = await engine.db.reads.fetch(
        "select place, source, dataset, code, (context->>'for_good')::boolean from error_log order by id"
    )
    whose = ("repair", "binance", "candles_1m", "refused")
    assert [tuple(row) for row in errors] == [(*whose, for_good) for for_good in (False, False, False, True)]


async def test_of_a_contract_that_ended_one_refusal_is_enough(engine: Engine, replay: Replay) -> None:
    binance = source("binance")
    await lose(engine, 200, 190, await held(engine, binance))
    await watch(engine, [binance], None)
    await engine.db.reads.execute("update instrument set active = false where symbol = 'BTCUSDT'")
    replay.misbehave(UNKNOWN, to="klines")
    await repair.repair(engine, [binance])
    assert [gap[2] for gap in await told(engine)] == ["unfillable"]


async def test_without_a_history_it_is_given_up_at_once(engine: Engine, replay: Replay) -> None:
    binance = source("binance")
    series, before = await held(engine, binance), len(replay.asked)
    await gaps.note(
        engine.db,
        [Hole(series, name, ago(engine, 60), ago(engine, 50)) for name in ("predicted_funding", "liquidations")],
    )
    await repair.repair(engine, [binance])
    assert {gap[2:4] for gap in await told(engine)} == {("unfillable", "upstream_keeps_no_more")}
    assert len(replay.asked) == before


async def test_young_minutes_are_asked_for_again(engine: Engine, replay: Replay, clock: Clock) -> None:
    """What an exchange does not tell yet it may tell later: that is no reason to give up."""
    binance = source("binance")
    series = await held(engine, binance)
    await gaps.note(engine.db, [Hole(series, "candles_1m", ago(engine, 0), ago(engine, -2))])
    await repair.repair(engine, [binance])
    assert [gap[2:] for gap in await told(engine)] == [("open", "outage", 1)]
    clock.now += 3 * MINUTE
    await due_again(engine.db)
    await repair.repair(engine, [binance])
    assert [gap[2:] for gap in await told(engine)] == [("repaired", "outage", 1)]


async def test_open_interest_comes_back_into_the_minutes(engine: Engine, replay: Replay) -> None:
    binance = source("binance")
    series, first = await held(engine, binance), ago(engine, 120)
    await gaps.note(engine.db, [Hole(series, "open_interest", first, first + 20 * MINUTE)])
    await repair.repair(engine, [binance])
    rows = await engine.db.reads.fetch("select ts, oi_base from perp_1m where oi_base is not null order by ts")
    market = world.find("binance", "BTCUSDT")
    assert market
    times = list(world.grid(first, first + 19 * MINUTE, world.MINUTES_5))
    assert [tuple(row) for row in rows] == [(time, world.coins(market, time)) for time in times]
    (detail,) = {row["detail"] for row in await engine.db.reads.fetch("select detail from gap")}
    assert "every 5 minutes" in detail
    assert sum(gap[0] - gap[1] for gap in await told(engine)) == 16


@pytest.mark.parametrize(
    ("exchange", "symbol"), [("binance", "BTCUSDT"), ("bybit", "BTCUSDT"), ("okx", "BTC-USDT-SWAP")]
)
async def test_ratios_of_accounts_come_back(engine: Engine, replay: Replay, exchange: str, symbol: str) -> None:
    found = source(exchange)
    await reference.put_instruments(engine.db, exchange, [Instrument(symbol, "BTC", "USDT")])
    series = (await reference.series_of(engine.db, exchange, exchange))[symbol].id
    first = ago(engine, 122)
    await gaps.note(engine.db, [Hole(series, "long_short", first, first + 20 * MINUTE)])
    await repair.repair(engine, [found])
    market = world.find(exchange, symbol)
    assert market
    times = list(world.grid(first, first + 19 * MINUTE, world.MINUTES_5))
    shares = [world.long_share(market, time) for time in times]
    rows = await engine.db.reads.fetch("select ts, long_short_ratio from perp_1m order by ts")
    assert [tuple(row) for row in rows] == [
        (time, pytest.approx(share / (1 - share), abs=1e-4)) for time, share in zip(times, shares, strict=True)
    ]
    assert [gap[2] for gap in await told(engine)] == ["repaired"]


async def test_liquidations_come_back_and_are_laid_into_their_minutes(engine: Engine, replay: Replay) -> None:
    """Of two days OKX tells the last; what is older nobody was asked for, what is young is asked for again."""
    okx, symbol = source("okx"), "BTC-USDT-SWAP"
    await reference.put_instruments(engine.db, "okx", [Instrument(symbol, "BTC", "USDT", contract_size=0.01)])
    series = (await reference.series_of(engine.db, "okx", "okx"))[symbol].id
    await gaps.note(engine.db, [Hole(series, "liquidations", ago(engine, 2880), ago(engine, 0))])
    await repair.repair(engine, [okx])
    assert await told(engine) == [
        (2880, 1435, "unfillable", "upstream_keeps_no_more", 1),
        (1435, 15, "repaired", "outage", 1),
        (15, 0, "open", "outage", 1),
    ]
    assert "keeps only the last 1 day" in await engine.db.reads.fetchval(
        "select detail from gap order by first limit 1"
    )
    market = world.find("okx", symbol)
    assert market
    there = {
        time.replace(second=0): (price, coins if side == "long" else 0.0, coins if side == "short" else 0.0)
        for time, side, price, contracts in world.liquidations(market, ago(engine, 1435), engine.web.now())
        for coins in [contracts / 100]
    }
    rows = await engine.db.reads.fetch(
        "select ts, liquidation_price, long_liquidation_base, short_liquidation_base from perp_1m order by ts"
    )
    assert {row[0]: tuple(row)[1:] for row in rows} == {time: pytest.approx(sums) for time, sums in there.items()}


async def test_two_processes_never_repair_the_same(engine: Engine, second: Engine, replay: Replay) -> None:
    binance = source("binance")
    symbols = ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT")
    each = [await held(engine, binance, symbol) for symbol in symbols]
    for series in each:
        for first in range(650, 50, -200):
            await lose(engine, first, first - 10, series)
    await watch(engine, [binance], None)
    before = asked_of(replay)
    replay.storm([slow(0.1)], share=1.0)
    await asyncio.gather(*(repair.repair(one, [binance]) for one in (engine, second) for _ in range(2)))
    assert [gap[2] for gap in await told(engine)] == ["repaired"] * 9
    windows = [(a.query["symbol"], a.query["startTime"]) for a in replay.asked if a.path == "/fapi/v1/klines"][before:]
    assert len(windows) == len(set(windows)) == 6


async def test_broken_off_it_is_given_back(engine: Engine, replay: Replay) -> None:
    binance = source("binance")
    await lose(engine, 300, 290, await held(engine, binance))
    await watch(engine, [binance], None)
    replay.misbehave(slow(60), to="klines")
    task = asyncio.create_task(repair.repair(engine, [binance]))
    await asyncio.to_thread(wait_for, replay, asked_of(replay) + 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [gap[2:] for gap in await told(engine)] == [("open", "outage", 0)]
    await repair.repair(engine, [binance])
    assert [gap[2] for gap in await told(engine)] == ["repaired"]


DIES = """
import asyncio, sys
from datetime import datetime, timedelta
from app.db import connected
from app.ingest import repair
from app.ingest.engine import Engine
from app.ingest.runner import opened
from app.ingest.sources import load

async def main(dsn, now):
    repair.HOLD = timedelta(seconds=2)
    async with connected(dsn) as db, opened(now=lambda: now) as web:
        await repair.repair(Engine(db, web), load(["binance"]).values())

asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
"""


def wait_for(replay: Replay, requests: int) -> None:
    """Until so many questions for candles have come in."""
    deadline = time.monotonic() + 30
    while asked_of(replay) < requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def killed_asking(replay: Replay, requests: int, *arguments: str) -> None:
    """Begin to repair, and be killed while so many questions are open or answered."""
    environment = {**os.environ, **replay.settings()}
    process = subprocess.Popen((sys.executable, "-c", DIES, *arguments), cwd=ROOT, env=environment)
    try:
        wait_for(replay, requests)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


async def test_killed_while_it_repairs_another_finishes(engine: Engine, replay: Replay) -> None:
    """Three pages, the newest stored when the process is killed with -9: what it had is not asked for again."""
    binance = source("binance")
    series = await held(engine, binance)
    await jobs.pull_all(engine, binance, ["candles_1m"], Order(days=1, symbols=frozenset({"BTCUSDT"})))
    await lose(engine, 1400, 100, series)
    await watch(engine, [binance], None)
    replay.storm([slow(0.4)], share=1.0)
    now = engine.web.now().isoformat()
    await asyncio.to_thread(killed_asking, replay, asked_of(replay) + 2, engine.db.dsn, now)
    replay.storm([])
    assert [gap[2] for gap in await told(engine)] == ["repairing"]
    before = asked_of(replay)
    await repair.repair(engine, [binance])
    assert asked_of(replay) == before, "it is held for a while"
    await asyncio.sleep(2.1)
    await repair.repair(engine, [binance])
    assert asked_of(replay) == before + 2
    assert [gap[2] for gap in await told(engine)] == ["repaired"]
    await check_candles(engine.db, "binance", "BTCUSDT")
