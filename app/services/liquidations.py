"""Reading liquidations: each as it was told, sums of buckets, or the last by an instant."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from app.services.perps import Perps
from app.services.queries import Query, sql

Side = Literal["long", "short"]
SIDES: Mapping[Side | None, int | None] = {"long": 1, "short": -1, None: None}
DAY = timedelta(days=1)
ONE_A_SECOND = frozenset({"binance", "okx"})
"""Exchanges that tell at most one liquidation of a contract a second: what is stored of theirs is a lower bound."""
LOWER_BOUND = "{}: at most one liquidation of a contract a second is told, what is here is a lower bound"


def told(perps: Perps, start: datetime, end: datetime, side: Side | None) -> Query:
    """Each liquidation in `[start, end)`."""
    return Query(sql("liquidations", "told"), (perps.entity_id, start, end, *_narrow(perps, side)), start=1, end=2)


def sums(perps: Perps, start: datetime, end: datetime, side: Side | None, interval: timedelta) -> Query:
    """Sums of each bucket that begins in `[start, end)`, by side; an empty one has no row."""
    arguments = (perps.entity_id, start, end, *_narrow(perps, side), interval)
    return Query(sql("liquidations", "sums"), arguments, start=1, end=2)


def told_by(perps: Perps, moment: datetime, side: Side | None) -> Query:
    """The last liquidation of each side at or before an instant, a day old at the most."""
    return Query(sql("liquidations", "newest"), (perps.entity_id, moment - DAY, moment, *_narrow(perps, side)))


def lower_bound(exchanges: Mapping[str, str | None]) -> tuple[str, ...]:
    """A notice of what is made of liquidations of such exchanges: names of it (in order), each with its exchange."""
    names = ", ".join(name for name, exchange in exchanges.items() if exchange in ONE_A_SECOND)
    return (LOWER_BOUND.format(names),) if names else ()


def _narrow(perps: Perps, side: Side | None) -> tuple[object, ...]:
    return perps.exchanges, perps.margin, perps.source, perps.known_at, SIDES[side]
