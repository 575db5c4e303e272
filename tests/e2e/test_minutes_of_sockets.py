"""Minutes collected by sockets that break, repeat themselves, mix things up and leave things out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import settings
from app.db import Database
from app.ingest import sources
from app.ingest.collect import collecting
from app.ingest.engine import Engine
from app.ingest.runner import Patience, opened
from tests import minutes
from tests.minutes import MINUTE
from tests.replay import Replay
from tests.replay_sockets import Fast, Faults, Sockets, replaying
from tests.replayed import markets, sockets

START = datetime(2026, 3, 10, 23, 57, 50, tzinfo=UTC)  # over midnight
FIRST = START + timedelta(seconds=10)


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
    async with world(clean_database, monkeypatch, 30, faults) as (engine, there, clock):
        async with collecting(engine, asked, 0):
            await clock.until(FIRST + timedelta(seconds=75))
            there.drop("binance")
            await clock.until(FIRST + timedelta(seconds=110))
            there.drop("okx", "/ws/v5/business")
            await clock.until(FIRST + timedelta(seconds=119))
            there.drop("bybit")
            await there.say("okx", {"event": "notice", "code": "64008", "msg": "upgrade", "connId": "c"})
            await clock.until(FIRST + timedelta(seconds=192))
        before = await clean_database.reads.fetch(minutes.STORED)
        wanted = [FIRST + number * MINUTE for number in range(3)]
        holes = await minutes.missing(clean_database, "candles_1m")
        unstored = [words for words in minutes.wrong_candles(before, wanted)]
        assert len(unstored) <= len(holes), "what is missing is in the ledger"
        await minutes.fill(engine, asked)
    assert 0 < len(holes) < 300, "frames were left out, but only a few"
    rows = await clean_database.reads.fetch(minutes.STORED)
    assert minutes.wrong_candles(rows, wanted) == []
    assert max(row["ts"] for row in rows) <= FIRST + 3 * MINUTE
    assert await clean_database.reads.fetchval("select count(*) from revision") == 0, "nothing unfinished was stored"
    await _check_takers(clean_database, rows, wanted)
    assert there.connected["okx"] == 5, "two at first, one after the break, two after the notice"


async def _check_takers(db: Database, rows: list[dict[str, float]], wanted: list[datetime]) -> None:
    """Takers' volumes are whole or missing, and then in the ledger."""
    holes = await minutes.missing(db, "taker_volume")
    told = {(row["exchange"], row["symbol"], row["ts"]): row for row in rows}
    whole = 0
    for market in markets.MARKETS:
        for minute in wanted if market.exchange in minutes.OF_TRADES else ():
            row = told[market.exchange, market.symbol, minute]
            if row["buy_volume_base"] is None:
                assert (market.exchange, market.symbol, minute) in holes
            else:
                right = [volume * row["multiplier"] for volume in sockets.takers(market, minute)]
                assert [row["buy_volume_base"], row["sell_volume_base"]] == pytest.approx(right), (market, minute)
                whole += 1
    assert whole > len(wanted) * 100
