"""What the ingest engine has to know and say of the store beside facts: where they begin, what is gone, who leads."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import Literal

import asyncpg
from sqlalchemy import func, select, update

from app.db import DATABASE_ERRORS, SESSION, Database, Driver, writing
from app.locks import LEAD_LOCK, TICKS_LOCK
from app.models import Exchange, Instrument
from app.records import Kind
from app.services.latest import LATEST
from app.services.store import SCHEMAS

ALIVE_EVERY, ALIVE_WITHIN = 15.0, 10.0
"""Seconds from one question to the next whether a lock is still held, and for its answer."""

logger = logging.getLogger(__name__)


async def last_times(
    db: Database, source: str, fact: str, kinds: Collection[Kind], since: datetime
) -> dict[str, datetime]:
    """The newest stored time of each instrument of these kinds that the source tells of, by native symbol.

    Of facts of which `latest` does not keep the newest: only if that is not before `since`.
    """
    if fact not in LATEST:
        return await _edges(db, source, fact, kinds, since, "desc")
    rows = await db.reads.fetch(
        f"""select i.symbol, l.{LATEST[fact].time} as ts
        from latest l join series s on s.id = l.series_id join source o on o.id = s.source_id
        join instrument i on i.id = s.instrument_id
        where o.slug = $1 and i.kind = any($2::text[]) and l.{LATEST[fact].time} is not null""",  # noqa: S608 - one of our own columns
        source,
        list(kinds),
    )
    return {row["symbol"]: row["ts"] for row in rows}


async def first_times(
    db: Database, source: str, fact: str, kinds: Collection[Kind], since: datetime
) -> dict[str, datetime]:
    """The first stored time at or after `since` of each of these instruments, by native symbol."""
    return await _edges(db, source, fact, kinds, since, "asc")


async def _edges(
    db: Database, source: str, fact: str, kinds: Collection[Kind], since: datetime, order: Literal["asc", "desc"]
) -> dict[str, datetime]:
    """The first or last stored time at or after `since` of each instrument that may have one. Raises KeyError."""
    if fact not in SCHEMAS:
        raise KeyError(fact)
    rows = await db.reads.fetch(
        f"""select i.symbol, f.ts
        from series s join source o on o.id = s.source_id join instrument i on i.id = s.instrument_id,
        lateral (select ts from {fact} where series_id = s.id and ts >= $3 order by ts {order} limit 1) f
        where o.slug = $1 and i.kind = any($2::text[])""",  # noqa: S608 - one of our own tables
        source,
        list(kinds),
        since,
    )
    return {row["symbol"]: row["ts"] for row in rows}


async def retire(db: Database, exchange: str, symbols: Collection[str]) -> None:
    """Contracts that their exchange does not list any more are not active. Since when, only their expiry says."""
    if not symbols:
        return
    its_own = select(Exchange.id).where(Exchange.slug == exchange).scalar_subquery()
    gone = update(Instrument).where(Instrument.exchange_id == its_own, Instrument.symbol.in_(symbols))
    since = func.coalesce(Instrument.delisted_at, Instrument.expires_at)
    async with writing(db) as connection:
        await connection.execute(gone.values(active=False, delisted_at=since))


@asynccontextmanager
async def leading(db: Database) -> AsyncGenerator[asyncio.Event | None]:
    """To be the one of several processes on a database who schedules: an event that is set when that is lost.

    None: another one is. Raises `OSError` or `asyncpg.PostgresError` when the database does not answer.
    """
    async with _holding(db, "select pg_try_advisory_lock($1)", LEAD_LOCK) as lost:
        yield lost


@asynccontextmanager
async def collecting_ticks(db: Database, of: str) -> AsyncGenerator[asyncio.Event | None]:
    """To be the one who collects the ticks of a source and currency (`deribit:BTC`): as `leading`."""
    async with _holding(db, "select pg_try_advisory_lock($1, hashtext($2))", TICKS_LOCK, of) as lost:
        yield lost


@asynccontextmanager
async def _holding(db: Database, attempt: str, *lock: object) -> AsyncGenerator[asyncio.Event | None]:
    """A lock for as long as its connection lives: an event that is set when it is lost; None where another has it."""
    lost = asyncio.Event()
    connection = await asyncpg.connect(db.dsn, server_settings=SESSION)
    try:
        connection.add_termination_listener(lambda _: lost.set())
        mine = await connection.fetchval(attempt, *lock)
        async with _watched(connection, lost) if mine else nullcontext():
            yield lost if mine else None
    finally:
        if lost.is_set():
            connection.terminate()
        else:
            await connection.close(timeout=2)


@asynccontextmanager
async def _watched(connection: Driver, lost: asyncio.Event) -> AsyncGenerator[None]:
    watch = asyncio.create_task(_watch(connection, lost))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait([watch])


async def _watch(connection: Driver, lost: asyncio.Event) -> None:
    """Ask whether the server is still there: it frees the lock of a connection that died, and nobody tells us."""
    while not lost.is_set():
        await asyncio.sleep(ALIVE_EVERY)
        try:
            await connection.fetchval("select 1", timeout=ALIVE_WITHIN)
        except DATABASE_ERRORS as error:
            logger.warning("a lock is lost, its connection does not answer: %s", type(error).__name__)
            lost.set()
