"""Lighter over real sockets: markets asked by number, its sixty requests a minute, and pages that are cut unsaid."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.ingest import backfill, jobs
from app.ingest.engine import Engine
from app.ingest.pages import Line, fetch
from app.ingest.sources.lighter import SOURCE
from app.ingest.spec import Budget, Window
from app.ingest.work import Order
from app.records import Instrument
from tests.e2e.rounds import MINUTE, Clock, first_wanted, stored
from tests.e2e.test_backfill import ended, ordered, planned
from tests.replay import Replay
from tests.replayed import lighter
from tests.replayed import markets as world
from tests.replayed.markets import HOUR

ALLOWED, PERIOD = 20, 0.25  # a minute of theirs, shorter
QUICK = replace(SOURCE, budgets={"requests": Budget(ALLOWED, timedelta(seconds=PERIOD))})
BTC = Instrument("BTC", "BTC", "USDC", funding_interval_hours=1, upstream_id="1")


@pytest.fixture(autouse=True)
def mood() -> Iterator[lighter.Mood]:
    lighter.calm()
    lighter.mood.allowed, lighter.mood.a_period = ALLOWED, PERIOD
    yield lighter.mood
    lighter.calm()


def settled(symbol: str, start: datetime, end: datetime) -> list[tuple[datetime, Any]]:
    market = next(market for market in lighter.MARKETS if market.symbol == symbol)
    return [(t, pytest.approx(lighter.percent(market, t) / 100)) for t in world.settlements(market, start, end)]


async def pulled(engine: Engine) -> None:
    done = await jobs.pull_all(engine, QUICK, jobs.datasets(QUICK), Order())
    assert {(one.dataset, one.status, one.error) for one in done} == {
        (dataset, "succeeded", None) for dataset in jobs.datasets(QUICK)
    }
    assert sum(one.counts.rejected for one in done) == 0


async def test_a_round_ends_in_answers_about_lighter(
    engine: Engine, client: httpx.AsyncClient, clock: Clock, mood: lighter.Mood
) -> None:
    await pulled(engine)
    assert mood.refused == 0
    since = first_wanted(clock.now, HOUR)
    funding = await stored(engine.db, "funding", "rate")
    assert funding == {("lighter", m.symbol): settled(m.symbol, since, clock.now) for m in lighter.MARKETS}
    candles = await stored(engine.db, "perp_1m", "close")
    minutes = list(world.grid(first_wanted(clock.now, MINUTE), clock.now - MINUTE, MINUTE))
    assert {key: [time for time, _ in rows] for key, rows in candles.items()} == dict.fromkeys(funding, minutes)
    next_hour = clock.now.replace(minute=0, second=0) + HOUR
    estimates = await stored(
        engine.db, "predicted_funding", "rate, interval_hours, for_time"
    )  # and no other exchange's
    assert estimates == {
        ("lighter", m.symbol): [(clock.now, pytest.approx(lighter.percent(m, next_hour) / 100), 1, next_hour)]
        for m in lighter.MARKETS
    }

    async def told(path: str, **asked: str) -> dict[str, Any]:
        answer = await client.get(path, params=asked)
        [row] = [row for row in answer.json()["data"] if row["exchange"] == "lighter"]
        return row

    at, market = clock.now.isoformat(), lighter.IDS[1]
    paid = await told("/funding/BTC", at=at, per="1h")
    [(time, rate)] = settled("BTC", clock.now - HOUR, clock.now)
    assert (datetime.fromisoformat(paid["time"]), paid["instrument"], paid["rate"]) == (time, "BTC", rate)
    held = await told("/open-interest/BTC", at=at)
    assert held["oi_base"] == pytest.approx(world.coins(market, clock.now))
    assert held["oi_usd"] == pytest.approx(world.usd(market, clock.now))
    assert (await told("/instruments/lighter/BTC"))["oi_sides"] is None
    last = time - HOUR
    hour = await told("/candles/BTC", interval="1h", start=last.isoformat(), end=time.isoformat())
    first, high, low, close, volume = world.candle(market, last, HOUR)
    assert [hour[name] for name in ("open", "close", "volume_base")] == pytest.approx([first, close, volume])
    assert [hour["high"], hour["low"]] == pytest.approx([high, low])


async def test_a_round_that_is_told_to_slow_down_completes(engine: Engine, clock: Clock, mood: lighter.Mood) -> None:
    mood.allowed, mood.sulking = 1000, 5
    await pulled(engine)
    assert mood.refused == 5
    assert len(await stored(engine.db, "funding", "rate")) == len(lighter.MARKETS)


@pytest.mark.parametrize(
    ("dataset", "step", "rows", "requests"), [("funding", HOUR, 1440, 3), ("candles_1m", MINUTE, 1200, 7)]
)
async def test_a_page_cut_to_the_newest_rows_is_asked_again_in_halves(
    engine: Engine, clock: Clock, dataset: str, step: timedelta, rows: int, requests: int
) -> None:
    end = clock.now.replace(minute=0, second=0)
    line, feed = Line(engine.web, QUICK), QUICK.feed(dataset)
    assert feed
    found = await fetch(line, feed, Window(end - rows * step, end, BTC), live=False)
    assert [record.time for record in found.records] == [end - n * step for n in range(rows, 0, -1)]  # type: ignore[union-attr]
    assert (line.requests, found.bad) == (requests, [])


async def test_sixty_days_of_two_tokens_are_complete(engine: Engine, replay: Replay, mood: lighter.Mood) -> None:
    coins = "select id from entity where canonical_id in ('bitcoin', 'ethereum')"
    entities = tuple(row["id"] for row in await engine.db.reads.fetch(coins))
    plan = await planned(engine, QUICK, 60, ("funding",), entities)
    async with backfill.working(engine, {"lighter": QUICK}):
        row = await ended(engine.db, await ordered(engine, plan))
    assert (row["state"], row["errors"], row["rejected"]) == ("succeeded", [], 0)
    funding = await stored(engine.db, "funding", "rate")
    expected = settled("BTC", plan.start, plan.end), settled("ETH", plan.start, plan.end)
    assert funding == {("lighter", "BTC"): expected[0], ("lighter", "ETH"): expected[1]}
    assert len(expected[0]) == 60 * 24
    assert replay.counted() == {"/api/v1/orderBookDetails": 1, "/api/v1/fundings": 4}
    assert mood.refused == 0
