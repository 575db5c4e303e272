"""Minutes collected by sockets that break, repeat themselves, mix things up and leave things out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app import settings
from app.db import Database
from app.ingest import collect, schedule, sources
from app.ingest.collecting import collecting
from app.ingest.engine import Engine
from app.ingest.repair import repair
from app.ingest.runner import Patience, opened
from app.services import gaps
from tests import minutes
from tests.minutes import MINUTE
from tests.replay import Replay
from tests.replay_sockets import Fast, Faults, Sockets, replaying
from tests.replayed import markets, sockets

START = datetime(2026, 3, 10, 23, 57, 50, tzinfo=UTC)  # over midnight

UNFINISHED = """
select count(*) from revision r join perp_1m m using (series_id, ts)
where r.fact = 'perp_1m' and r.said ? 'close' and (r.said->>'close')::float8 <> m.close"""
"""Candles that were stored before they said what they say now."""


@asynccontextmanager
async def world(
    db: Database, monkeypatch: pytest.MonkeyPatch, speed: float, faults: Faults
) -> AsyncIterator[tuple[Engine, Sockets, Fast]]:
    """Exchanges whose time passes so fast, over REST and sockets, and an engine that goes by it."""
    clock = Fast(START, speed)
    async with replaying(clock, faults) as there:
        with Replay(now=clock) as rest:
            for name, value in {**rest.settings(), **there.settings()}.items():
                monkeypatch.setenv(name, value)
            settings.environment.cache_clear()
            async with opened(Patience(tries=3, first=0.05, most=0.1), now=clock) as web:
                yield Engine(db, replace(web, limiters={}, sleep=clock.sleep)), there, clock
    settings.environment.cache_clear()


async def test_a_minute_of_three_exchanges_and_a_hundred_contracts(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanges = ("binance", "bybit", "okx")
    await minutes.listed(clean_database, monkeypatch, minutes.many(100, exchanges))
    faults = Faults(twice=0.2, late=0.2, never=0.02)
    asked = [minutes.without_limits(source) for source in sources.load(exchanges).values()]
    async with world(clean_database, monkeypatch, 20, faults) as (engine, there, clock):
        async with collecting(engine, asked, 0):
            first = await there.all_asked(minutes.topics(asked))
            await clock.until(first + timedelta(seconds=75))
            there.drop("binance")
            await clock.until(first + timedelta(seconds=95))
            there.drop("okx", "/ws/v5/business")
            await clock.until(first + timedelta(seconds=105))
            while there.connected["okx"] < 3:
                await clock.sleep(1)
            await there.say("okx", {"event": "notice", "code": "64008", "msg": "upgrade", "connId": "c"})
            await clock.until(first + timedelta(seconds=119))
            there.drop("bybit")
            await clock.until(first + timedelta(seconds=133))
        before = await clean_database.reads.fetch(minutes.STORED)
        wanted = [first, first + MINUTE]
        holes = await minutes.missing(clean_database, "candles_1m")
        left = minutes.wrong_candles(before, wanted)
        assert 0 < len(left) < 300, "frames were left out, but only a few"
        assert len(left) <= len(holes), "what is missing is in the ledger"
        await _check_takers(clean_database, before, wanted)
        await clean_database.reads.execute("delete from gap where dataset <> 'candles_1m'")
        await repair(engine, asked)
    await _check_whole(clean_database, wanted)
    assert await clean_database.reads.fetchval(UNFINISHED) == 0, "nothing unfinished was stored"
    assert there.connected["okx"] >= 5, "two at first, one after the break, two after the notice"


async def _check_whole(db: Database, wanted: list[datetime]) -> None:
    """Of candles no minute is missing, none is there twice, and none has yet to end; and the ledger says so."""
    rows, end = await db.reads.fetch(minutes.STORED), wanted[-1] + MINUTE
    assert minutes.wrong_candles(rows, wanted) == []
    assert len({(row["exchange"], row["symbol"], row["ts"]) for row in rows}) == len(rows)
    assert max(row["ts"] for row in rows if row["close"] is not None) <= end
    left = "select * from gap where dataset = 'candles_1m' and state <> 'repaired' and last <= $1"
    assert await db.reads.fetch(left, end) == []


async def _check_takers(db: Database, rows: list[dict[str, float]], wanted: list[datetime]) -> None:
    """Takers' volumes are whole or missing, and then in the ledger."""
    holes = await minutes.missing(db, "taker_volume")
    told = {(row["exchange"], row["symbol"], row["ts"]): row for row in rows}
    whole = partial = 0
    for market in markets.MARKETS:
        for minute in wanted if market.exchange in minutes.OF_TRADES else ():
            row = told[market.exchange, market.symbol, minute]
            if row["buy_volume_base"] is None:
                assert (market.exchange, market.symbol, minute) in holes
                partial += 1
            else:
                right = [volume * row["multiplier"] for volume in sockets.takers(market, minute)]
                assert [row["buy_volume_base"], row["sell_volume_base"]] == pytest.approx(right), (market, minute)
                whole += 1
    assert whole >= partial


