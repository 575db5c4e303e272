"""Minutes collected while the database makes writers wait or is away, and while collectors end unexpectedly."""

import asyncio
import itertools
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from app.db import Database
from app.ingest import sources
from app.ingest.collecting import collecting
from app.ingest.spec import Source
from tests import minutes
from tests.e2e.test_minutes_of_sockets import world
from tests.minutes import MINUTE
from tests.replay_sockets import Faults

END_OTHERS = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
ERRORS = "select place, source, code, message from error_log order by id"


@pytest.fixture
async def bybit(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> Source:
    await minutes.listed(clean_database, monkeypatch, minutes.many(2, ["bybit"]))
    return minutes.without_limits(sources.load(["bybit"])["bybit"])


@asynccontextmanager
async def away(db: Database) -> AsyncIterator[None]:
    """Nobody gets into the database, and who was in it is out."""
    name = await db.reads.fetchval("select current_database()")
    admin = await asyncpg.connect(db.dsn, database="postgres")
    try:
        await admin.execute(f'alter database "{name}" allow_connections false')
        await admin.execute(END_OTHERS, name)
        yield
    finally:
        await admin.execute(f'alter database "{name}" allow_connections true')
        await admin.close()


async def test_nothing_is_lost_while_the_database_makes_writers_wait_and_while_it_is_away(
    clean_database: Database, bybit: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(clean_database, monkeypatch, 60, Faults()) as (engine, there, clock):
        async with collecting(engine, [bybit], 0):
            first = await there.all_asked(minutes.topics([bybit]))
            await clock.until(first + timedelta(seconds=30))
            async with clean_database.engine.begin() as other:
                await other.execute(text("lock table perp_1m in exclusive mode"))
                await clock.until(first + timedelta(seconds=160))
            await clock.until(first + timedelta(seconds=170))
            async with away(clean_database):
                await clock.until(first + timedelta(seconds=260))
            await clock.until(first + timedelta(seconds=275))
        rows = await clean_database.reads.fetch(minutes.STORED)
        assert minutes.wrong_candles(rows, [first + number * MINUTE for number in range(4)]) == []
        assert all(row["buy_volume_base"] is not None for row in rows if first <= row["ts"] < first + 4 * MINUTE)
        for dataset in ("candles_1m", "taker_volume", "liquidations"):
            assert {place for place in await minutes.missing(clean_database, dataset) if place[2] >= first} == set()
        assert there.connected["bybit"] == 1
        assert await clean_database.reads.fetch(ERRORS) == []


@pytest.mark.parametrize("broken", ["app.ingest.collect.Collector.hear", "app.ingest.collect.keep_asking"])
async def test_a_collector_whose_line_or_poll_raises_begins_anew_and_says_so(
    clean_database: Database, bybit: Source, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    right, called = pkgutil.resolve_name(broken), itertools.count()

    def wrong(*arguments: Any) -> Any:
        if next(called) == 0:
            raise RuntimeError("with secret=abcdefgh")
        return right(*arguments)

    monkeypatch.setattr(broken, wrong)
    async with world(clean_database, monkeypatch, 60, Faults()) as (engine, there, clock):
        async with collecting(engine, [bybit], 0):
            while not (errors := await clean_database.reads.fetch(ERRORS)):  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.01)
            first = await there.all_asked(minutes.topics([bybit]))
            await clock.until(first + timedelta(seconds=66))
        assert not there.peers
    assert minutes.wrong_candles(await clean_database.reads.fetch(minutes.STORED), [first]) == []
    assert [(error["place"], error["source"], error["code"]) for error in errors] == [
        ("collector", "bybit", "runtimeerror")
    ]
    assert errors[0]["message"].endswith("RuntimeError: with secret=***")
