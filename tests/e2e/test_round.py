"""A round fills the store with what the exchanges have told, whatever befalls it, and the next brings what is new."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import httpx
import pytest

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from app.services import log
from tests.e2e.rounds import ACTIVE, ALL_WELL, MINUTE, Clock, check_store, pull_round, source, stored, summary
from tests.plain import Contract, weighted
from tests.replay import CUT, RESET, Replay, broken, throttled
from tests.replayed import markets as world
from tests.replayed.markets import HOUR, MARKETS, MINUTES_5, Market


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
