"""The minute warehouse at full size: what it costs on disk, to store a minute, and to ask; against rows per perpspec."""

import time
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.db import Database
from app.records import MINUTE_COLUMNS, Instrument
from app.services import reference, store
from tests.bench.report import Line

SYMBOLS, DAYS, MINUTES_A_DAY, ROUNDS = 100, 10, 1440, 25
EXCHANGES = ("binance", "bybit", "okx")
START = datetime(2026, 10, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EMPTIED = "truncate funding, open_interest, perp_1m, liquidation, revision, latest, coin_1h, coin_1h_ready"
SIZE = "select sum(pg_total_relation_size(relid)) from pg_partition_tree('perp_1m') where isleaf"
COINS = """
select symbol from entity e
where not exists (select from entity o where lower(o.symbol) = lower(e.symbol) and o.id <> e.id)
order by symbol <> 'BTC', id limit $1
"""


async def fill(db: Database) -> tuple[list[int], int]:
    """Ten days of 100 symbols on three exchanges, each column told; their series, and how many values there are."""
    await db.reads.execute(EMPTIED)
    coins = [row["symbol"] for row in await db.reads.fetch(COINS, SYMBOLS)]
    series: list[int] = []
    for exchange in EXCHANGES:
        listed = [Instrument(f"{coin}USDT-BENCH", coin, "USDT") for coin in coins]
        await reference.put_instruments(db, exchange, listed)
        told = await reference.series_of(db, exchange, exchange)
        series += [told[one.symbol].id for one in listed]
    dice, walk, values = np.random.default_rng(1), np.full(len(series), 100.0), 0
    for day in range(DAYS):
        rows, walk = minutes(series, START + day * MINUTES_A_DAY * MINUTE, MINUTES_A_DAY, dice, walk)
        values += sum(len(rows) - rows.column(name).null_count for name in MINUTE_COLUMNS)
        await store.put(db, "perp_1m", [rows.slice(at, 50_000) for at in range(0, rows.num_rows, 50_000)])
    await db.reads.execute("vacuum analyze perp_1m")
    return series, values


def minutes(
    series: list[int], start: datetime, count: int, dice: np.random.Generator, walk: NDArray[np.float64]
) -> tuple[pa.RecordBatch, NDArray[np.float64]]:
    """Minutes of these series, minute by minute: random walks, lognormal volumes, few liquidations, ratios every five."""
    width = len(series)
    steps = np.exp(dice.normal(0, 0.0015, (count, width)))
    close = walk * np.cumprod(steps, axis=0)
    first = np.vstack([walk, close[:-1]])
    high, low = np.maximum(first, close) * (1 + steps * 1e-4), np.minimum(first, close) * (1 - steps * 1e-4)
    volume = dice.lognormal(5, 2, (count, width))
    buys = volume * dice.uniform(0.2, 0.8, (count, width))
    held = dice.lognormal(12, 1, width) * np.exp(np.cumsum(dice.normal(0, 1e-3, (count, width)), axis=0))
    hit = dice.random((count, width)) < 0.05
    some = np.where(hit, dice.lognormal(2, 1, (count, width)), np.nan)
    fives = np.where((np.arange(count) % 5 == 0)[:, None], dice.uniform(0.5, 3, (count, width)), np.nan)
    told = {
        "open": first, "high": high, "low": low, "close": close, "volume_base": volume, "volume_usd": volume * close,
        "buy_volume_base": buys, "trades": np.floor(volume), "sell_volume_base": volume - buys, "oi_base": held,
        "oi_usd": held * close, "predicted_rate": dice.normal(1e-4, 1e-5, (count, width)),
        "predicted_interval_hours": np.full((count, width), 8.0), "long_short_ratio": fives,
        "liquidation_price": np.where(hit, close, np.nan), "long_liquidation_base": some,
        "short_liquidation_base": np.where(hit, 0.0, np.nan), "mark_price": close * 1.0001,
    }  # fmt: skip
    begins = round(start.timestamp() * 1e6) + np.arange(count, dtype=np.int64) * 60_000_000
    arrays = [pa.array(np.tile(np.array(series, np.int32), count)), pa.array(np.repeat(begins, width)).cast(store.TIME)]
    arrays += [pa.array(told[name].ravel(), from_pandas=True) for name in MINUTE_COLUMNS]
    fields = [store.WIDE_MINUTE.field(name) for name in ("series_id", "ts", *MINUTE_COLUMNS, "known_at")]
    rows = pa.RecordBatch.from_arrays([*arrays, pa.nulls(count * width, store.TIME)], schema=pa.schema(fields))
    return rows, close[-1]


async def a_minute(db: Database, series: list[int]) -> Line:
    """One minute as it passes: 300 rows stored, against COPY of the same rows, as tuples, into a bare table."""
    dice, walk, found = np.random.default_rng(2), np.full(len(series), 100.0), list[tuple[float, float]]()
    connection = await asyncpg.connect(db.dsn)
    typed = ", ".join(f"{name} float8" for name in MINUTE_COLUMNS)
    await connection.execute(f"create table raw_minute (series_id int, ts timestamptz, {typed}, known_at timestamptz)")
    try:
        for number in range(ROUNDS):
            at = START + (DAYS * MINUTES_A_DAY + number) * MINUTE
            rows, walk = minutes(series, at, 1, dice, walk)
            tuples = [tuple(row.values()) for row in rows.to_pylist()]
            begun = time.perf_counter()
            await connection.copy_records_to_table("raw_minute", records=tuples)
            between = time.perf_counter()
            await store.put(db, "perp_1m", [rows])
            found.append((between - begun, time.perf_counter() - between))
    finally:
        await connection.execute("drop table raw_minute")
        await connection.close()
    raw, ours = (1000 * median(column) for column in zip(*found, strict=True))
    figures = f"{ours:.1f} and {raw:.1f} ms, {len(series)} rows × {len(MINUTE_COLUMNS)} values (wanted: below 200 ms)"
    return Line("a live minute of 300 contracts ÷ raw asyncpg COPY", raw / ours, "for information", figures)


ROWS_PER_PERPSPEC = """
create table perp_data as
select m.ts, i.symbol, x.slug as exchange, left(x.slug, 3) || '-' || k.kind as perpspec,
  case k.kind when 'ohlcv' then m.open end as o, case k.kind when 'ohlcv' then m.high end as h,
  case k.kind when 'ohlcv' then m.low end as l, case k.kind when 'ohlcv' then m.close end as c,
  case k.kind when 'ohlcv' then m.volume_base end as v, case k.kind when 'oi' then m.oi_base end as oi,
  case k.kind when 'pfr' then m.predicted_rate end as pfr, case k.kind when 'lsr' then m.long_short_ratio end as lsr,
  case k.kind when 'tv' then m.buy_volume_base end as tbv, case k.kind when 'tv' then m.sell_volume_base end as tsv,
  case k.kind when 'lq' then m.liquidation_price end as lqprice,
  case k.kind when 'lq' then m.long_liquidation_base + m.short_liquidation_base end as lqqty
from perp_1m m join series s on s.id = m.series_id join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
cross join unnest(array['ohlcv', 'oi', 'pfr', 'lsr', 'tv', 'lq']) as k(kind)
where m.ts >= $1 and m.ts < $2 and case k.kind when 'lsr' then m.long_short_ratio is not null
  when 'lq' then m.liquidation_price is not null else true end
"""
CHANGED = ("c", "v", "oi", "pfr", "lsr", "tbv", "tsv", "lqprice", "lqqty")


async def rows_per_perpspec(db: Database, day: datetime) -> float:
    """One day in the other shape: a row a perpspec, changes stored with it, and the indexes it needs. Its bytes."""
    changes = ", ".join(
        f"100 * ({name} / nullif(lag({name}, {n}) over k, 0) - 1) as {name}_chg_{n}m"
        for name in CHANGED
        for n in (1, 5, 10)
    )
    text = ROWS_PER_PERPSPEC.replace("$1", f"'{day.isoformat()}'").replace("$2", f"'{day + timedelta(days=1)}'")
    for statement in (
        text,
        f"create table perp_metrics as select *, {changes} from perp_data "
        "window k as (partition by symbol, perpspec order by ts)",
        "drop table perp_data",
        "alter table perp_metrics add primary key (ts, symbol, perpspec)",
        "create index on perp_metrics (symbol, ts desc)",
        "create index on perp_metrics (perpspec, ts desc)",
        "create index on perp_metrics (symbol, perpspec, ts desc)",
        "vacuum analyze perp_metrics",
    ):
        await db.reads.execute(statement, timeout=600)
    return float(await db.reads.fetchval("select pg_total_relation_size('perp_metrics')"))
