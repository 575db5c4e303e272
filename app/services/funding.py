"""Reading settled funding: what was paid, what was in force, carry, the market now, and the weighted mean."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.db import Database
from app.services.perps import Margin, Perps
from app.services.queries import Query, sql

Weight = Literal["oi", "volume", "equal"]

HOUR = timedelta(hours=1)
MAX_AGE = timedelta(hours=2)
MARKET = """
select a.asset, w.* from ({}) w join asset a using (entity_id) where cardinality(w.present || w.stale || w.missing) > 0
"""


@dataclass(frozen=True, slots=True)
class Mean:
    """How a weighted mean is asked for: its weight, the hours a rate is of, and how fresh and complete it has to be.

    `then`: one instant is looked up, with intervals as the settlements by then tell, not as they are judged now.
    """

    weight: Weight = "oi"
    per_hours: float = 8.0
    step: timedelta = HOUR
    max_age: timedelta = MAX_AGE
    min_coverage: float = 0.0
    contributors: bool = False
    then: bool = False


def history(perps: Perps, start: datetime, end: datetime, per_hours: float | None) -> Query:
    """Settlements in `[start, end)`; rates per `per_hours` (None: as paid)."""
    return Query(sql("funding", "history"), (perps.entity_id, start, end, per_hours, *_narrow(perps)), start=1, end=2)


def means(perps: Perps, start: datetime, end: datetime, per_hours: float, interval: timedelta) -> Query:
    """The mean of what settled in each bucket that begins in `[start, end)`; an empty one has no row."""
    arguments = (perps.entity_id, start, end, per_hours, *_narrow(perps), interval)
    return Query(sql("funding", "means"), arguments, start=1, end=2)


def at(perps: Perps, moment: datetime, per_hours: float | None) -> Query:
    """The rate in force at an instant, one row a perpetual."""
    return Query(sql("funding", "at"), (perps.entity_id, moment, moment, per_hours, *_narrow(perps)))


def carry(perps: Perps, start: datetime, end: datetime, *, short: bool, notional: float | None) -> Query:
    """What a position of `notional` USD paid (positive) or received in `[start, end)`, one row a perpetual."""
    side = -1.0 if short else 1.0
    return Query(sql("funding", "carry"), (perps.entity_id, start, end, side, notional, *_narrow(perps)))


def _narrow(perps: Perps) -> tuple[object, ...]:
    return perps.exchanges, perps.margin, perps.source, perps.known_at


def snapshot(
    entity_ids: tuple[int, ...] | None,
    exchanges: tuple[str, ...] | None,
    margin: Margin | None,
    per_hours: float | None,
) -> Query:
    """The newest rate of every perpetual (of these entities), from `latest` alone."""
    return Query(sql("market", "snapshot"), (per_hours, entity_ids, exchanges, margin))


def snapshot_at(
    entity_ids: tuple[int, ...] | None,
    exchanges: tuple[str, ...] | None,
    margin: Margin | None,
    per_hours: float | None,
    moment: datetime,
    known_at: datetime | None,
) -> Query:
    """The rate in force at an instant of every perpetual (of these entities)."""
    return Query(sql("market", "snapshot_at"), (per_hours, entity_ids, exchanges, margin, moment, known_at))


async def weighted(db: Database, perps: Perps, first: datetime, last: datetime, mean: Mean) -> Query:
    """The weighted mean at every step from `first` to `last`, both included; from the rollup where that is the same."""
    if await _in_rollup(db, perps, first, last, mean):
        return Query(
            sql("funding_mean", "weighted_hourly"), (perps.entity_id, first, last, mean.per_hours, mean.min_coverage)
        )
    narrow = (perps.exchanges, perps.margin, perps.known_at, perps.source)
    return Query(sql("funding_mean", "weighted"), _weighing((perps.entity_id,), first, last, mean, narrow))


def market(
    entity_ids: tuple[int, ...] | None,
    exchanges: tuple[str, ...] | None,
    margin: Margin | None,
    moment: datetime,
    known_at: datetime | None,
    mean: Mean,
) -> Query:
    """The weighted mean at an instant of every entity (of these), one row each of which a rate was known by then."""
    narrow = (exchanges, margin, known_at, None)
    return Query(MARKET.format(sql("funding_mean", "weighted")), _weighing(entity_ids, moment, moment, mean, narrow))


def _weighing(
    entity_ids: tuple[int, ...] | None, first: datetime, last: datetime, mean: Mean, narrow: tuple[object, ...]
) -> tuple[object, ...]:
    """The arguments of the statement `weighted`; `narrow`: exchanges, margin, known_at and source."""
    grid = (first, last, mean.step, mean.per_hours, mean.weight, mean.max_age)
    return (entity_ids, *grid, *narrow, mean.min_coverage, mean.contributors, mean.then)


async def _in_rollup(db: Database, perps: Perps, first: datetime, last: datetime, mean: Mean) -> bool:
    on_the_hour = (first.minute, first.second, first.microsecond) == (0, 0, 0)
    plain = (mean.weight, mean.step, mean.max_age, mean.contributors) == ("oi", HOUR, MAX_AGE, False)
    if mean.then or not (on_the_hour and plain and perps.everything):
        return False
    return await db.reads.fetchval(sql("rollup", "is_ready"), perps.entity_id, last, perps.known_at)
