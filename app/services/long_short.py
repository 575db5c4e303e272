"""Reading the long/short account ratio: as told, the last in each bucket, or the last by an instant."""

from datetime import datetime, timedelta

from app.services.perps import Perps
from app.services.queries import Query, sql

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def buckets(perps: Perps, start: datetime, end: datetime, interval: timedelta) -> Query:
    """The last ratio in each bucket that begins in `[start, end)`; one of a minute is the ratio as it was told."""
    narrow = (perps.exchanges, perps.margin, perps.source, perps.known_at)
    return Query(sql("long_short", "buckets"), (perps.entity_id, start, end, interval, *narrow), start=1, end=2)


def told_by(perps: Perps, moment: datetime) -> Query:
    """The last ratio of a minute that was over at an instant, a day old at the most."""
    narrow = (perps.exchanges, perps.margin, perps.source, perps.known_at)
    return Query(sql("long_short", "newest"), (perps.entity_id, moment - DAY, moment - MINUTE, *narrow))
