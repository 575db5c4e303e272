"""Reading what takers bought and sold: any interval from minutes, or from hours where it is made of whole hours."""

from datetime import datetime, timedelta

from app.services.candles import HOUR
from app.services.perps import Perps
from app.services.queries import Query, sql


def buckets(perps: Perps, start: datetime, end: datetime, interval: timedelta) -> Query:
    """What was traded in each bucket that begins in `[start, end)`; an empty one has no row."""
    name = "from_hours" if interval >= HOUR else "from_minutes"
    narrow = (perps.exchanges, perps.margin, perps.source, perps.known_at)
    return Query(sql("taker_volume", name), (perps.entity_id, start, end, interval, *narrow), start=1, end=2)
