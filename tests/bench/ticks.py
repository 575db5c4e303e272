"""Quotes at speed: what storing them costs beside raw COPY, in time, memory and bytes; and many to ask about."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO

import asyncpg
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from app.db import Database, connected
from app.records import Instrument
from app.services import compression, partitions, reference, ticks, tidy
from app.services.store import TIME
from tests.bench.memory import SMALL_PARENT
from tests.bench.report import Line

FACT = "option_tick"
OPTIONS, QUOTES, A_STATEMENT = 1_000, 20_000_000, 500
START, DAYS = datetime(2026, 10, 1, tzinfo=UTC), 2
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BATCH, BATCHES, BOUND_MB = 5_000, 60, 300
SCHEMA = pa.schema(
    {"series_id": pa.int32(), "ts": TIME, **dict.fromkeys(ticks.COLUMNS[FACT][2:-1], pa.float64()), "known_at": TIME}
)
RAW = """
create table raw_quote (like option_tick including defaults);
alter table raw_quote add primary key (series_id, ts)
"""
FILL = """
insert into option_tick (series_id, ts, bid, ask, bid_amount, ask_amount, known_at)
select s.id, at.ts, case when (n + s.nr) % 97 > 0 then q.price end, q.price + 0.0005, 10 + (7 * n + s.nr) % 400,
  10 + (n + 13 * s.nr) % 400, at.ts + interval '40 milliseconds'
