"""Reading candles: any interval from minutes, or from hours where it is made of whole hours."""

from datetime import UTC, datetime, timedelta

from app.services.perps import Perps
from app.services.queries import Query, sql

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def candles(perps: Perps, start: datetime, end: datetime, interval: timedelta) -> Query:
    """Candles that open in `[start, end)`; one with missing parts is not complete, an empty one has no row."""
    name = "from_hours" if interval >= HOUR else "from_minutes"
    narrow = (perps.exchanges, perps.margin, perps.source, perps.known_at)
    return Query(sql("candles", name), (perps.entity_id, start, end, interval, *narrow), start=1, end=2)


def closed_by(perps: Perps, moment: datetime, interval: timedelta) -> Query:
    """The candle that closed last at or before an instant: a later one was not known then."""
    opened = EPOCH + (moment - EPOCH) // interval * interval - interval
    found = candles(perps, opened, opened + timedelta(microseconds=1), interval)
    return Query(found.text, found.arguments)
