"""Minutes wait for a database that does not answer, and are given up where it refuses them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import Database
from app.ingest import saving
from app.ingest.saving import Saving
from app.records import Instrument, Liquidation, PerpMinute
from app.services import reference
from app.services.reference import SeriesRef

T = datetime(2026, 3, 10, 12, tzinfo=UTC)
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
    assert await kept.save(series) == []
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
    assert await kept.save(series) == []
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 1
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 1


async def test_rows_that_the_database_refuses_are_given_up_and_named(
    clean_database: Database, series: dict[str, SeriesRef], caplog: pytest.LogCaptureFixture
) -> None:
    kept = Saving(clean_database)
    kept.add([minute(**prices(2.0))], [])
    await clean_database.reads.execute("alter table perp_1m add constraint no_two check (close <> 2)")
    try:
        assert await kept.save(series) == [("BTCUSDT", T)]
    finally:
        await clean_database.reads.execute("alter table perp_1m drop constraint no_two")
    assert "1 minutes are refused" in caplog.text
    kept.add([minute(**prices(3.0))], [])
    assert await kept.save(series) == [], "what was refused does not stand in the way"


async def test_the_oldest_of_too_many_are_given_up(
    clean_database: Database, series: dict[str, SeriesRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "MOST_ROWS", 3)
    kept = Saving(clean_database)
    kept.add([minute(number, mark_price=1.0) for number in range(5)], [])
    assert await kept.save(series) == [("BTCUSDT", T), ("BTCUSDT", T + timedelta(minutes=1))]
    assert await clean_database.reads.fetchval("select count(*) from perp_1m") == 3
