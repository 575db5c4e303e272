"""Keeping what comes in: rows are stored thousands at a time, refused ones counted, unread bodies put aside."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from app.db import Database
from app.ingest.errors import Malformed
from app.ingest.spec import Bad
from app.records import Record
from app.services import batch, log, store
from app.services.reference import SeriesRef

BATCH = 5000
UNKNOWN = ("unknown_instrument", "not among the perpetuals its exchange lists")


@dataclass(slots=True)
class Tally:
    """What became of the rows of a pull so far."""

    received: int = 0
    rejected: int = 0
    written: store.Written = field(default_factory=store.Written)

    def counts(self, requests: int) -> log.Counts:
        """As they are written down."""
        return log.Counts(requests, self.received, self.written.inserted, self.written.updated, self.rejected)


@dataclass(slots=True)
class Keeper:
    """Where a job puts its rows. `turn` bounds how many jobs write at once; `stored` is called after each batch."""

    db: Database
    source: str
    dataset: str
    turn: asyncio.Semaphore
    stored: Callable[[], Awaitable[None]]
    series: Mapping[str, SeriesRef] = field(default_factory=dict[str, SeriesRef])
    tally: Tally = field(default_factory=Tally)
    _rows: list[Record] = field(default_factory=list[Record])
    _order: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self, records: Iterable[Record]) -> None:
        """Take records; store what has gathered when it is a batch. Raises whatever the store raises."""
        self._rows += records
        if len(self._rows) >= BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Store all that was taken, in the order in which it was."""
        async with self._order:
            rows, self._rows = self._rows, []
            if rows:
                await self._store([row for row in rows if row.symbol in self.series])
                await self.reject(Bad(row.symbol, *UNKNOWN) for row in rows if row.symbol not in self.series)
                await self.stored()

    async def _store(self, rows: list[Record]) -> None:
        async with self.turn:
            for fact, table in batch.columns(rows, self.series)[0].items():
                written = await store.put(self.db, fact, [table])
                self.tally.written += written
        self.tally.received += len(rows)

    async def reject(self, rows: Iterable[Bad]) -> None:
        """Count rows that were refused."""
        bad = list(rows)
        count = Counter((row.code, row.symbol or "") for row in bad)
        reasons = {(row.code, row.symbol or ""): row.reason for row in bad}
        self.tally.received += len(bad)
        self.tally.rejected += len(bad)
        rejected = [log.Rejected(*key, reasons[key], number) for key, number in count.items()]
        await log.reject(self.db, self.source, self.dataset, rejected)

    async def put_aside(self, error: Malformed) -> None:
        """Keep a body nobody could read, and say so among the rejects."""
        asked = error.question
        unread = log.Unread(asked.request, error.status, error.message, error.body)
        await log.keep_body(self.db, self.source, self.dataset, unread)
        told = log.Rejected("malformed", asked.symbol or "", error.message)
        await log.reject(self.db, self.source, self.dataset, [told])
