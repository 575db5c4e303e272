"""The wide hour: what a month of it costs on disk, and what storing one costs beside raw COPY."""

import random
import time
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import numpy as np
import pyarrow as pa

from app.db import Database
from app.ingest.keep import Places
from app.records import HOUR_COLUMNS, PerpHour, Product
from app.services import batch, products, store
from tests.bench.report import Line

PAIRS, HOURS, ROUNDS = 1069, 720, 25
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIZE = "select sum(pg_total_relation_size(relid)) from pg_partition_tree('perp_1h') where isleaf"
EXCHANGES = ("binance", "bybit", "okx", "hyperliquid")


async def _series(db: Database) -> Places:
    told = [Product(EXCHANGES[n % 4], f"BENCH{n}USDT", f"BENCH{n}") for n in range(PAIRS)]
    await products.put_products(db, "velo", told)
    listed = [one for one in await products.listed(db, "velo") if one.symbol.startswith("BENCH")]
    return Places(hours={(one.exchange, one.symbol): one.series for one in listed})


def _month(series: list[int]) -> pa.RecordBatch:
    """Every column of every hour told, with the digits that real prices and dollar sums have."""
    dice, count = np.random.default_rng(1), len(series) * HOURS
    first = round(START.timestamp() * 1e6)
    times = np.tile(first + np.arange(HOURS, dtype=np.int64) * 3_600_000_000, len(series))
    columns = [np.repeat(np.array(series, dtype=np.int32), HOURS), times]
    columns += [dice.lognormal(8, 3, count) for _ in HOUR_COLUMNS]
    arrays = [
        pa.array(columns[0]),
        pa.array(columns[1]).cast(store.TIME),
        *(pa.array(column) for column in columns[2:]),
    ]
    fields = [store.WIDE_HOUR.field(name) for name in ("series_id", "ts", *HOUR_COLUMNS, "known_at")]
    return pa.RecordBatch.from_arrays([*arrays, pa.nulls(count, store.TIME)], schema=pa.schema(fields))


def _hour(places: Places, at: datetime, dice: random.Random) -> list[PerpHour]:
    values = {name: dice.lognormvariate(8, 1) for name in HOUR_COLUMNS}
    values |= {"high": 3e9, "low": 0.0, "funding_rate_8h": 1e-4, "funding_rate_8h_mean": 1e-4, "premium": -1e-4}
    return [PerpHour(exchange, symbol, at, values) for exchange, symbol in places.hours]


async def _raw(connection: "asyncpg.Connection[asyncpg.Record]", rows: list[tuple[object, ...]]) -> float:
    begun = time.perf_counter()
    await connection.copy_records_to_table("raw_hour", records=rows)
    return time.perf_counter() - begun


async def measure(db: Database) -> list[Line]:
    """Bytes a value of 30 days, and storing one hour (columns) against COPY of ready tuples into a bare table."""
    places = await _series(db)
    month = _month(sorted(ref.id for ref in places.hours.values()))
    await store.put(db, "perp_1h", in_parts(month))
    size = float(await db.reads.fetchval(SIZE))
    values = PAIRS * HOURS * len(HOUR_COLUMNS)
    found = await _hours(db, places)
    raw, ours = (PAIRS / median(column) for column in zip(*found, strict=True))
    disk = f"{size / 1e6:,.0f} MB, indexes included"
    speed = f"{ours:,.0f} and {raw:,.0f} rows/s"
    return [
        Line("30 days of 1,069 pairs × 30 columns: bytes a value", size / values, "at most 14", disk),
        Line("an hour's batch of 1,069 pairs ÷ raw asyncpg COPY", ours / raw, "at least 0.3", speed),
    ]


def in_parts(month: pa.RecordBatch) -> list[pa.RecordBatch]:
    """In parts, as back-fills bring them."""
    return [month.slice(at, 20 * HOURS) for at in range(0, month.num_rows, 20 * HOURS)]


async def _hours(db: Database, places: Places) -> list[tuple[float, float]]:
    dice, found = random.Random(2), list[tuple[float, float]]()
    connection = await asyncpg.connect(db.dsn)
    typed = ", ".join(f"{name} float8" for name in HOUR_COLUMNS)
    await connection.execute(f"create table raw_hour (series_id int, ts timestamptz, {typed})")
    try:
        for number in range(ROUNDS):
            at = START + (HOURS + number) * HOUR
            records = _hour(places, at, dice)
            rows = [(places.hours[r.exchange, r.symbol].id, at, *r.values.values()) for r in records]
            raw = await _raw(connection, rows)
            columns = batch.hours(records, places.hours)
            begun = time.perf_counter()
            await store.put(db, "perp_1h", [columns])
            found.append((raw, time.perf_counter() - begun))
    finally:
        await connection.execute("drop table raw_hour")
        await connection.close()
    return found
