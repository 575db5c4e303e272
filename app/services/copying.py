"""Arrow batches on their way into a table: what is asked of them as they pass, and COPY in its binary form."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from app.db import Driver
from app.services.settlements import EPOCH

DAY_US = 86_400_000_000
ROWS_A_WRITE = 8_192

Batches = Iterable[pa.RecordBatch] | AsyncIterable[pa.RecordBatch]


async def each(batches: Batches) -> AsyncIterator[pa.RecordBatch]:
    """The batches, however they come."""
    if isinstance(batches, AsyncIterable):
        async for batch in batches:
            yield batch
    else:
        for batch in batches:
            yield batch


def days(batch: pa.RecordBatch) -> set[datetime]:
    """The days (UTC) its rows are of."""
    found = np.unique(batch.column("ts").cast(pa.int64()).to_numpy() // DAY_US)
    return {EPOCH + timedelta(days=int(day)) for day in found}


def one_each(rows: pa.RecordBatch) -> bool:
    """Is each row of a series of its own, and known from now on?"""
    series = rows.column("series_id").to_numpy()
    return 0 < len(series) == len(np.unique(series)) and rows.column("known_at").null_count == len(series)


def goes_on(batch: pa.RecordBatch, newest: dict[int, int]) -> bool:
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
    later = all(newest.get(key, first - 1) < first for key, first in zip(keys, times[firsts].tolist(), strict=True))
    newest.update(zip(keys, times[lasts].tolist(), strict=True))
    return later and bool((other | (times[1:] > times[:-1])).all())


async def copy_into(copy: Driver, table: str, rows: pa.Table) -> None:
    """Append rows to a table, by the names of their columns."""
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
