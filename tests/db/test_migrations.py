"""Migrations: up, down and up again, by several processes at once, and equal to the models."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from app.db import Database, connected, migrate
from app.models import Base
from app.services import partitions


async def tables(db: Database) -> set[str]:
    async with db.engine.connect() as connection:
        found = await connection.execute(text("select tablename from pg_tables where schemaname = 'public'"))
        return set(found.scalars())


def difference(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))


async def test_up_down_and_up_again(empty_dsn: str) -> None:
    async with connected(empty_dsn) as db:
        await migrate(db)
        assert set(Base.metadata.tables) <= await tables(db)
        await migrate(db, "base")
        assert await tables(db) <= {"alembic_version"}
        await migrate(db)
        assert set(Base.metadata.tables) <= await tables(db)


async def test_several_at_once(empty_dsn: str) -> None:
    async with connected(empty_dsn) as one, connected(empty_dsn) as two, connected(empty_dsn) as three:
        await migrate(one, "base")
        await asyncio.gather(migrate(one), migrate(two), migrate(three))
        assert set(Base.metadata.tables) <= await tables(one)


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
async def test_models_equal_migrations(database: Database, table: str) -> None:
    async with database.engine.connect() as connection:
        found = await connection.run_sync(difference)
    assert not [change for change in found if f"'{table}'" in repr(change)]


async def test_tables_of_the_minute_are_cut_by_time(database: Database) -> None:
    """Hypertables where the server has TimescaleDB, native partitions elsewhere."""
    timescale = await database.reads.fetchval("select true from pg_extension where extname = 'timescaledb'")
    if timescale:
        found = await database.reads.fetch("select hypertable_name from timescaledb_information.hypertables")
    else:
        found = await database.reads.fetch("select relname from pg_class where relkind = 'p'")
    assert {row[0] for row in found} == set(partitions.SPANS)
