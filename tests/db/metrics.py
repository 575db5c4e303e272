"""Small helpers for tests about metrics of entities."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from app.db import Database
from app.records import Metric, MetricValue
from app.services import metrics
from app.services.store import WIDE_HOUR, put
from tests.db.facts import at, series

TVL = Metric("TVL", "TVL", "USD", "fundamental", "daily", "instant", about="Value locked")
CHANGE = Metric("CHANGE_1D", "CHANGE_1D", "percent", "fundamental", "daily", "24h", signed=True)
CLOSE = Metric("CLOSE_PRICE", "PRICE", "USD", "trading", "hourly", "1h", column="close")
OI = Metric("DOLLAR_OI_CLOSE", "OPEN_INTEREST", "USD", "derivative", "hourly", "instant", column="oi_usd_close")


async def entity(db: Database, canonical_id: str) -> int:
    """The id of an entity of the seed."""
    found = await db.reads.fetchval("select id from entity where canonical_id = $1", canonical_id)
    assert found is not None
    return found


async def tell(
    db: Database,
    source: str,
    metric: Metric,
    values: Mapping[datetime, float],
    asset: str = "uniswap",
    exchange: str | None = None,
) -> None:
    """Store values of a metric of an entity as told by a source."""
    told = [MetricValue(metric, "slug", asset, time, value, exchange) for time, value in values.items()]
    await metrics.put_values(db, source, told, {("slug", asset): await entity(db, asset)})


async def learnt_after(db: Database, delay: timedelta) -> None:
    """What was told just now becomes known so long after the time it is of."""
    just_now = "clock_timestamp() - interval '1 hour'"
    for table, column in (("metric_value", "known_at"), ("revision", "replaced_at")):
        await db.reads.execute(f"update {table} set {column} = ts + $1 where {column} > {just_now}", delay)


async def tell_hours(
    db: Database, exchange: str, symbol: str, columns: Mapping[str, Mapping[float, float]], source: str = "velo"
) -> None:
    """Store columns of hours (column → hours after the start of the test day → value) of a perpetual of BTC."""
    await series(db, exchange, symbol)
    exchange_id = await db.reads.fetchval("select id from exchange where slug = $1", exchange)
    await db.reads.execute("insert into source (slug) values ($1) on conflict do nothing", source)
    to = await db.reads.fetchval(
        """insert into series (instrument_id, source_id, preference)
        select i.id, o.id, 2 from instrument i, source o where i.exchange_id = $1 and i.symbol = $2 and o.slug = $3
        returning id""",
        exchange_id,
        symbol,
        source,
    )
    hours = sorted({hour for told in columns.values() for hour in told})
    rows = [
        {"series_id": to, "ts": at(hour), **{name: told.get(hour) for name, told in columns.items()}} for hour in hours
    ]
    names = ("series_id", "ts", *columns, "known_at")
    fields: list[pa.Field[Any]] = [WIDE_HOUR.field(name) for name in names]
    await put(db, "perp_1h", [pa.RecordBatch.from_pylist(rows, pa.schema(fields))])


async def in_catalogue(db: Database, source: str, *told: Metric) -> None:
    """Metrics of a source."""
    await metrics.put_catalogue(db, source, told)
