"""The doors to the database: connections, the one place that commits, and migrations.

Reads go through an asyncpg pool (`Database.reads`), writes through a SQLAlchemy engine inside `writing`.
"""

import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.locks import MIGRATION_LOCK

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SESSION = {"timezone": "UTC", "jit": "off", "application_name": "perpstore"}
LISTED = "select true from pg_available_extensions where name = 'timescaledb'"

LOST = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a driver raises whose connection is gone; the last, where it was told so between two statements."""
DATABASE_ERRORS = (*LOST, SQLAlchemyError, asyncpg.PostgresError)
"""Whatever talking to the database may raise."""
REFUSED_CLASSES = ("22", "23", "42")
"""SQLSTATE of values that do not fit, constraints that are not met, and statements that cannot be."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: `reads` for statements that answer, `engine` for what is written through `writing`."""

    dsn: str
    engine: AsyncEngine
    reads: Pool


def is_gone(error: BaseException) -> bool:
    """Whether the database does not answer just now: whatever it raises that does not refuse what it was told."""
    found = error.orig if isinstance(error, DBAPIError) and error.orig else error
    state = str(getattr(found, "sqlstate", None) or "")
    refused = state.startswith(REFUSED_CLASSES) or isinstance(found, ValueError)  # of drivers: it cannot be sent
    return isinstance(error, DATABASE_ERRORS) and not refused


def plain_dsn(url: str) -> str:
    """Any spelling of a PostgreSQL URL (`postgres://`, `postgresql+asyncpg://`) as drivers take it."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def without_password(dsn: str) -> str:
    """The DSN as it may be shown: no password in it."""
    return re.sub(r"(://[^:/@?]*):[^@]*@", r"\1@", re.sub(r"([?&])password=[^&]*&?", r"\1", dsn))


def _engine(dsn: str, size: int) -> AsyncEngine:
    async def connect() -> Any:
        return await asyncpg.connect(dsn, server_settings=SESSION)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, pool_size=size, pool_pre_ping=True)


async def _as_it_is(connection: Driver) -> None:
    """Reads leave nothing behind: resetting a connection after each would cost as much as a small answer."""


@asynccontextmanager
async def connected(
    url: str, *, read_url: str | None = None, reads: int = 6, writes: int = 4
) -> AsyncGenerator[Database]:
    """An open `Database`, closed at the end. Raises `OSError` or `asyncpg.PostgresError` when nobody answers."""
    dsn = plain_dsn(url)
    engine = _engine(dsn, writes)
    pool = await asyncpg.create_pool(
        plain_dsn(read_url or url),
        min_size=1,
        max_size=reads,
        server_settings=SESSION,
        command_timeout=120,
        reset=_as_it_is,
    )
    try:
        yield Database(dsn, engine, pool)
    finally:
        await pool.close()
        await engine.dispose()


@asynccontextmanager
async def writing(db: Database, *, keep: bool = True) -> AsyncGenerator[AsyncConnection]:
    """One transaction: committed at the end (unless `keep` is false), rolled back when anything raises."""
    async with db.engine.connect() as connection:
        yield connection
        await (connection.commit() if keep else connection.rollback())


async def driver(connection: AsyncConnection) -> Driver:
    """The asyncpg connection under a SQLAlchemy one, in the same transaction: for COPY."""
    raw = await connection.get_raw_connection()
    await connection.execute(text("select 1"))  # begins the transaction the driver joins
    return cast(Driver, raw.driver_connection)


def _migrations() -> Path:
    packaged = Path(__file__).parent / "alembic"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "alembic"


def _run(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_migrations()))
    config.attributes["connection"] = connection
    down = revision == "base" or revision.startswith("-")
    (command.downgrade if down else command.upgrade)(config, revision)


async def migrate(db: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`. Several processes may call it at once: one works, the others wait."""
    await _try_timescale(db)
    async with db.engine.connect() as connection:
        await connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        await connection.commit()
        try:
            await connection.run_sync(_run, revision)
            await connection.commit()
        finally:
            await connection.rollback()
            await connection.execute(text("select pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            await connection.commit()


async def _try_timescale(db: Database) -> None:
    """Enable TimescaleDB where the server has it. Found by trying: what is listed as available may not be loadable."""
    try:
        async with db.engine.begin() as connection:
            if (await connection.execute(text(LISTED))).scalar():
                await connection.execute(text("create extension if not exists timescaledb"))
    except (DBAPIError, ConnectionError, asyncpg.PostgresError) as reason:
        logger.debug("no TimescaleDB: %s", reason)
