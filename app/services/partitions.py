"""Room for facts of any time: native range partitions, made before they are needed. Hypertables make their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database, Driver, writing
from app.locks import PARTITION_LOCK

Span = Literal["day", "month"]
SPANS: dict[str, Span] = {
    "perp_1m": "day",
    "liquidation": "day",
    "option_tick": "day",
    "option_trade": "day",
    "depth": "day",
    "option_1m": "day",
    "greeks": "day",
    "index_price": "day",
    "perp_1h": "month",
    "open_interest": "month",
    "predicted_funding": "month",
}
THERE = """
select (select relkind <> 'p' from pg_class where oid = to_regclass($2)) or bool_and(to_regclass(name) is not null)
from unnest($1::text[]) name
"""
NAMES = {"day": "%Y%m%d", "month": "%Y%m"}
IS_NATIVE = "select relkind = 'p' from pg_class where oid = to_regclass($1)"
NATIVE = """
select inhrelid::regclass::text as name, pg_total_relation_size(inhrelid) as bytes
from pg_inherits where inhparent = to_regclass($1) order by 1
"""
CHUNKS = """
select format('%I.%I', c.chunk_schema, c.chunk_name) as name, c.range_start, c.range_end, s.total_bytes as bytes
from timescaledb_information.chunks c
left join chunks_detailed_size($1::text::regclass) s using (chunk_schema, chunk_name)
where c.hypertable_schema = current_schema and c.hypertable_name = $1 order by c.range_start
"""
DROP_CHUNKS = "select drop_chunks($1::text::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)"
HAS_CHUNKS = "select to_regclass('timescaledb_information.chunks') is not null"
UNPACK = """
select decompress_chunk(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass, true)
from timescaledb_information.chunks c
where c.hypertable_schema = current_schema and c.hypertable_name = $1 and c.is_compressed
  and exists (select from touched t where t.first < c.range_end and t.last >= c.range_start)
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows of a fact in `[start, end)`: the table they are in, and its bytes with those of its indexes."""

    table: str
    start: datetime
    end: datetime
    bytes: int


def starts(fact: str, days: Iterable[datetime]) -> set[datetime]:
    """The starts of the partitions that hold these days (UTC). Empty for a table that is not partitioned."""
    span = SPANS.get(fact)
    if span is None:
        return set()
    return {day.replace(day=1) if span == "month" else day for day in days}


def _end(span: Span, start: datetime) -> datetime:
    if span == "day":
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


async def _is_partitioned(connection: AsyncConnection, fact: str) -> bool:
    found = await connection.execute(
        text("select relkind = 'p' from pg_class where oid = to_regclass(:t)"), {"t": fact}
    )
    return bool(found.scalar())


async def _existing(connection: AsyncConnection, fact: str) -> set[str]:
    rows = await connection.execute(
        text("select inhrelid::regclass::text from pg_inherits where inhparent = to_regclass(:t)"), {"t": fact}
    )
    return set(rows.scalars())


def _wanted(fact: str, days: Iterable[datetime]) -> dict[str, datetime]:
    return {f"{fact}_p{start.strftime(NAMES[SPANS[fact]])}": start for start in starts(fact, days)}


async def listed(copy: Driver, fact: str) -> list[Partition]:
    """The partitions (or chunks) of a fact, the oldest first. Those whose name is not of ours are left out."""
    if not await copy.fetchval(IS_NATIVE, fact):
        rows = await copy.fetch(CHUNKS, fact)
        return [Partition(row["name"], row["range_start"], row["range_end"], row["bytes"] or 0) for row in rows]
    found = [(row, _start(fact, row["name"])) for row in await copy.fetch(NATIVE, fact)]
    return [Partition(row["name"], start, _end(SPANS[fact], start), row["bytes"]) for row, start in found if start]


def _start(fact: str, name: str) -> datetime | None:
    """What the name of a partition says."""
    try:
        return datetime.strptime(name, f"{fact}_p{NAMES[SPANS[fact]]}").replace(tzinfo=UTC)
    except ValueError:
        return None


async def drop(copy: Driver, fact: str, gone: Partition) -> None:
    """Drop one with all its rows. Waits for readers of the fact, who wait for it meanwhile: set a `lock_timeout`."""
    if await copy.fetchval(IS_NATIVE, fact):
        await copy.execute(f"drop table {gone.table}")
    else:
        await copy.execute(DROP_CHUNKS, fact, gone.end, gone.start)


async def provide(db: Database, copy: Driver, fact: str, days: Iterable[datetime]) -> None:
    """See to it that these days have their partitions. Call it under the writers' lock, as retention drops them."""
    wanted = list(_wanted(fact, days))
    if wanted and not await copy.fetchval(THERE, wanted, fact):
        await make(db, fact, days)


async def unpack(copy: Driver, fact: str) -> None:
    """Decompress the chunks that hold rows in the spans of `touched`; they are compressed again by their policy.

    A statement that reads compressed rows and changes them too finds none: TimescaleDB unpacks them under its feet.
    """
    if fact in SPANS and await copy.fetchval(HAS_CHUNKS):
        await copy.fetch(UNPACK, fact)


async def make(db: Database, fact: str, days: Iterable[datetime]) -> None:
    """Make the partitions of `fact` that these days need and that are not there. Safe beside other processes."""
    wanted = _wanted(fact, days)
    if not wanted:
        return
    async with writing(db) as connection:
        if not await _is_partitioned(connection, fact) or not wanted.keys() - await _existing(connection, fact):
            return
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
        for name in sorted(wanted.keys() - await _existing(connection, fact)):
            await _attach(connection, fact, name, wanted[name])


async def _attach(connection: AsyncConnection, fact: str, name: str, start: datetime) -> None:
    """Made apart and attached: unlike `create … partition of`, this does not wait for readers of the parent."""
    first, last = start.astimezone(UTC).isoformat(), _end(SPANS[fact], start).astimezone(UTC).isoformat()
    await connection.execute(text(f"create table {name} (like {fact} including defaults including constraints)"))
    await connection.execute(
        text(f"alter table {fact} attach partition {name} for values from ('{first}') to ('{last}')")
    )
