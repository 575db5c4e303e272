"""Where two sources that tell one fact of one contract differ by more than is to be expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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


def disagreements(
    tolerances: Mapping[Dataset, Tolerance],
    start: datetime,
    end: datetime,
    *,
    entities: Sequence[int] | None = None,
    exchanges: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    known_at: datetime | None = None,
) -> Query:
    """One row a pair of values in `[start, end)` that differ by more than the tolerance of their dataset.

    Only datasets with a tolerance are looked at.
    """
    pairs = " union all ".join(f"({sql('disagreements', name.replace('-', '_'))})" for name in tolerances)
    allowed = tolerances.values()
    limits = (list(tolerances), [each.relative for each in allowed], [each.least for each in allowed])
    return Query(BEYOND.format(pairs=pairs), (start, end, entities, exchanges, sources, known_at, *limits))
