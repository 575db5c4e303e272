"""What is true of a database right now: versions, sizes, counts. `setup` and `status` both say it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.db import Database

ABOUT = """
select current_setting('server_version') as version,
  (select extversion from pg_extension where extname = 'timescaledb') as timescaledb,
  (select version_num from alembic_version) as schema,
  pg_database_size(current_database()) as bytes
"""
HOW = {"given": "of DATABASE_URL", "joined": "embedded, run by another process", "started": "embedded"}
COUNTS = """
select (select count(*) from entity) as entities,
  (select count(*) from exchange) as exchanges,
  (select count(*) from instrument) as instruments,
  (select count(*) from instrument where active) as instruments_active,
  (select count(*) from series) as series,
  (select count(*) from api_key where revoked_at is null) as keys,
  (select coalesce(sum(count), 0)::bigint from reject) as rejects
"""


async def database(session: "Session") -> dict[str, Any]:
    """Where the database is, how this process came by it, its versions and its size."""
    row = await session.db.reads.fetchrow(ABOUT)
    about = dict(row) if row else {}
    folder = None if session.server.how == "given" else str(session.settings.data_dir.resolve())
    return {"dsn": session.server.named, "how": session.server.how, "folder": folder, **about}


def where(database: Mapping[str, Any]) -> str:
    """Where such a database is, in words."""
    return f"{HOW[database['how']]}: {database['folder'] or database['dsn']}"


async def counts(db: "Database") -> dict[str, int]:
    """How many of everything that is named."""
    row = await db.reads.fetchrow(COUNTS)
    return dict(row) if row else {}
