"""Taking out all that is generated, whether or not all of it came in."""

from collections.abc import Sequence

from app.db import Database, Driver, driver, writing
from app.locks import LEDGER_LOCK, MAKING_LOCK
from app.models import Base
from app.services import generated, merge, partitions, rollup
from app.services.queries import sql

OF_METRICS = "metric_value"
TOLD = tuple(table.name for table in reversed(Base.metadata.sorted_tables) if "series_id" in table.columns)
"""Every table with rows of a series."""
SERIES = """
select s.id, i.id as instrument_id, i.entity_id
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
where x.generated or o.generated
"""
METRICS = """
select s.id from metric_series s join metric m on m.id = s.metric_id left join exchange x on x.id = s.exchange_id
where x.generated or m.source in (select slug from source where generated)
"""
EVENTS = """
delete from live_event
where exists (select from jsonb_array_elements(rows) told where (told->>'series_id')::int = any($1::int[]))
"""
LISTED = "select i.id from instrument i join exchange x on x.id = i.exchange_id where x.generated"
REFERENCE = (
    "delete from metric_series where id = any($2::int[])",
    "delete from metric where source in (select slug from source where generated)",
    "delete from series where id = any($1::int[])",
    f"delete from instrument_fact where instrument_id in ({LISTED})",
    f"delete from source_product where instrument_id in ({LISTED})",
    f"delete from instrument where id in ({LISTED})",
    "delete from source_exchange where exchange_id in (select id from exchange where generated)",
    "delete from perpspec where exchange in (select slug from exchange where generated)",
    "delete from reject where source in (select slug from source where generated)",
    "delete from pull where source in (select slug from source where generated)",
    "delete from exchange where generated",
    "delete from source where generated",
)
"""What facts are of, after them; each says only what it needs of the ids of series (`$1`) and of metrics' (`$2`)."""


async def remove(db: Database) -> list[str]:
    """Make a store as if nothing generated had ever been in it; returns the exchanges that were.

    All in one transaction; other writers wait. The rollup is computed anew after it.
    """
    found = await generated.exchanges(db)
    if found or await generated.sources(db):
        async with writing(db) as connection:
            copy = await driver(connection)
            await _lock(copy)
            await _remove(copy)
        await rollup.refresh(db)
    return found


async def _lock(copy: Driver) -> None:
    """All writers, in the order they go by."""
    for fact in sorted(merge.FACTS):
        await merge.lock(copy, fact)
    for key in (MAKING_LOCK, LEDGER_LOCK):
        await copy.execute("select pg_advisory_xact_lock($1)", key)


async def _remove(copy: Driver) -> None:
    told = await copy.fetch(SERIES)
    series, metrics = [row["id"] for row in told], [row["id"] for row in await copy.fetch(METRICS)]
    entities = sorted({row["entity_id"] for row in told if row["entity_id"] is not None})
    await copy.execute(EVENTS, series)
    for table in TOLD:
        await _empty(copy, table, series, metrics)
    for statement in REFERENCE:
        arguments = [ids for place, ids in (("$1", series), ("$2", metrics)) if place in statement]
        await copy.execute(statement.replace("$2", "$1"), *arguments)
    await copy.execute(sql("rollup", "due_again"), entities)
    await copy.execute(sql("batches", "rollup_begins"), entities)


async def _empty(copy: Driver, table: str, series: Sequence[int], metrics: Sequence[int]) -> None:
    """What was told of these series out of a table; ids of metrics' series are numbers of their own."""
    if table == OF_METRICS:
        await copy.execute(f"delete from {table} where series_id = any($1::int[])", metrics)
        return
    await _unpack(copy, table, series)
    if "fact" not in Base.metadata.tables[table].columns:
        await copy.execute(f"delete from {table} where series_id = any($1::int[])", series)
        return
    for is_metric, ids in ((False, series), (True, metrics)):
        await copy.execute(
            f"delete from {table} where series_id = any($1::int[]) and (fact = '{OF_METRICS}') = $2", ids, is_metric
        )


async def _unpack(copy: Driver, table: str, series: Sequence[int]) -> None:
    """Compressed days of a table that hold any of it are made plain first."""
    if table in partitions.SPANS:
        await copy.execute(merge.TOUCHED)
        await copy.execute(
            f"""insert into touched
            select series_id, min(ts), max(ts) from {table} where series_id = any($1::int[]) group by series_id""",
            series,
        )
        await partitions.unpack(copy, table)
        await copy.execute("drop table touched")
