"""What is expected against what is stored, by series, dataset and UTC day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.db import Database
from app.services.queries import Query, sql

Dataset = Literal[
    "candles_1m", "candles_1h", "funding", "open_interest", "predicted_funding", "long_short", "taker_volume"
]

COVERAGE = """
select e.day, e.exchange, e.instrument, a.asset, e.source, e.dataset, e.expected, e.stored,
  e.stored::float8 / e.expected as coverage
from ({days}) e left join asset a on a.entity_id = e.entity_id
where e.expected > 0
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which days: of `[start, end)`, of all series and datasets or fewer.

    Of the sources in `pulled` everything is expected until the end, of others nothing after what they told last.
    """

    start: datetime
    end: datetime
    pulled: Sequence[str] = ()
    series: Sequence[int] | None = None
    datasets: Sequence[str] | None = None

    def arguments(self) -> tuple[object, ...]:
        """Those of every statement of days."""
        return (self.start, self.end, self.pulled, self.series, self.datasets)


async def series_of(db: Database, entities: Sequence[int] | None, exchanges: Sequence[str] | None) -> list[int] | None:
    """The series of perpetuals of these entities on these exchanges; None where neither is narrowed down."""
    if entities is None and exchanges is None:
        return None
    return [row["id"] for row in await db.reads.fetch(sql("expected", "series"), entities, exchanges)]


@dataclass(frozen=True, slots=True)
class _Days:
    """A statement of days, and the datasets it is about."""

    statement: str
    datasets: frozenset[str]


DAYS = (
    _Days("minutes", frozenset({"candles_1m", "open_interest", "predicted_funding", "long_short", "taker_volume"})),
    _Days("hours", frozenset({"candles_1h"})),
    _Days("settlements", frozenset({"funding"})),
)


def minutes() -> str:
    """One row a day of minutes: how many steps are expected and stored. Its arguments are those of a `Scope`."""
    return sql("expected", "minutes")


def coverage(scope: Scope) -> Query:
    """One row a series, dataset and day: how many rows are expected, how many are stored, and their share."""
    asked = [d.statement for d in DAYS if scope.datasets is None or d.datasets & set(scope.datasets)]
    days = "\nunion all\n".join(f"({sql('expected', one)})" for one in asked)
    return Query(COVERAGE.format(days=days), scope.arguments())
