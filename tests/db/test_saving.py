"""Minutes wait for a database that does not answer, and are given up where it refuses them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db import Database, is_gone
from app.ingest import saving
from app.ingest.lasting import patient
from app.ingest.saving import Saving
from app.records import Instrument, Liquidation, PerpMinute
from app.services import reference
from app.services.reference import SeriesRef

T = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEW = "select close, oi_base, mark_price from perp_1m"


def minute(number: int = 0, **values: float) -> PerpMinute:
    return PerpMinute("BTCUSDT", T + timedelta(minutes=number), values)


def prices(close: float) -> dict[str, float]:
    return {"open": 1.0, "high": 9.0, "low": 1.0, "close": close}


@pytest.fixture
async def series(clean_database: Database) -> dict[str, SeriesRef]:
    await reference.put_instruments(clean_database, "binance", [Instrument("BTCUSDT", "BTC", "USDT")])
    return await reference.series_of(clean_database, "binance", "binance")


async def test_what_is_told_of_a_minute_twice_before_it_is_stored_is_one_row(
    clean_database: Database, series: dict[str, SeriesRef]
) -> None:
    kept = Saving(clean_database)
    kept.add([minute(oi_base=5.0, mark_price=7.0)], [Liquidation("BTCUSDT", T, "long", 5.0, 1.0)])
    kept.add([minute(**prices(2.0))], [])
    assert (await kept.save(series)).why == {}
    assert [tuple(row) for row in await clean_database.reads.fetch(NEW)] == [(2.0, 5.0, 7.0)]
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 1
    await kept.save(series)
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 1, "nothing is left to store"


class _Refusing:
    """A server that nobody reaches."""

    def connect(self) -> Any:
        raise ConnectionRefusedError("nobody there")


async def test_while_the_database_does_not_answer_rows_are_kept(
    clean_database: Database, series: dict[str, SeriesRef]
) -> None:
    kept = Saving(replace(clean_database, engine=cast(AsyncEngine, _Refusing())))
    kept.add([minute(**prices(2.0))], [Liquidation("BTCUSDT", T, "long", 5.0, 1.0)])
    with pytest.raises(ConnectionRefusedError):
        await kept.save(series)
    kept.db = clean_database
    assert (await kept.save(series)).why == {}
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 1
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 1


@asynccontextmanager
async def refusing(db: Database, table: str, check: str) -> AsyncIterator[None]:
    await db.reads.execute(f"alter table {table} add constraint not_this check ({check})")
    try:
        yield
    finally:
        await db.reads.execute(f"alter table {table} drop constraint not_this")


async def test_one_row_that_the_database_refuses_costs_no_other(
    clean_database: Database, series: dict[str, SeriesRef]
) -> None:
    kept = Saving(clean_database)
    kept.add([minute(number, **prices(1.0 + number), long_short_ratio=2.0) for number in range(7)], [])
    kept.add([minute(2, mark_price=3.0)], [Liquidation("BTCUSDT", T, "long", 5.0, 1.0 + n) for n in range(3)])
    async with (
        refusing(clean_database, "perp_1m", "close <> 3"),
        refusing(clean_database, "liquidation", "quantity <> 2"),
    ):
        lost = await kept.save(series)
    third = T + 2 * MINUTE
    assert set(lost.stretches) == {
        ("BTCUSDT", "candles_1m", third, third + MINUTE),
        ("BTCUSDT", "long_short", third, third + MINUTE),
        ("BTCUSDT", "liquidations", T, T + MINUTE),
    }
    assert [(code, rows) for (code, _), rows in lost.why.items()] == [("23514", 1), ("23514", 1)]
    assert all("not_this" in words for _, words in lost.why)
    closes = await clean_database.reads.fetch("select close from perp_1m where close is not null order by ts")
    assert [row["close"] for row in closes] == [1, 2, 4, 5, 6, 7]
    quantities = await clean_database.reads.fetch("select quantity from liquidation order by 1")
    assert [row["quantity"] for row in quantities] == [1, 3]
    kept.add([minute(**prices(3.0))], [])
    assert await kept.save(series) == saving.Lost(), "what was refused does not stand in the way"


async def test_while_no_connection_is_free_rows_are_kept(
    clean_database: Database, series: dict[str, SeriesRef]
) -> None:
    url = clean_database.dsn.replace("postgresql://", "postgresql+asyncpg://")
    busy = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    kept = Saving(replace(clean_database, engine=busy))
    kept.add([minute(**prices(2.0))], [Liquidation("BTCUSDT", T, "long", 5.0, 1.0)])
    async with busy.connect():
        with pytest.raises(sqlalchemy.exc.TimeoutError):
            await kept.save(series)
    assert await kept.save(series) == saving.Lost()
    await busy.dispose()
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 1
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 1


async def test_what_is_added_while_others_are_stored_is_not_forgotten(
    clean_database: Database, series: dict[str, SeriesRef]
) -> None:
    kept = Saving(clean_database)
    kept.add([minute(**prices(2.0))], [])
    async with clean_database.engine.begin() as other:
        await other.execute(text("lock table perp_1m in exclusive mode"))
        task = asyncio.create_task(kept.save(series))
        await asyncio.sleep(0.1)
        kept.add([minute(mark_price=7.0), minute(1, mark_price=8.0)], [Liquidation("BTCUSDT", T, "long", 5.0, 1.0)])
    await task
    await kept.save(series)
    rows = await clean_database.reads.fetch(f"{NEW} order by ts")
    assert [tuple(row) for row in rows] == [(2.0, None, 7.0), (None, None, 8.0)]
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 1


async def test_who_waits_too_long_for_the_database_tries_again_later(
    clean_database: Database, series: dict[str, SeriesRef], caplog: pytest.LogCaptureFixture
) -> None:
    kept = Saving(clean_database)
    kept.add([minute(**prices(2.0))], [])
    async with clean_database.engine.begin() as other:
        await other.execute(text("lock table perp_1m in exclusive mode"))
        for _ in range(6):  # more often than there are connections
            async with patient("binance", 0.1):
                await kept.save(series)
    assert "binance: the database does not answer: TimeoutError" in caplog.text
    assert await kept.save(series) == saving.Lost()
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 1


async def test_the_oldest_of_too_many_are_given_up_and_told_of_when_the_database_is_back(
    clean_database: Database, series: dict[str, SeriesRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "MOST_ROWS", 3)
    kept = Saving(replace(clean_database, engine=cast(AsyncEngine, _Refusing())))
    for number in range(5):
        kept.add(
            [minute(number, **prices(2.0))],
            [Liquidation("BTCUSDT", T + number * MINUTE, "long", 5.0, 1.0)],
        )
        with pytest.raises(ConnectionRefusedError):
            await kept.save(series)
    kept.db = clean_database
    lost = await kept.save(series)
    assert set(lost.stretches) == {
        ("BTCUSDT", "candles_1m", T, T + 2 * MINUTE),
        ("BTCUSDT", "liquidations", T, T + 2 * MINUTE),
    }
    assert lost.why == {saving.TOO_MANY: 4}
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 3
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 3
    assert await kept.save(series) == saving.Lost(), "once"


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (sqlalchemy.exc.TimeoutError(), True),
        (TimeoutError(), True),
        (asyncpg.ObjectNotInPrerequisiteStateError(), True),
        (asyncpg.InternalServerError(), True),
        (asyncpg.CheckViolationError(), False),
        (asyncpg.NumericValueOutOfRangeError(), False),
        (asyncpg.UndefinedColumnError(), False),
        (asyncpg.exceptions._base.DataError("a number was expected"), False),
        (RuntimeError("not of a database"), False),
    ],
)
def test_only_what_refuses_the_rows_is_taken_for_a_refusal(error: Exception, gone: bool) -> None:
    assert is_gone(error) is gone
