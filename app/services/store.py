"""The one way facts get in: COPY into a temporary table, then set-based statements, in one transaction.

Rows are Arrow record batches in the shape of `SCHEMAS`. A value that changes leaves its old version in `revision`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from app.db import Database, Driver, driver, writing
from app.records import HOUR_COLUMNS, MINUTE_COLUMNS
from app.services import latest, merge, minutes, outbox, partitions, rollup, settlements, together
from app.services.copying import Batches as Batches
from app.services.copying import copy_into, days, each, goes_on, one_each
from app.services.queries import sql
from app.services.together import GREEKS, STATE

TIME = pa.timestamp("us", "UTC")
OPTION_MINUTE = ("open", "high", "low", "close", "volume_base", "volume_quote", *STATE)
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
    "option_1m": _schema(*OPTION_MINUTE),
    "greeks": _schema(*GREEKS),
    "index_price": _schema("open", "high", "low", "close"),
    "delivery_price": _schema("price"),
}
"""Columns of each fact. Times are UTC microseconds; null means not known; `known_at` null means now."""
OPTION = _schema(*STATE, *GREEKS)
"""How an option stands with its greeks: `option`, a fact that goes into several tables (`together`)."""
WIDE_HOUR = _schema(*HOUR_COLUMNS)
"""All columns of `perp_1h`, for those who tell more of an hour than its candle."""
WIDE_MINUTE = _schema(*MINUTE_COLUMNS)
"""The same of `perp_1m`."""

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
    of; None: they were pulled. What belongs to a minute is laid into its row too (`minutes.lay`), uncounted. Raises
    whatever the database raises, and then nothing is stored.
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
            await _note_spans(copy, fact, batch)
        if written.received:
            await rollup.lower(copy, fact)
        if at_the_end:
            await at_the_end(copy, written)
        if written.received and minutes.are_laid(fact, batch):
            await minutes.lay(copy, fact, batch)
        if written.inserted + written.updated and not dry_run:
            await outbox.tell(copy, fact)
    return written


async def _note_spans(copy: Driver, fact: str, batch: int) -> None:
    for table in together.tables(fact):
        await copy.execute(sql("batches", "note_spans"), batch, table)


async def _put_poll(db: Database, copy: Driver, fact: str, batches: Batches) -> Written | None:
    """One row a series, each later than what is stored, goes straight into place. None where it is not so."""
    rows = batches[0] if isinstance(batches, list) and len(batches) == 1 else None
    if rows is None or fact not in latest.POLLED or not one_each(rows):
        return None
    await merge.lock(copy, fact)
    await partitions.provide(db, copy, fact, days(rows))
    await copy.execute(latest.poll_table(fact))
    await copy_into(copy, "touched", _newest(rows, fact))
    if await latest.advance(copy, fact) < rows.num_rows:
        await copy.execute("drop table touched")
        return None
    await copy_into(copy, fact, pa.Table.from_batches([rows]).drop_columns(["known_at"]))
    return Written(rows.num_rows, rows.num_rows)


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
    touched: set[datetime] = set()
    newest: dict[int, int] = {}
    async for rows in each(batches):
        if not names:
            names = rows.schema.names
            await copy.execute(merge.stage_table(names))
        received += rows.num_rows
        touched |= days(rows)
        once = once and goes_on(rows, newest)
        await copy_into(copy, merge.STAGE, pa.Table.from_batches([rows]))
    if not received:
        return Written(), fact
    tables = await together.told(copy, fact)
    await _claim(db, copy, fact, tables, touched, batch)
    if moved := await make(copy):
        await copy.execute(merge.RENUMBER, list(moved), list(moved.values()))
    await copy.execute(merge.TOUCHED_FROM_STAGE)
    for table in tables:
        await partitions.unpack(copy, table)
    if fact not in tables:
        return Written(received, *await together.put(copy, fact, tables, once=once, batch=batch)), fact
    new, filled, updated = await merge.merge(copy, fact, names, once=once, batch=batch)
    staged = once and new == received and latest.has_latest(fact, names)
    return Written(received, new + filled, updated), merge.STAGE if staged else fact


async def _claim(
    db: Database, copy: Driver, fact: str, tables: Sequence[str], touched: set[datetime], batch: int | None
) -> None:
    """The locks of all that is to be written, in the order of their names, and then its partitions."""
    for locked in minutes.locked(fact, batch) if fact in tables else tables:
        await merge.lock(copy, locked)
    for table in tables:
        await partitions.provide(db, copy, table, touched)
    if minutes.are_laid(fact, batch):
        await partitions.provide(db, copy, minutes.FACT, await minutes.days(copy, fact))


async def _put_settlements(
    _: Database, copy: Driver, fact: str, batches: Batches, make: MakeSeries, batch: int | None
) -> tuple[Written, str]:
    """Settlements need their neighbours to tell their interval, so all are read before any is written.

    They are then sorted and there is one of each: where none is stored in their spans they go straight into place.
    """
    told = [rows async for rows in each(batches)]
    received = sum(rows.num_rows for rows in told)
    if not received:
        return Written(), fact
    await merge.lock(copy, fact)
    moved = await make(copy)
    judged = await settlements.judged(copy, _taken(told, moved))
    await copy.execute(merge.TOUCHED)
    await copy_into(copy, "touched", judged.spans)
    names = SCHEMAS[fact].names
    if judged.news:
        await copy_into(copy, fact, _of_batch(judged.rows.select(names), batch))
        return Written(received, judged.rows.num_rows), fact
    await copy.execute(merge.stage_table(names))
    await copy_into(copy, merge.STAGE, judged.rows)
    new, _filled, updated = await merge.merge(copy, fact, names, once=True, batch=batch)
    return Written(received, new, updated), fact


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
