"""How Alembic reaches the database: over the connection it is given, or over DATABASE_URL from the command line."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text

from app.db import connected
from app.models import Base


def included(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Leave partitions and chunks out of comparisons: they follow their parent."""
    return not (kind == "table" and reflected and compare_to is None and name is not None and "_p2" in name)


def run(connection: Connection) -> None:
    """Run the migrations on an open connection, in one transaction with a lock time limit."""
    connection.execute(text("set lock_timeout = '30s'"))
    context.configure(connection=connection, target_metadata=Base.metadata, include_object=included, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_from_environment() -> None:
    """Migrations asked for by the alembic command itself."""
    async with connected(os.environ["DATABASE_URL"]) as db, db.engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_from_environment())
else:
    run(given)
