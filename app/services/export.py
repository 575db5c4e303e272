"""Facts as files that an import takes back unchanged: one file a kind of fact, exchange and month.

Values leave as they are stored, in coins and USD a coin, under the canonical id of their asset: a row that names
`pepe` has no count in its name, so an import multiplies nothing, whatever one contract stands for.
"""

import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import asyncpg
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from pyarrow import parquet as pq

from app.db import Database
from app.records import EARLIEST
from app.services.export_schema import DATASETS as DATASETS
from app.services.export_schema import Facts, stated
from app.services.queries import sql
from app.services.store import TIME

ROWS = 16_384
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"
SYMBOLS = "select canonical_id, symbol from entity"
SOURCES = """
select o.slug from exchange x join instrument i on i.exchange_id = x.id join series s on s.instrument_id = i.id
join source o on o.id = s.source_id where x.slug = $1 group by o.slug order by min(s.preference), min(s.id)
"""

Symbols = Mapping[str, str]
Column: TypeAlias = "pa.Array[Any]"
Write = Callable[[pa.RecordBatch], None]
Writer = Callable[[IO[bytes], Facts, "Told"], AbstractContextManager[Write]]
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of these slugs and entities (None: all), from `start` until before `end`."""

    exchanges: Sequence[str] | None = None
    entities: Sequence[int] | None = None
    sources: Sequence[str] | None = None
    start: datetime = EARLIEST
    end: datetime = LATEST


@dataclass(frozen=True, slots=True)
class Told:
    """What is stated of a file: symbols by canonical id, and the sources of its exchange, the preferred first."""

    symbols: Symbols
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class Exported:
    """How much was written."""

    files: int = 0
    rows: int = 0
    bytes: int = 0

    def __add__(self, other: "Exported") -> "Exported":
        return Exported(self.files + other.files, self.rows + other.rows, self.bytes + other.bytes)


async def export(
    db: Database, facts: Iterable[Facts], folder: Path, suffix: str, wanted: Wanted, progress: Progress | None = None
) -> Exported:
    """Write `folder/exchange=X/month=YYYY-MM/<name>.<suffix>`; a month without rows has no file. X of facts that are of
    no exchange is what readers of partitioned folders take for null.

    `suffix` is one of FORMATS. Each file is one snapshot and appears under its name when it is whole. `progress` hears
    the exchange and month and how many of its rows are written. Raises OSError and whatever the database raises.
    """
    symbols = {row["canonical_id"]: row["symbol"] for row in await db.reads.fetch(SYMBOLS)}
    done = Exported()
    for kind in facts:
        for exchange, month in await _months(db, kind, wanted):
            told = Told(symbols, [row["slug"] for row in await db.reads.fetch(SOURCES, exchange)])
            path = folder / f"exchange={exchange}" / f"month={month:%Y-%m}" / f"{kind.name}.{suffix}"
            done += await _file(db, kind, exchange, _within(month, wanted), path, told, progress)
    return done


async def _months(db: Database, kind: Facts, wanted: Wanted) -> list[tuple[str, datetime]]:
    filters = wanted.exchanges, wanted.start, wanted.end, wanted.entities, wanted.sources
    found = await db.reads.fetch(sql("export", f"{kind.statement}_months"), *filters)
    return [(row["exchange"], row["month"]) for row in found]


def _within(month: datetime, wanted: Wanted) -> Wanted:
    following = (month + timedelta(days=32)).replace(day=1)
    return replace(wanted, start=max(month, wanted.start), end=min(following, wanted.end))


async def _file(
    db: Database, kind: Facts, exchange: str, wanted: Wanted, path: Path, told: Told, progress: Progress | None
) -> Exported:
    """One file, unless there is no row for it."""
    rows = 0
    async with aclosing(_batches(db, kind, exchange, wanted)) as batches:
        first = await anext(batches, None)
        if first is None:
            return Exported()
        with _whole(path) as file:
            with FORMATS[path.suffix[1:]](file, kind, told) as write:
                batch: pa.RecordBatch | None = first
                while batch is not None:
                    write(batch)
                    rows += batch.num_rows
                    if progress is not None:
                        progress(f"{exchange} {wanted.start:%Y-%m} {kind.name}", rows)
                    batch = await anext(batches, None)
            return Exported(1, rows, file.tell())


async def _batches(db: Database, kind: Facts, exchange: str, wanted: Wanted) -> AsyncGenerator[pa.RecordBatch]:
    """The rows through a cursor of the server: so many at a time are all there ever are here."""
    filters = exchange, wanted.start, wanted.end, wanted.entities, wanted.sources
    async with db.reads.acquire() as connection, connection.transaction(readonly=True):
        cursor = await connection.cursor(sql("export", kind.statement), *filters)
        while rows := await cursor.fetch(ROWS):
            yield _batch(rows, kind.schema)


def _batch(rows: Sequence[asyncpg.Record], schema: pa.Schema) -> pa.RecordBatch:
    columns = dict(zip(rows[0].keys(), zip(*rows, strict=True), strict=True))
    arrays = [pa.array(columns[name], kind) for name, kind in zip(schema.names, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@contextmanager
def _whole(path: Path) -> Generator[IO[bytes]]:
    """A file that is there when all of it is written: until then it has a hidden name, which no import reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _parquet(file: IO[bytes], kind: Facts, told: Told) -> Generator[Write]:
    """What the columns are is stated at the end, with the assets that were written."""
    written: set[str | None] = set()
    with pq.ParquetWriter(file, kind.schema, compression="zstd") as writer:

        def write(batch: pa.RecordBatch) -> None:
            written.update(cast("list[str | None]", pc.unique(cast(Column, batch["asset"])).to_pylist()))
            writer.write_batch(batch)

        yield write
        symbols = {asset: symbol for asset, symbol in told.symbols.items() if asset in written}
        writer.add_key_value_metadata(stated(kind, symbols, told.sources))


@contextmanager
def _csv(file: IO[bytes], kind: Facts, told: Told) -> Generator[Write]:
    """Times as RFC 3339 text; floats in the fewest digits that give the same float again."""
    schema = kind.schema
    spelled = pa.schema({n: pa.string() if k == TIME else k for n, k in zip(schema.names, schema.types, strict=True)})
    with csv.CSVWriter(file, spelled) as writer:

        def write(batch: pa.RecordBatch) -> None:
            columns = cast(list[Column], batch.columns)
            texts = [pc.strftime(column, RFC_3339) if column.type == TIME else column for column in columns]
            writer.write_batch(pa.RecordBatch.from_arrays(texts, schema=spelled))

        yield write


FORMATS: Mapping[str, Writer] = {"parquet": _parquet, "csv": _csv}
