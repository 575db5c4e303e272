"""The rollup `coin_1h`: OI-weighted funding of each entity at each full hour, kept equal to what reading would compute.

Every write of facts lowers `coin_1h_ready` to before the earliest of them, in its own transaction; `refresh` raises it
again. Readers use the rollup only up to there, so it is never wrong, only sometimes not used.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database, Driver, driver, writing
from app.services.queries import sql

HOUR = timedelta(hours=1)
FACTS = frozenset({"funding", "open_interest", "perp_1h"})
CHUNK = timedelta(days=30)


async def lower(copy: Driver, fact: str) -> None:
    """Called with staged rows, in the transaction that writes them: what lies after them is to be computed anew."""
    if fact in FACTS:
        await copy.execute(sql("rollup", "lower"))


async def moved(copy: Driver, contracts: Collection[int], left: Collection[int | None]) -> None:
    """Contracts came to entities, of which some had been of those in `left`: the rollups of all are due again."""
    if contracts:
        await copy.execute(sql("importing", "adopted_due"), list(contracts))
        await copy.execute(sql("rollup", "due_again"), [entity for entity in left if entity is not None])


async def refresh(db: Database, *, limit: timedelta | None = None) -> int:
    """Bring the rollup of every entity up to the last full hour. Returns how many rows were computed.

    With a `limit`, entities that are further behind are left to a call without one.
    """
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    due = await db.reads.fetch(sql("rollup", "due"), now, None if limit is None else now - limit)
    return sum([await _refresh(db, row["entity_id"], now) for row in due])


async def _refresh(db: Database, entity: int, now: datetime) -> int:
    """Stretch by stretch, each in a transaction of its own: writers wait for one at the most."""
    done = 0
    while True:
        async with writing(db) as connection:
            start = await _claimed(connection, entity)
            if start is None or start > now:
                return done
            done += await _compute(await driver(connection), entity, start, min(start + CHUNK, now))


async def _claimed(connection: AsyncConnection, entity: int) -> datetime | None:
    """The first hour to compute; the row stays locked, so that a write of facts meanwhile waits and then lowers it."""
    found = await connection.execute(
        text("select ready_to from coin_1h_ready where entity_id = :id for update"), {"id": entity}
    )
    ready_to = found.scalar()
    return None if ready_to is None else ready_to + HOUR


async def _compute(copy: Driver, entity: int, start: datetime, end: datetime) -> int:
    hour, two_hours = HOUR, 2 * HOUR
    await copy.execute("delete from coin_1h where entity_id = $1 and ts >= $2", entity, start)
    done = await copy.execute(
        f"""insert into coin_1h (entity_id, ts, rate, mean, median, min, max, instruments, oi_usd, coverage,
          present, stale, missing)
        select entity_id, time, rate, mean, median, min, max, instruments, oi_usd, coverage, present, stale, missing
        from ({sql("funding_mean", "weighted")}) w""",
        *([entity], start, end, hour, 8.0, "oi", two_hours, None, None, None, None, 0.0, False, False),
    )
    await copy.execute(sql("rollup", "ready"), entity, end)
    return int(done.split()[-1])
