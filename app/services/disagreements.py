"""Where two sources that tell one fact of one contract differ by more than is to be expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.db import Database
from app.services.queries import Query, sql

Dataset = Literal["funding", "predicted", "open-interest", "candles"]

BEYOND = """
select p.time, p.dataset, a.asset, p.exchange, p.instrument, p.field, p.source, p.value, p.other_source, p.other_value,
  p.other_value - p.value as difference, d.relative as relative_difference, p.unit, t.tolerance
from ({pairs}) p
join unnest($7::text[], $8::float8[], $9::float8[]) as t(dataset, tolerance, least) using (dataset)
left join asset a on a.entity_id = p.entity_id
cross join lateral (select abs(p.other_value - p.value) / greatest(abs(p.value), abs(p.other_value)) as relative
  where p.value <> p.other_value) d
where d.relative > t.tolerance and abs(p.other_value - p.value) > t.least
"""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What two sources may differ by: a share of the greater value, or an amount (in the unit of the field)."""

    relative: float
    least: float = 0.0


TOLERANCES: Mapping[Dataset, Tolerance] = {
    "funding": Tolerance(0.01, 1e-6),
    "predicted": Tolerance(0.01, 1e-6),
    "open-interest": Tolerance(0.02),
    "candles": Tolerance(0.001),
}
"""Rates are rounded to some 1e-8 and near zero half the time: there a share alone says little."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared: facts of `[start, end)`, of all contracts and sources or fewer, as known then (None: now)."""

    start: datetime
    end: datetime
    entities: Sequence[int] | None = None
    exchanges: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    known_at: datetime | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """As statements take it, from `$1`."""
        return self.start, self.end, self.entities, self.exchanges, self.sources, self.known_at


def disagreements(tolerances: Mapping[Dataset, Tolerance], scope: Scope) -> Query:
    """One row a pair of values that differ by more than the tolerance of their dataset.

    Only datasets with a tolerance are looked at.
    """
    pairs = " union all ".join(f"({sql('disagreements', name.replace('-', '_'))})" for name in tolerances)
    allowed = tolerances.values()
    limits = (list(tolerances), [each.relative for each in allowed], [each.least for each in allowed])
    return Query(BEYOND.format(pairs=pairs), (*scope.arguments, *limits))


async def without_interval(db: Database, scope: Scope) -> int:
    """How many estimates cannot be compared, since nothing told of which interval they were."""
    return await db.reads.fetchval(sql("disagreements", "without_interval"), *scope.arguments)
