"""The rollup `option_tick_1h`: best bids and asks of each hour as candles, kept when their quotes are removed.

The newest hour that is rolled up, the one before it and all since are computed anew each time; of earlier hours those
of which quotes were stored later than that, which `ticks.put` notes beside them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from app.db import Database, Driver, driver, writing
from app.services import partitions
from app.services.queries import sql

FACT = "option_tick"
HOUR = timedelta(hours=1)
LATE = "delete from option_tick_late where ts <= $1 returning series_id, ts"


async def refresh(db: Database, until: datetime) -> int:
    """Bring all hours that began by `until` up to date. Returns how many hours of series changed.

    Hour by hour, each in a transaction of its own. Safe beside writers, retention and other processes. Raises whatever
    the database raises.
    """
    changed, hour = 0, await _first(db)
    while hour is not None and hour <= until:
        changed += await _of_hour(db, hour)
        hour += HOUR
    return changed + await _late(db, until)


async def _late(db: Database, until: datetime) -> int:
    """After all hours in their order, as the newest of them tells where to go on. What is noted meanwhile waits."""
    async with writing(db) as connection:
        copy = await driver(connection)
        return await _roll_up(copy, {(row["series_id"], row["ts"]) for row in await copy.fetch(LATE, until)})


async def _first(db: Database) -> datetime | None:
    """The hour before the newest that there is, else the first of all quotes; None where there are none."""
    async with writing(db) as connection:
        copy = await driver(connection)
        newest: datetime | None = await copy.fetchval("select max(ts) from option_tick_1h")
        if newest is not None:
            return newest - HOUR
        return next((part.start.astimezone(UTC) for part in await partitions.listed(copy, FACT)), None)


async def _of_hour(db: Database, hour: datetime) -> int:
    async with writing(db) as connection:
        copy = await driver(connection)
        return await _roll_up(copy, {(row["id"], hour) for row in await copy.fetch(sql("ticks", "quoting"), hour)})


async def _roll_up(copy: Driver, hours: Iterable[tuple[int, datetime]]) -> int:
    wanted = sorted(hours)
    series, times = [series for series, _ in wanted], [hour for _, hour in wanted]
    done = await copy.execute(sql("ticks", "roll_up"), series, times)
    return int(done.split()[-1])
