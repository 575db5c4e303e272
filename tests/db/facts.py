"""Small helpers for tests that write facts by hand."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pyarrow as pa

from app.db import Database, Driver
from app.records import Instrument
from app.services import partitions, reference
from app.services.store import SCHEMAS, WIDE_HOUR, Written, put

DAY = datetime(2026, 1, 5, tzinfo=UTC)


async def without_days(db: Database, *facts: str) -> None:
    """Drop the partitions (or chunks) of facts: those that other tests left behind stay when their rows go."""
    async with db.reads.acquire() as connection:
        for fact in facts:
            for part in await partitions.listed(cast("Driver", connection), fact):
                await partitions.drop(cast("Driver", connection), fact, part)


def at(hours: float, day: datetime = DAY) -> datetime:
    """So many hours after the start of the test day."""
    return day + timedelta(hours=hours)


async def series(db: Database, exchange: str, symbol: str, base: str = "BTC", **facts: object) -> int:
    """A perpetual of an exchange told of by the exchange itself; returns the id of its series."""
    await reference.put_instruments(db, exchange, [Instrument(symbol, base, "USDT", **facts)])  # type: ignore[arg-type]
    return (await reference.series_of(db, exchange, exchange))[symbol].id


def batch(fact: str, rows: Iterable[Mapping[str, object]]) -> pa.RecordBatch:
    """Rows of a fact as the store takes them; what is left out is null."""
    return pa.RecordBatch.from_pylist([dict(row) for row in rows], SCHEMAS[fact])


def hour_batch(rows: Iterable[Mapping[str, object]]) -> pa.RecordBatch:
    """Rows of hours with the columns the first of them tells."""
    told = [dict(row) for row in rows]
    return pa.RecordBatch.from_pylist(told, pa.schema([WIDE_HOUR.field(name) for name in (*told[0], "known_at")]))


async def settle(db: Database, series_id: int, rates: Mapping[float, float], hours: float | None = None) -> Written:
    """Store settlements: hours after the start of the test day → rate."""
    rows = [{"series_id": series_id, "ts": at(h), "rate": rate, "interval_hours": hours} for h, rate in rates.items()]
    return await put(db, "funding", [batch("funding", rows)])


async def hold(db: Database, series_id: int, usd: Mapping[float, float]) -> Written:
    """Store open interest: hours after the start of the test day → USD."""
    rows = [{"series_id": series_id, "ts": at(h), "oi_usd": value} for h, value in usd.items()]
    return await put(db, "open_interest", [batch("open_interest", rows)])


async def stored_intervals(db: Database, series_id: int) -> list[tuple[float, float, int]]:
    """Hours after the start of the test day, interval, how known."""
    rows = await db.reads.fetch("select * from funding where series_id = $1 order by ts", series_id)
    return [((r["ts"] - DAY) / timedelta(hours=1), r["interval_hours"], r["interval_known"]) for r in rows]


def rows_read(node: dict[str, Any], table: str) -> float:
    """Rows of a table (and its partitions) that an explained plan read, those it threw away with them."""
    here = 0.0
    if node.get("Relation Name", "").startswith(table):
        here = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return here + sum(rows_read(child, table) for child in node.get("Plans", []))
