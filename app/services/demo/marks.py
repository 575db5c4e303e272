"""What of a store is generated."""

import asyncpg

from app.db import Database

EXCHANGES = "select slug from exchange where generated order by slug"
SOURCES = "select slug from source where generated order by slug"
OTHERS = """
select not exists (select from series s join instrument i on i.id = s.instrument_id join exchange x on x.id = i.exchange_id
  where not x.generated)"""


async def exchanges(db: Database) -> list[str]:
    """The generated exchanges a store holds."""
    return _slugs(await db.reads.fetch(EXCHANGES))


async def sources(db: Database) -> list[str]:
    """Who told what is generated."""
    return _slugs(await db.reads.fetch(SOURCES))


async def is_alone(db: Database) -> bool:
    """Whether nothing is told of an exchange that exists."""
    return await db.reads.fetchval(OTHERS)


def _slugs(rows: list[asyncpg.Record]) -> list[str]:
    return [row["slug"] for row in rows]
