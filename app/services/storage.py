"""How much of what is stored: bytes, rows and partitions of each table, how fast it grows, how long it is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from app.db import Database
from app.services import growth, partitions
from app.services.growth import Forecast, settled
from app.services.queries import sql

TABLES = """
select t.relname as table,
  sum(nullif(part.reltuples, -1)) filter (where part.relkind <> 'p')::bigint as rows_estimated,
  sum(pg_total_relation_size(part.oid))::bigint as bytes, sum(pg_indexes_size(part.oid))::bigint as index_bytes
from pg_class t
join pg_class part on part.oid = t.oid or part.oid in (select inhrelid from pg_inherits where inhparent = t.oid)
where t.relnamespace = current_schema()::regnamespace and t.relkind in ('r', 'p') and not t.relispartition
group by t.relname
order by bytes desc, t.relname
"""
HAS_TIMESCALE = "select exists (select from pg_extension where extname = 'timescaledb')"
HYPERTABLES = """
select t.name as table, approximate_row_count(t.name::regclass) as rows_estimated, s.total_bytes as bytes,
  s.index_bytes,
  nullif(c.number_compressed_chunks, 0) as compressed_partitions, c.after_compression_total_bytes as compressed_bytes,
  c.before_compression_total_bytes as bytes_before_compression
from (
  select hypertable_name::text as name from timescaledb_information.hypertables
  where hypertable_schema = current_schema
) t
cross join lateral hypertable_detailed_size(t.name::regclass) s
left join lateral hypertable_compression_stats(t.name::regclass) c on true
"""
RETENTION = "select fact, removed_before from retention"
DATABASE_BYTES = "select pg_database_size(current_database())"
KEPT = ("retention_days", "removed_before")
CUT = ("partitions", "first_partition", "last_partition", "bytes_per_day", "settles_at_bytes")
COMPRESSED = ("compressed_partitions", "compressed_bytes", "bytes_before_compression")
NOTHING: Mapping[str, Any] = dict.fromkeys((*KEPT, *CUT, *COMPRESSED))


async def tables(db: Database, kept: Mapping[str, int], now: datetime) -> list[dict[str, Any]]:
    """Each table, the largest first: bytes and rows (as the planner estimates), partitions and indexes included.

    `kept`: for how many days facts are kept. Bytes a day are of the days that have ended by `now`. Compressed
    partitions are TimescaleDB's; None: there is no such thing.
    """
    async with db.reads.acquire() as copy:
        found = {row["table"]: {**row, **NOTHING} for row in await copy.fetch(TABLES)}
        if await copy.fetchval(HAS_TIMESCALE):
            for row in await copy.fetch(HYPERTABLES):
                found[row["table"]].update(dict(row))
        for fact in partitions.SPANS:
            found[fact].update(retention_days=kept.get(fact) or None)
        for row in await copy.fetch(sql("storage", "partitions"), now):
            cut = {name: row[name] for name in CUT if name in row}
            most = settled(row["bytes_per_day"], kept.get(row["table"]), row["span_days"])
            found[row["table"]].update(cut, settles_at_bytes=most)
        for row in await copy.fetch(RETENTION):
            found[row["fact"]].update(removed_before=row["removed_before"])
    return sorted(found.values(), key=lambda row: (-row["bytes"], row["table"]))


async def forecast(db: Database, found: Sequence[Mapping[str, Any]], folder: Path | None) -> Forecast:
    """How long the disk lasts on which `folder` and the database are (None: nobody said), by `tables` as found."""
    return growth.forecast(found, await db.reads.fetchval(DATABASE_BYTES), growth.disk_of(folder))
