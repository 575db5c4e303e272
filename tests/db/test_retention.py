"""Retention drops what is old and nothing else, and leaves readers alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from app.db import Database
from app.services import partitions, retention
from app.services.store import WIDE_MINUTE, put
from tests.db.facts import batch, series

NOW = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MIDNIGHT = NOW.replace(hour=0, minute=0)


def minutes(series_id: int, day: datetime, count: int = 3, price: float = 100.0) -> pa.RecordBatch:
    """So many minutes from the start of a day, with a candle and a long/short ratio."""
    candle = dict.fromkeys(("open", "high", "low", "close"), price)
    rows = [{"series_id": series_id, "ts": day + n * MINUTE, **candle, "long_short_ratio": 1.5} for n in range(count)]
    names = ("series_id", "ts", *candle, "long_short_ratio", "known_at")
    return pa.RecordBatch.from_pylist(rows, pa.schema([WIDE_MINUTE.field(name) for name in names]))


@pytest.fixture
async def filled(clean_database: Database) -> AsyncIterator[Database]:
    """Minutes of today and 1, 9, 10, 11 and 12 days before, a liquidation and open interest of 12 days before."""
    db = clean_database
    to = await series(db, "bybit", "BTCUSDT")
    for days in (12, 11, 10, 9, 1, 0):
        await put(db, "perp_1m", [minutes(to, MIDNIGHT - days * DAY)])
    old = {"series_id": to, "ts": MIDNIGHT - 12 * DAY + MINUTE}
    await put(db, "liquidation", [batch("liquidation", [{**old, "side": 1, "price": 100.0, "quantity": 2.0}])])
    await put(db, "open_interest", [batch("open_interest", [{**old, "oi_usd": 1e6}])])
    yield db
    for fact in ("perp_1m", "liquidation", "open_interest"):
        async with db.reads.acquire() as connection:
            for part in await partitions.listed(connection, fact):
                await partitions.drop(connection, fact, part)


async def days_of(db: Database, fact: str = "perp_1m") -> list[int]:
    """How many days before today there are rows."""
    rows = await db.reads.fetch(f"select distinct date_trunc('day', ts) as day from {fact} order by day")
    return [(MIDNIGHT - row["day"]).days for row in rows]


async def test_whole_days_go_and_nothing_else(filled: Database) -> None:
    first = await filled.reads.fetchval("select min(series_id) from perp_1m")
    await put(filled, "perp_1m", [minutes(first, MIDNIGHT - 12 * DAY, price=101.0)])  # leaves revisions
    await put(filled, "perp_1m", [minutes(first, MIDNIGHT - DAY, price=101.0)])
    before = await filled.reads.fetchrow("select * from latest")
    assert await filled.reads.fetchval("select count(*) from revision where fact = 'perp_1m'") == 6
    (removed,) = await retention.apply(filled, {"perp_1m": 10, "liquidation": 0}, NOW)
    assert await days_of(filled) == [10, 9, 1, 0]  # the day that is ten days and a half old is not over ten days
    assert (removed.fact, removed.partitions) == ("perp_1m", 2)
    assert removed.bytes > 0
    assert await retention.removed_before(filled, "perp_1m") == MIDNIGHT - 10 * DAY
    assert await filled.reads.fetchval("select count(*) from revision where fact = 'perp_1m'") == 3
    assert await days_of(filled, "liquidation") == [12]
    assert await days_of(filled, "open_interest") == [12]
    assert await retention.removed_before(filled, "liquidation") is None
    assert await filled.reads.fetchrow("select * from latest") == before
    (again,) = await retention.apply(filled, {"perp_1m": 10}, NOW)
    assert again.partitions == 0


async def test_it_ends_exactly_where_a_day_does(filled: Database) -> None:
    await retention.apply(filled, {"perp_1m": 10}, MIDNIGHT + DAY - timedelta(microseconds=1))
    assert await days_of(filled) == [10, 9, 1, 0]
    await retention.apply(filled, {"perp_1m": 10}, MIDNIGHT + DAY)
    assert await days_of(filled) == [9, 1, 0]


async def test_what_is_brought_again_goes_again_and_the_mark_stays(filled: Database) -> None:
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    first = await filled.reads.fetchval("select min(series_id) from perp_1m")
    await put(filled, "perp_1m", [minutes(first, MIDNIGHT - 30 * DAY)])
    assert await days_of(filled) == [30, 10, 9, 1, 0]
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    assert await days_of(filled) == [10, 9, 1, 0]
    assert await retention.removed_before(filled, "perp_1m") == MIDNIGHT - 10 * DAY


async def test_months_go_as_a_whole(filled: Database) -> None:
    await retention.apply(filled, {"open_interest": 10}, NOW)
    assert await days_of(filled, "open_interest") == [12]
    await retention.apply(filled, {"open_interest": 10}, NOW + 20 * DAY)
    assert await days_of(filled, "open_interest") == []
