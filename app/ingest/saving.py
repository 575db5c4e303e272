"""Minutes on their way into the store: kept while the database does not answer."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.db import DATABASE_ERRORS, Database, is_gone
from app.records import Liquidation, PerpMinute
from app.services import batch, store
from app.services.reference import SeriesRef

MOST_ROWS = 50_000
"""Rows that wait for a database that does not answer: eight hours of a hundred contracts. Then the oldest are lost."""

Place = tuple[str, datetime]
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Saving:
    """What is to be stored, one row a contract and minute."""

    db: Database
    _minutes: dict[Place, dict[str, float]] = field(default_factory=dict[Place, dict[str, float]])
    _liquidations: list[Liquidation] = field(default_factory=list[Liquidation])

    def add(self, minutes: Iterable[PerpMinute], liquidations: Iterable[Liquidation]) -> None:
        """Take what is ready."""
        for minute in minutes:
            self._minutes.setdefault((minute.symbol, minute.time), {}).update(minute.values)
        self._liquidations += liquidations

    async def save(self, series: Mapping[str, SeriesRef]) -> list[Place]:
        """Store all of it; returns what had to be given up. Raises where the database does not answer: it is kept."""
        lost = self._too_many()
        try:
            await self._put_minutes(series)
            await self._put_liquidations(series)
        except DATABASE_ERRORS as error:
            if is_gone(error):
                raise
            lost += self._minutes
            logger.error("%d minutes are refused by the database: %s", len(self._minutes), error)
            self._minutes, self._liquidations = {}, []
        return lost

    def _too_many(self) -> list[Place]:
        lost = [*self._minutes][: max(0, len(self._minutes) - MOST_ROWS)]
        for place in lost:
            del self._minutes[place]
        del self._liquidations[: max(0, len(self._liquidations) - MOST_ROWS)]
        return lost

    async def _put_minutes(self, series: Mapping[str, SeriesRef]) -> None:
        rows = [PerpMinute(*place, values) for place, values in self._minutes.items() if place[0] in series]
        if rows:
            await store.put(self.db, "perp_1m", [batch.minutes(rows, series)])
        self._minutes = {}

    async def _put_liquidations(self, series: Mapping[str, SeriesRef]) -> None:
        for fact, rows in batch.columns(self._liquidations, series)[0].items():
            await store.put(self.db, fact, [rows])
        self._liquidations = []
