"""Indexes of days that are over, made anew: rows come in the order of time, which leaves a key by series half empty.

Measured on a day of 300 series, 432,000 rows: 18.3 MB before, 13.7 MB after, in about a second.
"""

import logging
from datetime import datetime, timedelta

import asyncpg

from app.db import SESSION, Database, Driver
from app.locks import TIDY_LOCK
from app.services import partitions

FACTS = tuple(fact for fact, span in partitions.SPANS.items() if span == "day")
RECENT = timedelta(days=2)
TIDIED = "made anew when its day was over"
LOCK_TIMEOUT = "10s"
"""How long one waits for those who read or write the day; others can do so meanwhile."""
NOT_TIDIED = """
select i.indexrelid::regclass::text as name
from pg_index i
where i.indrelid = any($1::text[]::regclass[]) and i.indisprimary
  and obj_description(i.indexrelid, 'pg_class') is distinct from $2
order by 1
"""
LEFT_OVER = r"""
select i.indexrelid::regclass::text as name
from pg_inherits h join pg_index i on i.indrelid = h.inhrelid join pg_class c on c.oid = i.indexrelid
where h.inhparent = any($1::text[]::regclass[]) and not i.indisvalid and c.relname ~ '_cc(new|old)\d*$'
"""

logger = logging.getLogger(__name__)


async def finished_days(db: Database, now: datetime) -> list[str]:
    """Make the key indexes of days that ended in the two days before `now` anew, one at a time; their names.

    Readers and writers go on meanwhile. Each is done once, which is noted in its comment; one that is in use all the
    time stays as it is until the next time. Chunks of TimescaleDB are left to their compression. Safe beside other
    processes: one at a time is at it. Raises OSError where the database does not answer.
    """
    connection = await asyncpg.connect(db.dsn, server_settings=SESSION)
    try:
        return await _tidy(connection, now)
    except asyncpg.PostgresError as error:
        logger.warning("indexes of finished days are left as they are: %s", error)
        return []
    finally:
        await connection.close(timeout=2)


async def _tidy(connection: Driver, now: datetime) -> list[str]:
    if not await connection.fetchval("select pg_try_advisory_lock($1)", TIDY_LOCK):
        return []
    await _sweep(connection)
    return [name for fact in FACTS for name in await _of_fact(connection, fact, now)]


async def _of_fact(connection: Driver, fact: str, now: datetime) -> list[str]:
    if not await connection.fetchval(partitions.IS_NATIVE, fact):
        return []
    over = [one.table for one in await partitions.listed(connection, fact) if now - RECENT < one.end <= now]
    names = [row["name"] for row in await connection.fetch(NOT_TIDIED, over, TIDIED)]
    return [name for name in names if await _anew(connection, name)]


async def _anew(connection: Driver, index: str) -> bool:
    """In no transaction: it takes several of its own. Whether it could be done."""
    try:
        await connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        await connection.execute(f"reindex index concurrently {index}")
        await connection.execute(f"comment on index {index} is '{TIDIED}'")
    except asyncpg.PostgresError as error:
        logger.warning("%s is not made anew, it is tried again later: %s", index, error)
        await _sweep(connection)
        return False
    return True


async def _sweep(connection: Driver) -> None:
    """Drop what was left of one that did not come to its end, be it of a process that is gone: nobody reads it.

    However long it has to wait for who reads or writes the day: nobody waits for it.
    """
    await connection.execute("set lock_timeout = 0")
    for row in await connection.fetch(LEFT_OVER, FACTS):
        await connection.execute(f"drop index concurrently if exists {row['name']}")
