"""Ticks into the store, in batches; those it refuses are given up one by one."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.db import DATABASE_ERRORS, Database, is_gone
from app.ingest.ticks.buffer import Buffer
from app.services import ticks
from app.services.ticks import Row

BATCH = 20_000
REFUSED = (*DATABASE_ERRORS, ValueError, OverflowError)
"""What storing rows may raise; the last two, of the driver: a value that it cannot send."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Saving:
    """What waits to be stored. Rows may be added while others are being stored.

    `lost`: trades that had to be dropped since somebody looked, at most as many as fit the buffer.
    """

    db: Database
    buffer: Buffer = field(default_factory=Buffer)
    lost: list[Row] = field(default_factory=list[Row])
    _refused: int = 0
    _told: int = 0

    def add(self, fact: str, rows: Iterable[Row]) -> None:
        """Take rows of a table."""
        self._lose(self.buffer.add(fact, rows))

    async def save(self, fact: str) -> None:
        """Store all rows of a table. Raises where the database does not answer: what is not stored is kept."""
        while rows := self.buffer.take(fact, BATCH):
            try:
                await self._put(fact, rows)
                rows = []
            finally:
                self._lose(self.buffer.put_back(fact, rows))

    def given_up(self) -> tuple[int, int]:
        """How many rows were dropped, and how many refused, since this was last asked."""
        dropped, self._told = self.buffer.dropped.total() - self._told, self.buffer.dropped.total()
        refused, self._refused = self._refused, 0
        return dropped, refused

    async def _put(self, fact: str, rows: list[Row]) -> None:
        """Store rows, by halves where they are refused, so that one bad row costs no other."""
        try:
            await ticks.put(self.db, fact, rows)
        except REFUSED as error:
            if is_gone(error):
                raise
            if len(rows) == 1:
                logger.error("%s is refused by the database: %s", rows[0], error)
                self._refused += 1
                return
            middle = len(rows) // 2
            await self._put(fact, rows[:middle])
            await self._put(fact, rows[middle:])

    def _lose(self, trades: list[Row]) -> None:
        if trades:
            self.lost = [*self.lost, *trades][-self.buffer.most :]
