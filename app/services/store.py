"""The one way facts get in: COPY into a temporary table, then set-based statements, in one transaction.

Rows are Arrow record batches in the shape of `SCHEMAS`. A value that changes leaves its old version in `revision`.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from app.db import Database, Driver, driver, writing
from app.records import HOUR_COLUMNS, MINUTE_COLUMNS
from app.services import latest, merge, outbox, partitions, rollup, settlements
from app.services.queries import sql

TIME = pa.timestamp("us", "UTC")
DAY_US = 86_400_000_000
ROWS_A_WRITE = 8_192
CANDLE = ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades")


def _schema(*columns: str, **typed: pa.DataType) -> pa.Schema:
    values = {**dict.fromkeys(columns, pa.float64()), **typed}
    return pa.schema({"series_id": pa.int32(), "ts": TIME, **values, "known_at": TIME})


SCHEMAS: Mapping[str, pa.Schema] = {
    "funding": _schema("rate", "interval_hours", interval_known=pa.int16()),
    "predicted_funding": _schema("rate", "interval_hours", for_time=TIME),
    "open_interest": _schema("oi_base", "oi_usd"),
    "perp_1m": _schema(*CANDLE),
    "perp_1h": _schema(*CANDLE),
    "liquidation": _schema("price", "quantity", side=pa.int16()),
    "metric_value": _schema("value"),
}
"""Columns of each fact. Times are UTC microseconds; null means not known; `known_at` null means now."""
WIDE_HOUR = _schema(*HOUR_COLUMNS)
"""All columns of `perp_1h`, for those who tell more of an hour than its candle."""
WIDE_MINUTE = _schema(*MINUTE_COLUMNS)
"""The same of `perp_1m`."""

Batches = Iterable[pa.RecordBatch] | AsyncIterable[pa.RecordBatch]
AtTheEnd = Callable[[Driver, "Written"], Awaitable[None]]
"""What else is to be true once the rows are stored, written in their transaction."""
MakeSeries = Callable[[Driver], Awaitable[Mapping[int, int]]]
"""Makes the series that rows speak of, in their transaction. Returns those that go by another id than in the rows."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of rows. Equal to what was stored, or superseded by a later row of the same call: unchanged."""

    received: int = 0
    inserted: int = 0
    updated: int = 0

    @property
    def unchanged(self) -> int:
        """Rows that changed nothing."""
        return self.received - self.inserted - self.updated

    def __add__(self, other: "Written") -> "Written":
        return Written(self.received + other.received, self.inserted + other.inserted, self.updated + other.updated)


async def _nothing_to_make(_: Driver) -> Mapping[int, int]:
    return {}


async def put(
    db: Database,
    fact: str,
    batches: Batches,
    *,
    dry_run: bool = False,
    make: MakeSeries = _nothing_to_make,
    at_the_end: AtTheEnd | None = None,
    batch: int | None = None,
) -> Written:
    """Store all rows of `batches` as `fact`, or none of them. Of one fact told twice the later wins.

    All batches have the columns of the first: those of `SCHEMAS`, or some of them with the key. `make` is called when
    all rows have come. A dry run tells what would become of the rows and leaves nothing. `batch`: the import they are
    of; None: they were pulled. Raises whatever the database raises, and then nothing is stored.
    """
    async with writing(db, keep=not dry_run) as connection:
        copy = await driver(connection)
        written = await _put_poll(db, copy, fact, batches) if batch is None and make is _nothing_to_make else None
        if written is None:
            put_into = _put_settlements if fact == "funding" else _put_staged
            written, holder = await put_into(db, copy, fact, batches, make, batch)
            if written.received:
                await latest.put(copy, fact, holder)
        if written.received and batch is not None:
            await copy.execute(sql("batches", "note_spans"), batch, fact)
        if written.received:
            await rollup.lower(copy, fact)
        if at_the_end:
            await at_the_end(copy, written)
        if written.inserted + written.updated and not dry_run:
            await outbox.tell(copy, fact)
    return written


async def _put_poll(db: Database, copy: Driver, fact: str, batches: Batches) -> Written | None:
    """One row a series, each later than what is stored, goes straight into place. None where it is not so."""
    rows = batches[0] if isinstance(batches, list) and len(batches) == 1 else None
    if rows is None or fact not in latest.POLLED or not _one_each(rows):
        return None
    await merge.lock(copy, fact)
    await _make_room(db, copy, fact, _days(rows))
    await copy.execute(latest.poll_table(fact))
    await _copy(copy, "touched", _newest(rows, fact))
    if await latest.advance(copy, fact) < rows.num_rows:
        await copy.execute("drop table touched")
        return None
    await _copy(copy, fact, pa.Table.from_batches([rows]).drop_columns(["known_at"]))
    return Written(rows.num_rows, rows.num_rows)


async def _make_room(db: Database, copy: Driver, fact: str, days: set[datetime]) -> None:
    """Partitions for these days. Called with the writers' lock, under which retention drops them."""
    if not await partitions.there(copy, fact, days):
        await partitions.make(db, fact, days)


def _one_each(rows: pa.RecordBatch) -> bool:
    """Is each row of a series of its own, and known from now on?"""
    series = rows.column("series_id").to_numpy()
    return 0 < len(series) == len(np.unique(series)) and rows.column("known_at").null_count == len(series)


