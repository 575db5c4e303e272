"""Reading open interest: samples as told, the state on a grid, and the sum over perpetuals."""

from datetime import datetime, timedelta

from app.db import Database
from app.services.perps import Perps
from app.services.queries import Query, sql


def history(perps: Perps, start: datetime, end: datetime) -> Query:
    """Samples in `[start, end)`, one row a perpetual and instant."""
    return Query(sql("open_interest", "history"), (perps.entity_id, start, end, *_narrow(perps)), start=1, end=2)


def grid(perps: Perps, first: datetime, last: datetime, step: timedelta, max_age: timedelta) -> Query:
    """The last sample at or before every step from `first` to `last`, not older than `max_age`."""
    arguments = (perps.entity_id, first, last, *_narrow(perps), step, max_age)
    return Query(sql("open_interest", "grid"), arguments)


def total(perps: Perps, first: datetime, last: datetime, step: timedelta, max_age: timedelta) -> Query:
    """The sum over perpetuals at every step, with the exchanges in it and those known before but silent."""
    arguments = (perps.entity_id, first, last, *_narrow(perps), step, max_age)
    return Query(sql("open_interest", "total"), arguments)


async def is_told(db: Database, perps: Perps, start: datetime, end: datetime) -> bool:
    """Whether there is any sample from `start` to `end`, that included."""
    query = history(perps, start, end + timedelta(microseconds=1))
    return await db.reads.fetchval(f"select exists ({query.text})", *query.arguments)


def _narrow(perps: Perps) -> tuple[object, ...]:
    return perps.exchanges, perps.margin, perps.source, perps.known_at
