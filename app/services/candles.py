"""Reading candles: any interval from minutes, or from hours where it is made of whole hours. And their wicks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Template

from app.services.perps import Perps
from app.services.queries import Query, sql

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WICKS = Template("""
select c.*, w.side, w.percent as wick_pct
from ($candles) c
cross join lateral (select high::numeric, low::numeric, greatest(open, close)::numeric, least(open, close)::numeric)
  as p(high, low, top, bottom)
cross join lateral (values
  ('upper', (100 * (p.high - p.top) / nullif(p.top, 0))::float8, $upper::float8),
  ('lower', (100 * (p.bottom - p.low) / nullif(p.bottom, 0))::float8, $lower::float8)) as w(side, percent, least)
where w.percent >= w.least
""")
"""Exact numbers: in floats a high of 10.2 over a close of 10 is 1.99999999999999 percent. Compared is what is shown."""


def candles(perps: Perps, start: datetime, end: datetime, interval: timedelta) -> Query:
    """Candles that open in `[start, end)`; one with missing parts is not complete, an empty one has no row."""
    name = "from_hours" if interval >= HOUR else "from_minutes"
    narrow = (perps.exchanges, perps.margin, perps.source, perps.known_at)
    return Query(sql("candles", name), (perps.entity_id, start, end, interval, *narrow), start=1, end=2)


def made_of(interval: timedelta) -> tuple[str, ...]:
    """The facts that candles (and takers' volumes) of this length are made of."""
    return ("perp_1h", "perp_1m") if interval >= HOUR else ("perp_1m",)


def last_closed(moment: datetime, interval: timedelta) -> tuple[datetime, datetime]:
    """A window in which only the interval begins that ended last at or before an instant."""
    opened = EPOCH + (moment - EPOCH) // interval * interval - interval
    return opened, opened + timedelta(microseconds=1)


def closed_by(perps: Perps, moment: datetime, interval: timedelta) -> Query:
    """The candle that closed last at or before an instant: a later one was not known then."""
    found = candles(perps, *last_closed(moment, interval), interval)
    return Query(found.text, found.arguments)


def wicks(candles: Query, upper: float | None, lower: float | None) -> Query:
    """Of some candles those with a wick of so many percent or more; None leaves a side out."""
    first = len(candles.arguments) + 1
    text = WICKS.substitute(candles=candles.text, upper=f"${first}", lower=f"${first + 1}")
    return replace(candles, text=text, arguments=(*candles.arguments, upper, lower))
