"""Reading predicted funding: what was told of settlements to come, and how far it was from what was paid."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.db import Database
from app.services.perps import Perps
from app.services.queries import Query, sql

SAMPLED, CONTRACTS = timedelta(minutes=5), 4
"""How often estimates are told, and about how many contracts an asset has: a page reads little more than its rows."""


def history(
    perps: Perps, start: datetime, end: datetime, per_hours: float | None, *, newest_first: bool = False
) -> Query:
    """Estimates told in `[start, end)`, each with what was then paid; rates per `per_hours` (None: as told).

    `newest_first`: the order in which they are wanted, in which pages cost least.
    """
    text = sql("predictions", "history")
    text = text.replace("order by time", "order by time desc") if newest_first else text
    arguments = (perps.entity_id, start, end, per_hours, *_narrow(perps))
    return Query(text, arguments, start=1, end=2, step=SAMPLED, rows=CONTRACTS)


def at(perps: Perps, moment: datetime, per_hours: float | None) -> Query:
    """The last estimate told by an instant, one row a perpetual."""
    return Query(sql("predictions", "at"), (perps.entity_id, moment, per_hours, *_narrow(perps)))


def errors(perps: Perps, start: datetime, end: datetime, per_hours: float | None, edges: Sequence[float]) -> Query:
    """How far estimates were from what settled in `[start, end)`, by source and minutes before settlement.

    `edges`: ascending minutes; the first span is `[edges[0], edges[1])`. Rates per `per_hours` (None: as told).
    """
    narrow = (perps.exchanges, perps.margin, perps.source)
    spans, reach = (list(edges[:-1]), list(edges[1:])), timedelta(minutes=edges[-1])
    arguments = (perps.entity_id, start, end, per_hours, *narrow, *spans, perps.known_at, reach)
    return Query(sql("predictions", "errors"), arguments)


async def tells(db: Database, entity_id: int, source: str) -> bool:
    """Whether a source has told estimates of an asset."""
    return await db.reads.fetchval(sql("predictions", "tells"), entity_id, source)


def _narrow(perps: Perps) -> tuple[object, ...]:
    return perps.exchanges, perps.margin, perps.source, perps.known_at