SAMPLES = {"open_interest": "oi_base", "predicted_funding": "predicted_rate", "taker_volume": "buy_volume_base"}


async def test_of_every_minute_all_is_there_or_in_the_ledger(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await minutes.listed(clean_database, monkeypatch, minutes.many(5))
    asked = [minutes.without_limits(source) for source in sources.load(minutes.EXCHANGES).values()]
    async with world(clean_database, monkeypatch, 40, Faults()) as (engine, there, clock):
        async with collecting(engine, asked, 0):
            first = await there.all_asked(minutes.topics(asked))
            await clock.until(first + timedelta(seconds=90))
            there.drop("hyperliquid")
            there.drop("okx")
            await clock.until(first + timedelta(seconds=132))
        rows = await clean_database.reads.fetch(minutes.STORED)
        wanted = [first, first + MINUTE]
        await repair(engine, asked)
    await _check_whole(clean_database, wanted)
    told = {(row["exchange"], row["symbol"], row["ts"]): row for row in rows}
    for dataset, column in SAMPLES.items():
        holes = await minutes.missing(clean_database, dataset)
        for market in markets.MARKETS:
            for minute in wanted:
                place = market.exchange, market.symbol, minute
                assert (told[place][column] is None) is (place in holes), (dataset, place)
    await _check_takers(clean_database, rows, wanted)
    broken = {place[0] for place in await minutes.missing(clean_database, "liquidations")}
    assert broken == {"okx"}, "what an exchange told while nobody listened is not known"
    row = told["binance", "1000PEPEUSDT", first + MINUTE]
    assert row["oi_base"] == pytest.approx(1000 * 1000, rel=0.06), "thousand coins a quoted unit"


async def test_what_was_collected_before_a_restart_is_missing_until_it_is_collected_again(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await minutes.listed(clean_database, monkeypatch, minutes.many(2, ["bybit"]))
    asked = [minutes.without_limits(sources.load(["bybit"])["bybit"])]
    async with world(clean_database, monkeypatch, 60, Faults()) as (engine, there, clock):
        async with collecting(engine, asked, 0):
            first = await there.all_asked(minutes.topics(asked))
            await clock.until(first + timedelta(seconds=40))
        stopped = clock()
        states = await clean_database.reads.fetch("select state from collector where channel like '/%'")
        assert [row["state"] for row in states] == ["closed"]
        await clock.until(first + timedelta(seconds=100))
        async with collecting(engine, asked, 0):
            await clock.until(first + timedelta(seconds=130))
    for dataset in ("candles_1m", "liquidations", "taker_volume"):
        holes = {minute for _, _, minute in await minutes.missing(clean_database, dataset)}
        assert {first, first + MINUTE} <= holes, dataset
        assert min(holes) >= stopped.replace(second=0, microsecond=0) - MINUTE


async def test_an_outage_is_known_however_soon_a_process_dies_again(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line was broken long before the process died; those after it died while the ledger could not be written."""
    db = clean_database
    await minutes.listed(db, monkeypatch, minutes.many(2, ["bybit"]))
    asked = [minutes.without_limits(sources.load(["bybit"])["bybit"])]
    (socket,) = asked[0].sockets
    last = START - 10 * MINUTE
    for number, at in enumerate((last, last - 20 * MINUTE)):
        await db.reads.execute(
            "insert into collector (id, source, channel, state, last_message_at) values ($1, 'bybit', '', '', $2)",
            *(f"bybit:{socket.id}:{number}", at),
        )
    monkeypatch.setattr(collect, "LAST_WORDS", 0.1)
    async with world(db, monkeypatch, 60, Faults()) as (engine, there, clock):
        async with db.reads.acquire() as other, other.transaction():
            await other.execute("select pg_advisory_xact_lock($1)", gaps.LEDGER_LOCK)
            async with collecting(engine, asked, 0):
                await asyncio.sleep(0.3)
        assert not await db.reads.fetchval("select count(*) from gap")
        async with collecting(engine, asked, 0):
            await there.all_asked(minutes.topics(asked))
            await clock.sleep(6)
    rows = await db.reads.fetch("select distinct dataset, min(first) as first from gap group by dataset")
    first = {row["dataset"]: row["first"] for row in rows}
    assert first["candles_1m"] == first["taker_volume"] == last.replace(second=0)
    assert first["liquidations"] == last.replace(second=0) - 20 * MINUTE


async def test_of_two_processes_the_one_that_leads_collects(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await minutes.listed(clean_database, monkeypatch, minutes.many(2, ["bybit"]))
    asked = [minutes.without_limits(sources.load(["bybit"])["bybit"])]
    async with world(clean_database, monkeypatch, 60, Faults()) as (engine, there, clock):
        beside = partial(collecting, engine, asked, 0)
        async with schedule.running(engine, (), beside), schedule.running(engine, (), beside):
            first = await there.all_asked(minutes.topics(asked))
            await clock.until(first + timedelta(seconds=70))
            assert there.connected["bybit"] == 1
        await clock.sleep(5)
        assert not there.peers
    assert minutes.wrong_candles(await clean_database.reads.fetch(minutes.STORED), [first]) == []