from generate_series($2::int, $3::int - 1) n
cross join unnest($1::int[]) with ordinality as s(id, nr)
cross join lateral (
  select date_trunc('milliseconds', $4::timestamptz + (n + (s.nr - 1.0) / cardinality($1))::float8 * $5::interval) as ts
) at
cross join lateral (select round(500 * (1.2 + sin(s.nr + n / 300.0))) / 10000 as price) q
"""
SIZE = "select sum(pg_total_relation_size(relid))::float8 from pg_partition_tree('option_tick')"
CHUNKS_SIZE = "select hypertable_size('option_tick')::float8"
COMPRESS = "select compress_chunk(c) from show_chunks('option_tick') c"


def options(count: int = OPTIONS) -> list[Instrument]:
    """Calls and puts on BTC: so many, of ten expiries after the days of `fill`."""
    found: list[Instrument] = []
    for n in range(count):
        expiry, strike = START + (DAYS + 7 * (n % 10 + 1)) * DAY + 8 * HOUR, 50_000.0 + 1_000 * (n // 20)
        side = "call" if n // 10 % 2 == 0 else "put"
        name = f"BTC-{expiry.day}{expiry:%b%y}-{strike:.0f}-{side[0]}".upper()
        found.append(
            Instrument(name, "BTC", "BTC", "option", "coin", expires_at=expiry, strike=strike, option_type=side)
        )
    return found


async def fill(db: Database, quotes: int = QUOTES) -> list[int]:
    """So many quotes of 1,000 options over two days from `START`, in the order of time, once; the options' series."""
    await reference.put_instruments(db, "deribit", options())
    told = await reference.series_of(db, "deribit", "deribit", ("option",))
    series = [told[one.symbol].id for one in options()]
    if await db.reads.fetchval("select count(*) from option_tick") != quotes:
        await db.reads.execute("truncate option_tick, option_tick_1h, option_tick_late")
        await partitions.make(db, FACT, [START + n * DAY for n in range(DAYS)])
        each = quotes // len(series)
        days = [range(day * each // DAYS, (day + 1) * each // DAYS) for day in range(DAYS)]
        await asyncio.gather(*(_fill(db, series, day, DAYS * DAY / each) for day in days))
        await db.reads.execute("vacuum analyze option_tick", timeout=600)
    return series


async def _fill(db: Database, series: list[int], numbers: range, step: timedelta) -> None:
    for first in range(numbers.start, numbers.stop, A_STATEMENT):
        await db.reads.execute(FILL, series, first, min(first + A_STATEMENT, numbers.stop), START, step)


def _quotes(dice: random.Random, start: datetime) -> list[ticks.Row]:
    """A batch as a collector has it after about a second."""
    found: dict[tuple[int, datetime], ticks.Row] = {}
    for n in range(BATCH):
        series, ts = dice.randrange(OPTIONS), start + timedelta(milliseconds=n // 8)
        bid, amounts = dice.randrange(1, 2_000) / 10_000, (float(dice.randrange(1, 400)), float(dice.randrange(1, 400)))
        found[series, ts] = (series, ts, bid, bid + 0.0005, *amounts, ts + timedelta(milliseconds=40))
    return list(found.values())


def _prepared(rows: list[ticks.Row]) -> bytes:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    encoder = ArrowToPostgresBinaryEncoder(SCHEMA)
    batch = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    return encoder.write_header() + encoder.write_batch(batch) + encoder.finish()


async def _write(dsn: str) -> None:
    """In a process of its own, on one core: the same batches by raw COPY and as we store them, in turns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    dice, begun = random.Random(1), datetime.now(UTC)
    raw = await asyncpg.connect(dsn)
    took, stored = {"raw": list[float](), "ours": list[float]()}, 0
    async with connected(dsn) as db:
        for number in range(BATCHES):
            rows = _quotes(dice, begun + number * timedelta(milliseconds=BATCH // 8))
            prepared = BytesIO(_prepared(rows))
            start = time.perf_counter()
            await raw.copy_to_table("raw_quote", source=prepared, format="binary")
            between = time.perf_counter()
            stored += await ticks.put(db, FACT, rows)
            took["ours"].append(time.perf_counter() - between)
            took["raw"].append(between - start)
    await raw.close()
    print(json.dumps({"stored": stored, "slowest": max(took["ours"]), **{k: sum(v) for k, v in took.items()}}))  # noqa: T201


async def written(db: Database, dsn: str) -> list[Line]:
    """Sustained quotes a second against raw COPY of the same rows, and the memory of the process that writes them."""
    await db.reads.execute(f"drop table if exists raw_quote; {RAW}")
    command = [sys.executable, "-c", SMALL_PARENT, sys.executable, "-m", "tests.bench.ticks", dsn]
    told = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    await db.reads.execute("drop table raw_quote")
    found, peak_kb = map(json.loads, told.stdout.splitlines())
    ours, raw = (found["stored"] / found[name] for name in ("ours", "raw"))
    figures = f"{ours:,.0f} and {raw:,.0f} a second (wanted: 5,000), a batch at most {found['slowest']:.2f} s"
    name = f"quotes stored in batches of {BATCH:,}, 1 core ÷ raw COPY of the same"
    memory = f"{peak_kb / 1024:,.0f} MB, {found['stored']:,} quotes"
    return [
        Line(name, ours / raw, "at least 0.4", figures),
        Line(f"writing quotes: peak memory ÷ {BOUND_MB} MB", peak_kb / 1024 / BOUND_MB, "below 1", memory),
    ]


async def size(db: Database, quotes: int) -> Line:
    """Bytes of a quote with its indexes: as written, with the key made anew when the day is over, compressed."""
    if await db.reads.fetchval(partitions.IS_NATIVE, FACT):
        plain, after = float(await db.reads.fetchval(SIZE)) / quotes, "compressed: not available"
        for day in range(1, DAYS + 1):
            await tidy.finished_days(db, START + day * DAY)
        ends = float(await db.reads.fetchval(SIZE)) / quotes
    else:
        plain = ends = float(await db.reads.fetchval(CHUNKS_SIZE)) / quotes
        after = "compressed: not available"
        if FACT in await compression.ensure(db):
            await db.reads.execute(COMPRESS, timeout=1800)
            ends = float(await db.reads.fetchval(CHUNKS_SIZE)) / quotes
            after = f"compressed: {ends:.1f}"
    figures = f"{plain:.0f} as written; {after}; {quotes:,} quotes of {OPTIONS:,} options"
    return Line("bytes a quote, kept ÷ as written", ends / plain, "for information", f"{ends:.1f} kept, {figures}")


async def measure(db: Database, dsn: str, quotes: int = QUOTES) -> list[Line]:
    """All of this module. The quotes of `fill` stay."""
    lines = await written(db, dsn)
    await fill(db, quotes)
    return [*lines, await size(db, quotes)]


if __name__ == "__main__":
    asyncio.run(_write(sys.argv[1]))
