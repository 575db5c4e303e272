"""How much of what is stored: bytes, rows and partitions of each table, how long it is kept, what is compressed."""

from collections.abc import Mapping
from typing import Any, cast

from app.db import Database, Driver
from app.services import partitions

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
KEPT = ("retention_days", "removed_before")
CUT = ("partitions", "first_partition", "last_partition")
COMPRESSED = ("compressed_partitions", "compressed_bytes", "bytes_before_compression")
NOTHING: Mapping[str, Any] = dict.fromkeys((*KEPT, *CUT, *COMPRESSED))


async def tables(db: Database, kept: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each table, the largest first: bytes and rows (as the planner estimates), partitions and indexes included.

    `kept`: for how many days facts are kept. Compressed partitions are TimescaleDB's; None: there is no such thing.
    """
    async with db.reads.acquire() as copy:
        found = {row["table"]: {**row, **NOTHING} for row in await copy.fetch(TABLES)}
        if await copy.fetchval(HAS_TIMESCALE):
            for row in await copy.fetch(HYPERTABLES):
                found[row["table"]].update(dict(row))
        for fact in partitions.SPANS:
            found[fact].update(await _cut(cast(Driver, copy), fact), retention_days=kept.get(fact) or None)
        for row in await copy.fetch(RETENTION):
            found[row["fact"]].update(removed_before=row["removed_before"])
    return sorted(found.values(), key=lambda row: (-row["bytes"], row["table"]))


async def _cut(copy: Driver, fact: str) -> dict[str, Any]:
    there = await partitions.listed(copy, fact)
    ends = {"first_partition": there[0].start, "last_partition": there[-1].start} if there else {}
    return {"partitions": len(there), **ends}
