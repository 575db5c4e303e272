"""Minutes on their way into the store: kept while the database does not answer."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import pyarrow as pa

from app.db import DATABASE_ERRORS, Database, is_gone
from app.ingest.minutes import MINUTE, floor
from app.ingest.missing import Stretch, datasets_of
from app.records import Liquidation, PerpMinute
from app.services import batch, store
from app.services.reference import SeriesRef

MOST_ROWS = 50_000
"""Rows that wait for a database that does not answer: eight hours of a hundred contracts. Then the oldest are lost."""
TOO_MANY = "waited_too_long", "the database did not answer for so long that no more rows could be kept"

Place = tuple[str, datetime]
Row = PerpMinute | Liquidation
Why = tuple[str, str]
"""A stable code, and words."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """What had to be given up: from when to when of which series and dataset, and of how many rows why."""

    stretches: tuple[Stretch, ...] = ()
    why: Mapping[Why, int] = field(default_factory=dict[Why, int])


@dataclass(slots=True)
class Saving:
    """What is to be stored, one row a contract and minute. Rows may be added while others are being stored."""

    db: Database
    _minutes: dict[Place, Mapping[str, float]] = field(default_factory=dict[Place, Mapping[str, float]])
    _liquidations: dict[Liquidation, None] = field(default_factory=dict[Liquidation, None])
    _lost: dict[tuple[str, str], tuple[datetime, datetime]] = field(
        default_factory=dict[tuple[str, str], tuple[datetime, datetime]]
    )
    _why: Counter[Why] = field(default_factory=Counter[Why])

    def add(self, minutes: Iterable[PerpMinute], liquidations: Iterable[Liquidation]) -> None:
        """Take what is ready. Of too many rows the oldest are given up."""
        for minute in minutes:
            place = minute.symbol, minute.time
            self._minutes[place] = {**self._minutes.get(place, {}), **minute.values}
        self._liquidations |= dict.fromkeys(liquidations)
        for place in [*islice(self._minutes, max(0, len(self._minutes) - MOST_ROWS))]:
            self._lose(PerpMinute(*place, self._minutes.pop(place)), TOO_MANY)
        for one in [*islice(self._liquidations, max(0, len(self._liquidations) - MOST_ROWS))]:
            del self._liquidations[one]
            self._lose(one, TOO_MANY)

    async def save(self, series: Mapping[str, SeriesRef]) -> Lost:
        """Store all of it; returns what had to be given up since this last returned.

        Raises where the database does not answer: what is not stored is kept. Rows without a series are forgotten.
        """
        await self._save([PerpMinute(*place, values) for place, values in self._minutes.items()], series)
        await self._save([*self._liquidations], series)
        lost = Lost(tuple((*key, *span) for key, span in self._lost.items()), self._why)
        self._lost, self._why = {}, Counter()
        return lost

    async def _save(self, rows: list[Row], series: Mapping[str, SeriesRef]) -> None:
        """Store rows, by halves where they are refused, so that one bad row costs no other."""
        known = [row for row in rows if row.symbol in series]
        try:
            for fact, columns in _columns(known, series).items():
                await store.put(self.db, fact, [columns])
        except DATABASE_ERRORS as error:
            if is_gone(error):
                raise
            if len(known) > 1:
                middle = len(known) // 2
                await self._save(known[:middle], series)
                await self._save(known[middle:], series)
            else:
                self._refused(known[0], error)
        self._forget(rows)

    def _forget(self, rows: Iterable[Row]) -> None:
        """These are done with; a minute of which more was added meanwhile is not."""
        for row in rows:
            if isinstance(row, Liquidation):
                self._liquidations.pop(row, None)
            elif self._minutes.get((row.symbol, row.time)) is row.values:
                del self._minutes[row.symbol, row.time]

    def _refused(self, row: Row, error: BaseException) -> None:
        found = getattr(error, "orig", None) or error
        code, words = str(getattr(found, "sqlstate", None) or type(found).__name__), str(found).partition("\n")[0]
        logger.error("%s is refused by the database: %s", row, error)
        self._lose(row, (code, f"refused by the database: {words}"))

    def _lose(self, row: Row, why: Why) -> None:
        """Remember from when to when rows were lost of what, not each of them: there is no end to them."""
        self._why[why] += 1
        minute = floor(row.time)
        for dataset in ("liquidations",) if isinstance(row, Liquidation) else datasets_of(row.values):
            first, last = self._lost.get((row.symbol, dataset), (minute, minute))
            self._lost[row.symbol, dataset] = min(first, minute), max(last, minute + MINUTE)


def _columns(rows: list[Row], series: Mapping[str, SeriesRef]) -> Mapping[str, pa.RecordBatch]:
    """As columns, by fact."""
    minutes = [row for row in rows if isinstance(row, PerpMinute)]
    events = [row for row in rows if isinstance(row, Liquidation)]
    told = {"perp_1m": batch.minutes(minutes, series)} if minutes else {}
    return told | batch.columns(events, series)[0]
