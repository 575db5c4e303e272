"""Indexes of days that are over are made anew, once, and nothing invalid is left behind."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.db import Database
from app.services import partitions, tidy
from app.services.store import put
from tests.db.facts import batch, series, without_days

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
SERIES, MINUTES = 100, 120


def index_of(day: datetime) -> str:
    """Name of the key index of a day."""
    return f"perp_1m_p{day:%Y%m%d}_pkey"


@pytest.fixture
async def days(clean_database: Database) -> AsyncIterator[Database]:
    """A row four days ago, minutes of many series in the order of time yesterday, and a row today."""
    db = clean_database
    if not await db.reads.fetchval(partitions.IS_NATIVE, "perp_1m"):
        assert await tidy.finished_days(db, MIDNIGHT + DAY) == []
        pytest.skip("chunks of TimescaleDB are left to their compression")
    await without_days(db, *tidy.FACTS)
    to = await series(db, "bybit", "BTCUSDT")
    for day in (MIDNIGHT - 4 * DAY, MIDNIGHT - DAY, MIDNIGHT):
        await put(db, "perp_1m", [batch("perp_1m", [{"series_id": to, "ts": day, "close": 1.0}])])
    for minute in range(MINUTES):
        await db.reads.execute(
            "insert into perp_1m (series_id, ts, close) select $1 + s, $2, 1 from generate_series(1, $3) s",
            *(to, MIDNIGHT - DAY + timedelta(minutes=minute), SERIES),
        )
    yield db
    await without_days(db, *tidy.FACTS)


async def bytes_of(db: Database, index: str) -> int:
    return await db.reads.fetchval("select pg_relation_size($1::text::regclass)", index)


async def invalid(db: Database) -> int:
    return await db.reads.fetchval("select count(*) from pg_index where not indisvalid")


async def test_a_day_that_is_over_is_tidied_once(days: Database) -> None:
    index = index_of(MIDNIGHT - DAY)
    assert await tidy.finished_days(days, MIDNIGHT - timedelta(seconds=1)) == []
    before = await bytes_of(days, index)
    assert await tidy.finished_days(days, MIDNIGHT) == [index]
    assert await bytes_of(days, index) < before * 0.9
    assert await tidy.finished_days(days, MIDNIGHT + timedelta(hours=1)) == []
    assert await days.reads.fetchval("select count(*) from perp_1m") == SERIES * MINUTES + 3
    assert not await invalid(days)


async def test_one_in_use_is_left_and_nothing_invalid_stays(days: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "LOCK_TIMEOUT", "200ms")
    writer = await asyncpg.connect(days.dsn)
    try:
        async with writer.transaction():
            await writer.execute("update perp_1m set close = 2 where ts = $1", MIDNIGHT - DAY)
            tidying = asyncio.create_task(tidy.finished_days(days, MIDNIGHT))
            await asyncio.sleep(0.5)
            assert not tidying.done()
        assert await tidying == []
    finally:
        await writer.close()
    assert not await invalid(days)
    assert await tidy.finished_days(days, MIDNIGHT) == [index_of(MIDNIGHT - DAY)]


async def test_what_a_process_that_ended_left_is_dropped(days: Database) -> None:
    index, table = index_of(MIDNIGHT - DAY), index_of(MIDNIGHT - DAY).removesuffix("_pkey")
    await days.reads.execute(f"create index {index}_ccnew on {table} (series_id)")
    await days.reads.execute(
        "update pg_index set indisvalid = false where indexrelid = $1::text::regclass", f"{index}_ccnew"
    )
    assert await tidy.finished_days(days, MIDNIGHT) == [index]
    assert not await invalid(days)
