"""Ticks into their tables as they come: appended by COPY where none is there yet, else through a temporary table.

put ── the locks of their days ── what retention removed is left out ── partitions ── COPY, or stage and insert

Writers share the lock of a day: they do not wait for each other, only for who drops its partition (`close`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import cast

import asyncpg
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.db import Database, Driver, driver, writing
from app.locks import WRITE_LOCK
from app.models import Base, TradesComplete
from app.services import partitions
from app.services.partitions import Partition
from app.services.queries import sql

Row = tuple[object, ...]
_Row = tuple[int, datetime, *tuple[object, ...]]
"""What all rows have in common: series and time."""
FACTS = ("option_tick", "option_trade", "depth")
COLUMNS: Mapping[str, tuple[str, ...]] = {fact: tuple(Base.metadata.tables[fact].columns.keys()) for fact in FACTS}
"""What a row of each fact says, in this order; `known_at`, the time of receipt, comes last."""
KEYS = {"option_tick": itemgetter(0, 1), "option_trade": itemgetter(0, 1, 2), "depth": itemgetter(0, 1)}
"""What a row is known by: series, time, and of a trade its number."""
DAY = timedelta(days=1)
LATE = timedelta(minutes=30)
"""A quote stored so long after its time makes its hour due again; what comes earlier is in the next roll-up anyway."""
STAGE = "tick_stage"
SHARED = """
select pg_advisory_xact_lock_shared($1, hashtext($2 || day)) from unnest($3::text[]) day order by day
"""
ALONE = "select pg_advisory_xact_lock($1, hashtext($2 || day)) from unnest($3::text[]) day order by day"
MOMENT = """
select clock_timestamp() as now, (select removed_before from retention where fact = $1) as removed_before
"""
INSERT = "insert into {fact} select * from {stage} on conflict do nothing"


async def put(db: Database, fact: str, rows: Sequence[Row]) -> int:
    """Store rows with the columns of `COLUMNS`. Returns how many are stored that were not there.

    What is stored stays, since there are no revisions: who asks what was known by an instant finds what was. Of quotes
    of one series and millisecond in one call the last is stored; of trades and depths the first. What is of a day that
    retention has removed is not stored. Raises whatever the database raises, and then nothing is stored. Safe beside
    other writers and retention.
    """
    told = _once(fact, cast("Sequence[_Row]", rows))
    if not told:
        return 0
    async with writing(db) as connection:
        copy = await driver(connection)
        await copy.fetch(SHARED, WRITE_LOCK, fact, _words(_days(told)))
        now, removed_before = (await copy.fetch(MOMENT, fact))[0]
        kept = told if removed_before is None else [row for row in told if row[1] >= removed_before]
        return await _put(db, copy, fact, kept, now - LATE) if kept else 0


async def close(copy: Driver, fact: str, part: Partition) -> None:
    """Have who writes rows of these days wait until this transaction ends, and wait for those who do."""
    days = [part.start + n * DAY for n in range(-(-(part.end - part.start) // DAY))]
    await copy.fetch(ALONE, WRITE_LOCK, fact, _words(days))


async def newest_trades(db: Database, series: Collection[int], since: datetime) -> Mapping[int, tuple[int, datetime]]:
    """Number and time of the newest stored trade of each of these series that has any since then."""
    found = await db.reads.fetch(sql("ticks", "newest_trades"), list(series), since)
    return {row["series_id"]: (row["trade_seq"], row["ts"]) for row in found}


async def missing_trades(
    db: Database, series: Collection[int], since: datetime, oldest: datetime
) -> list[tuple[int, int, int, datetime, datetime]]:
    """Holes in the numbers of stored trades that end after `since` and begin after `oldest`: series, first and last
    missing number, and the times of the trades before and after."""
    found = await db.reads.fetch(sql("ticks", "missing_trades"), list(series), since, oldest)
    return [tuple(row.values()) for row in found]


async def complete_until(db: Database, collector: str) -> datetime | None:
    """Until when every trade a collector is for is stored; None where it never told."""
    async with writing(db) as connection:
        return await connection.scalar(select(TradesComplete.until).where(TradesComplete.collector == collector))


async def note_complete(db: Database, collector: str, until: datetime) -> None:
    """Every trade a collector is for is stored until then."""
    statement = insert(TradesComplete).values(collector=collector, until=until)
    upsert = statement.on_conflict_do_update(index_elements=["collector"], set_={"until": statement.excluded.until})
    async with writing(db) as connection:
        await connection.execute(upsert)


def _words(days: Iterable[datetime]) -> list[str]:
    return [f" {day.astimezone(UTC):%Y-%m-%d}" for day in days]


def _days(rows: Iterable[_Row]) -> list[datetime]:
    """The days (UTC) rows are of, the first first."""
    times = [row[1] for row in rows]
    first, last = _midnight(min(times)), _midnight(max(times))
    return [first] if first == last else sorted({_midnight(moment) for moment in times})


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _once(fact: str, rows: Sequence[_Row]) -> list[_Row]:
    """One row of each key, in the order of keys: who writes the same rows at once does not wait crosswise."""
    key = KEYS[fact]
    told = {key(row): row for row in (rows if fact == "option_tick" else reversed(rows))}
    return [told[which] for which in sorted(told)]


async def _put(db: Database, copy: Driver, fact: str, rows: Sequence[_Row], late: datetime) -> int:
    days = _days(rows)
    await partitions.provide(db, copy, fact, [*days, days[-1] + DAY])
    new = await _append(copy, fact, rows)
    if fact == "option_tick":
        await _note_late(copy, [row for row in rows if row[1] < late])
    return new


async def _append(copy: Driver, fact: str, rows: Sequence[_Row]) -> int:
    """How many of the rows are new."""
    try:
        async with copy.transaction():
            await copy.copy_records_to_table(fact, records=rows, columns=COLUMNS[fact])
    except asyncpg.UniqueViolationError:
        return await _merge(copy, fact, rows)
    return len(rows)


async def _merge(copy: Driver, fact: str, rows: Sequence[_Row]) -> int:
    await copy.execute(f"create temporary table {STAGE} (like {fact}) on commit drop")
    await copy.copy_records_to_table(STAGE, records=rows, columns=COLUMNS[fact])
    done = await copy.execute(INSERT.format(fact=fact, stage=STAGE))
    return int(done.split()[-1])


async def _note_late(copy: Driver, rows: Iterable[_Row]) -> None:
    """Hours that may have been rolled up without these quotes are to be rolled up again."""
    hours = {(series, ts.astimezone(UTC).replace(minute=0, second=0, microsecond=0)) for series, ts, *_ in rows}
    if hours:
        await copy.execute(sql("ticks", "note_late"), *map(list, zip(*hours, strict=True)))