def _newest(rows: pa.RecordBatch, fact: str) -> pa.Table:
    """What a poll touches, and what `latest` keeps of it; columns that are absent are null."""
    told = pa.Table.from_batches([rows])
    for name in (name for name in latest.LATEST[fact].values if name not in told.column_names):
        told = told.append_column(name, pa.nulls(told.num_rows, pa.float64()))
    newest = told.select(["series_id", "ts", "ts", *latest.LATEST[fact].values])
    return newest.rename_columns(["series_id", "first", "last", *latest.LATEST[fact].values])


async def _put_staged(
    db: Database, copy: Driver, fact: str, batches: Batches, make: MakeSeries, batch: int | None
) -> tuple[Written, str]:
    """Batch by batch into the staging table, then all at once into place; and the smallest table that holds them."""
    names: list[str] = []
    received, once = 0, True
    days: set[datetime] = set()
    newest: dict[int, int] = {}
    async for rows in _each(batches):
        if not names:
            names = rows.schema.names
            await copy.execute(merge.stage_table(names))
        received += rows.num_rows
        days |= _days(rows)
        once = once and _goes_on(rows, newest)
        await _copy(copy, merge.STAGE, pa.Table.from_batches([rows]))
    if not received:
        return Written(), fact
    await merge.lock(copy, fact)
    await _make_room(db, copy, fact, days)
    if moved := await make(copy):
        await copy.execute(merge.RENUMBER, list(moved), list(moved.values()))
    await copy.execute(merge.TOUCHED_FROM_STAGE)
    inserted, updated = await merge.merge(copy, fact, names, once=once, batch=batch)
    staged = once and inserted == received and latest.has_latest(fact, names)
    return Written(received, inserted, updated), merge.STAGE if staged else fact


async def _put_settlements(
    _: Database, copy: Driver, fact: str, batches: Batches, make: MakeSeries, batch: int | None
) -> tuple[Written, str]:
    """Settlements need their neighbours to tell their interval, so all are read before any is written.

    They are then sorted and there is one of each: where none is stored in their spans they go straight into place.
    """
    told = [rows async for rows in _each(batches)]
    received = sum(rows.num_rows for rows in told)
    if not received:
        return Written(), fact
    await merge.lock(copy, fact)
    moved = await make(copy)
    judged = await settlements.judged(copy, _taken(told, moved))
    await copy.execute(merge.TOUCHED)
    await _copy(copy, "touched", judged.spans)
    names = SCHEMAS[fact].names
    if judged.news:
        await _copy(copy, fact, _of_batch(judged.rows.select(names), batch))
        return Written(received, judged.rows.num_rows), fact
    await copy.execute(merge.stage_table(names))
    await _copy(copy, merge.STAGE, judged.rows)
    return Written(received, *await merge.merge(copy, fact, names, once=True, batch=batch)), fact


def _of_batch(rows: pa.Table, batch: int | None) -> pa.Table:
    return rows if batch is None else rows.append_column("batch_id", pa.repeat(pa.scalar(batch, pa.int32()), len(rows)))


def _taken(told: list[pa.RecordBatch], moved: Mapping[int, int]) -> pa.Table:
    """The rows in one table, out of the list; series that moved under their new ids."""
    rows = pa.Table.from_batches(told)
    told.clear()
    if not moved:
        return rows
    series = rows["series_id"].to_numpy().copy()
    for old, new in moved.items():
        series[rows["series_id"].to_numpy() == old] = new
    return rows.set_column(0, "series_id", pa.array(series))


async def _each(batches: Batches) -> AsyncIterator[pa.RecordBatch]:
    if isinstance(batches, AsyncIterable):
        async for batch in batches:
            yield batch
    else:
        for batch in batches:
            yield batch


def _days(batch: pa.RecordBatch) -> set[datetime]:
    days = np.unique(batch.column("ts").cast(pa.int64()).to_numpy() // DAY_US)
    return {settlements.EPOCH + timedelta(days=int(day)) for day in days}


def _goes_on(batch: pa.RecordBatch, newest: dict[int, int]) -> bool:
    """Is every row later than all before it of its series? Then none is told twice. Keeps the newest times."""
    series = batch.column("series_id").to_numpy()
    times = batch.column("ts").cast(pa.int64()).to_numpy()
    if not len(series):
        return True
    order = np.argsort(series, kind="stable")
    series, times = series[order], times[order]
    other = series[1:] != series[:-1]
    firsts = np.flatnonzero(np.r_[True, other])
    lasts = np.r_[firsts[1:], len(series)] - 1
    keys = series[firsts].tolist()
    goes_on = all(newest.get(key, first - 1) < first for key, first in zip(keys, times[firsts].tolist(), strict=True))
    newest.update(zip(keys, times[lasts].tolist(), strict=True))
    return goes_on and bool((other | (times[1:] > times[:-1])).all())


async def _copy(copy: Driver, table: str, rows: pa.Table) -> None:
    if not rows.num_rows:
        return
    await copy.copy_to_table(table, source=_encoded(rows), columns=rows.column_names, format="binary")


async def _encoded(rows: pa.Table) -> AsyncIterator[bytes]:
    """The rows as COPY takes them, in parts."""
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    yield encoder.write_header()
    for batch in rows.to_batches(max_chunksize=ROWS_A_WRITE):
        yield encoder.write_batch(batch)
    yield encoder.finish()
