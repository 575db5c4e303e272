"""What of a store is generated: made up to try things out with (`services.demo`)."""

from app.db import Database

EXCHANGES = "array(select slug from exchange where generated order by slug)"
"""The generated exchanges a store holds, as an expression: what is read beside it is of the same snapshot."""
SOURCES = "select slug from source where generated order by slug"
REAL = """
select exists (
  select from series s
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  where not x.generated)
"""


async def exchanges(db: Database) -> list[str]:
    """The generated exchanges a store holds."""
    return await db.reads.fetchval(f"select {EXCHANGES}")


async def sources(db: Database) -> list[str]:
    """Who told what is generated."""
    return [row["slug"] for row in await db.reads.fetch(SOURCES)]


async def is_beside_real(db: Database) -> bool:
    """Whether there is something of an exchange that exists, too."""
    return await db.reads.fetchval(REAL)
