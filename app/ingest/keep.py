"""Keeping what comes in: rows are stored thousands at a time, refused ones counted, unread bodies put aside."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from app.db import Database, driver, writing
from app.ingest.errors import Malformed
from app.ingest.spec import Bad
from app.records import Depth, MetricValue, PerpHour, PerpMinute, Record
from app.services import batch, log, metrics, store, ticks
from app.services.reference import SeriesRef

BATCH = 5000
UNKNOWN = ("unknown_instrument", "not among what its exchange lists")


def _homeless(row: Record) -> Bad:
    return Bad(row.symbol, *UNKNOWN)


@dataclass(slots=True)
class Tally:
    """What became of the rows of a pull so far."""

    received: int = 0
    rejected: int = 0
    written: store.Written = field(default_factory=store.Written)

    def counts(self, requests: int) -> log.Counts:
        """As they are written down."""
        return log.Counts(requests, self.received, self.written.inserted, self.written.updated, self.rejected)


@dataclass(frozen=True, slots=True)
class Places:
    """Where records go: contracts by native symbol, or by exchange and symbol; entities by kind of id and id."""

    series: Mapping[str, SeriesRef] = field(default_factory=dict[str, SeriesRef])
    hours: Mapping[tuple[str, str], SeriesRef] = field(default_factory=dict[tuple[str, str], SeriesRef])
    entities: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def know(self, record: Record) -> bool:
        """Whether there is a place for a record."""
        match record:
            case PerpHour():
                return (record.exchange, record.symbol) in self.hours
            case MetricValue():
                return (record.id_type, record.id.lower()) in self.entities
            case _:
                return record.symbol in self.series


@dataclass(slots=True)
class _Kinds:
    """Records by the table they are of; `others` find theirs by themselves."""

    hours: list[PerpHour] = field(default_factory=list[PerpHour])
    minutes: list[PerpMinute] = field(default_factory=list[PerpMinute])
    values: list[MetricValue] = field(default_factory=list[MetricValue])
    books: list[Depth] = field(default_factory=list[Depth])
    others: list[Record] = field(default_factory=list[Record])


def _by_kind(records: Iterable[Record]) -> _Kinds:
    found = _Kinds()
    for record in records:
        match record:
            case PerpHour():
                found.hours.append(record)
            case PerpMinute():
                found.minutes.append(record)
            case MetricValue():
                found.values.append(record)
            case Depth():
                found.books.append(record)
            case _:
                found.others.append(record)
    return found


async def put_records(
    db: Database,
    source: str,
    records: Iterable[Record],
    places: Places,
    at_the_end: store.AtTheEnd | None = None,
) -> store.Written:
    """Store records that have a place, table by table; `at_the_end` in the transaction of the last one.

    Order books come first, since they are no facts that are told anew.
    """
    of = _by_kind(records)
    written = await _put_books(db, of.books, places)
    tables = batch.columns(of.others, places.series)[0].items()
    puts = [partial(store.put, db, fact, [table]) for fact, table in tables]
    if of.hours:
        puts.append(partial(store.put, db, "perp_1h", [batch.hours(of.hours, places.hours)]))
    if of.minutes:
        puts.append(partial(store.put, db, "perp_1m", [batch.minutes(of.minutes, places.series)]))
    if of.values:
        puts.append(partial(metrics.put_values, db, source, of.values, places.entities))
    for number, put in enumerate(puts, 1):
        written += await (put(at_the_end=at_the_end) if number == len(puts) else put())
    if not puts and at_the_end:
        async with writing(db) as connection:
            await at_the_end(await driver(connection), written)
    return written


async def _put_books(db: Database, books: list[Depth], places: Places) -> store.Written:
    new = await ticks.put(db, "depth", batch.depths(books, places.series, datetime.now(UTC)))
    return store.Written(len(books), new)


@dataclass(slots=True)
class Keeper:
    """Where a job puts its rows. `turn` bounds how many jobs write at once; `stored` is called after each batch."""

    db: Database
    source: str
    dataset: str
    turn: asyncio.Semaphore
    stored: Callable[[], Awaitable[None]]
    places: Places = field(default_factory=Places)
    tally: Tally = field(default_factory=Tally)
    _rows: list[Record] = field(default_factory=list[Record])
    _order: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self, records: Iterable[Record]) -> None:
        """Take records; store what has gathered when it is a batch. Raises whatever the store raises."""
        self._rows += records
        if len(self._rows) >= BATCH:
            await self.flush()

    async def flush(self, at_the_end: store.AtTheEnd | None = None) -> None:
        """Store all that was taken, in the order in which it was; `at_the_end` in the transaction of the last row."""
        async with self._order:
            rows, self._rows = self._rows, []
            if rows or at_the_end:
                await self.reject(map(_homeless, (row for row in rows if not self._has_place(row))))
                await self._store([row for row in rows if self.places.know(row)], at_the_end)
                await self.stored()

    async def store_all(self, rows: list[Record], at_the_end: store.AtTheEnd) -> None:
        """Store these at once, and `at_the_end` with them, even where there are none."""
        self._rows = rows
        await self.flush(at_the_end)

    def _has_place(self, row: Record) -> bool:
        """Values of what is of no entity we know are not refused: that is listed among the unmapped."""
        return isinstance(row, MetricValue) or self.places.know(row)

    async def _store(self, rows: list[Record], at_the_end: store.AtTheEnd | None) -> None:
        self.tally.received += len(rows)
        async with self.turn:
            self.tally.written += await put_records(self.db, self.source, rows, self.places, at_the_end)

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
