"""Retention: whole partitions that are older than a fact is kept are dropped, and it is noted what is gone.

apply ── of each fact, the oldest first ── archive.written ── revisions, removed_before, the partition: one transaction

Writers wait for the last step only: what they tell while the archive is being written has it written anew.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pyarrow as pa

from app.db import Database, Driver, driver, writing
from app.locks import RETENTION_LOCK
from app.services import archive, error_log, merge, partitions, ticks
from app.services.partitions import Partition

LOCK_TIMEOUT = "300ms"
"""How long a drop waits for who reads; who comes to read meanwhile waits behind it."""
TRIES, PAUSE_SECONDS = 5, 1.0
BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
NO_ARCHIVE = (OSError, pa.ArrowException)
MINE = "select pg_try_advisory_xact_lock($1, hashtext($2))"
ROWS = """
select count(*) as rows, sum(hash_record_extended(f.*, 0)) as said from {fact} f where f.ts >= $1 and f.ts < $2
"""
"""What all rows of a partition say. The newest `known_at` would not do: an import may bring an older one."""
FORGET_REVISIONS = """
delete from revision r using series s where r.fact = $1 and r.series_id = s.id and r.ts < $2
"""
NOTE = """
insert into retention as r (fact, removed_before) values ($1, $2)
on conflict (fact) do update set removed_before = greatest(r.removed_before, excluded.removed_before)
"""

logger = logging.getLogger(__name__)


class Changed(Exception):
    """A partition has been written to since it was read for the archive."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention dropped of a fact: partitions, and the bytes they had."""

    fact: str
    partitions: int = 0
    bytes: int = 0

    def and_of(self, gone: Partition) -> "Removed":
        """With one more."""
        return Removed(self.fact, self.partitions + 1, self.bytes + gone.bytes)


async def apply(db: Database, kept: Mapping[str, int], now: datetime, folder: Path | None = None) -> list[Removed]:
    """Drop every partition that ended `kept[fact]` days before `now` or earlier; 0 days: nothing of that fact.

    Its revisions go with it, and `removed_before` moves on. With `folder`, a partition is first written there as
    Parquet (`services.archive`); where that fails it stays, as do all later ones of its fact, until the next time. So
    it does where readers leave no moment to drop it. Safe beside other processes: of each fact one at a time is at it.
    Raises whatever the database raises.
    """
    return [await _of_fact(db, fact, now - timedelta(days=days), folder) for fact, days in kept.items() if days]


async def _of_fact(db: Database, fact: str, cutoff: datetime, folder: Path | None) -> Removed:
    removed = Removed(fact)
    try:
        while gone := await _oldest(db, fact, cutoff, folder):
            removed = removed.and_of(gone)
    except (*BUSY, Changed):
        logger.warning("retention of %s: it is in use all the time; it is tried again later", fact)
    except ConnectionError:
        raise
    except NO_ARCHIVE as error:
        told = f"not archived, so it is kept: {error}"
        logger.error("retention of %s: %s", fact, told)
        await error_log.note_error(db, "retention", "archive_failed", told, dataset=fact)
    if removed.partitions:
        logger.info("retention of %s: %d partitions, %d bytes dropped", fact, removed.partitions, removed.bytes)
    return removed


async def _oldest(db: Database, fact: str, cutoff: datetime, folder: Path | None) -> Partition | None:
    """Drop the oldest partition that is due, in a transaction of its own; None where none is, or another drops it."""
    async with writing(db) as connection:
        copy = await driver(connection)
        if not await copy.fetchval(MINE, RETENTION_LOCK, fact):
            return None
        due = next((one for one in await partitions.listed(copy, fact) if one.end <= cutoff), None)
        if due is None:
            return None
        await copy.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
        await (_archive(copy, fact, due, folder) if folder else _drop(copy, fact, due))
    return due


async def _archive(copy: Driver, fact: str, due: Partition, folder: Path) -> None:
    """Archive and drop; a few times, where somebody writes to it meanwhile. Raises Changed where they always do."""
    for left in reversed(range(TRIES)):
        try:
            rows = await _rows(copy, fact, due)
            async with archive.written(copy, fact, due, folder):
                await _drop(copy, fact, due, rows)
            return
        except Changed:
            if not left:
                raise


async def _rows(copy: Driver, fact: str, part: Partition) -> asyncpg.Record | None:
    return await copy.fetchrow(ROWS.format(fact=fact), part.start, part.end)


async def _drop(copy: Driver, fact: str, due: Partition, archived: asyncpg.Record | None = None) -> None:
    """Try a few times: each waits only briefly, since who comes to read meanwhile has to wait as well.

    Raises Changed where its rows are not those `archived`.
    """
    for left in reversed(range(TRIES)):
        try:
            async with copy.transaction():
                await _lock(copy, fact, due)
                if archived is not None and await _rows(copy, fact, due) != archived:
                    raise Changed
                await copy.execute(FORGET_REVISIONS, fact, due.end)
                await copy.execute(NOTE, fact, due.end)
                await partitions.drop(copy, fact, due)
                return
        except BUSY:
            if not left:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


async def _lock(copy: Driver, fact: str, due: Partition) -> None:
    """Writers wait until its transaction ends: of ticks those alone who write to this partition."""
    if fact in ticks.FACTS:
        await ticks.close(copy, fact, due)
    else:
        await merge.lock(copy, fact)


async def removed_before(db: Database, *facts: str) -> datetime | None:
    """Before when rows of all these facts were removed; None: of one of them none were."""
    return await db.reads.fetchval(
        """select case when count(*) = cardinality($1::text[]) then min(removed_before) end
        from retention where fact = any($1)""",
        facts,
    )
