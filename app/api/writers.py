"""Rows as bytes, batch by batch: lines of JSON, CSV, Parquet, Arrow."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq

from app.api.shape import Kind, Shape

GROUP = 50_000
Batch = Sequence[asyncpg.Record]
_TYPES: Mapping[Kind, pa.DataType] = {
    "time": pa.timestamp("us", "UTC"),
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "list": pa.list_(pa.string()),
    "json": pa.string(),
}


class Writer(Protocol):
    """Turns batches of rows into bytes."""

    def write(self, batch: Batch) -> bytes:
        """The bytes of a batch (and of the head, before the first)."""
        ...

    def end(self) -> bytes:
        """The bytes after the last batch."""
        ...


class Lines:
    """NDJSON: the database wrote the lines."""

    def write(self, batch: Batch) -> bytes:
        return "".join(f"{row[0]}\n" for row in batch).encode()

    def end(self) -> bytes:
        return b""


class Csv:
    """CSV with a head: empty where null, lists as JSON."""

    def __init__(self, names: Iterable[str]) -> None:
        self.head: list[Sequence[Any]] = [tuple(names)]

    def write(self, batch: Batch) -> bytes:
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\r\n")
        out.writerows(self.head)
        out.writerows([_cell(value) for value in row] for row in batch)
        self.head = []
        return text.getvalue().encode()

    def end(self) -> bytes:
        return b""


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


class _Sink(io.RawIOBase):
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []
        self.place = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.parts.append(bytes(data))
        self.place += len(self.parts[-1])
        return len(self.parts[-1])

    def tell(self) -> int:
        return self.place

    def take(self) -> bytes:
        taken, self.parts = b"".join(self.parts), []
        return taken


class Columnar:
    """Parquet, or an Arrow stream: batches gathered until a group is full."""

    def __init__(self, schema: pa.Schema, *, parquet: bool) -> None:
        self.schema, self.sink, self.waiting = schema, _Sink(), list[pa.RecordBatch]()
        sink: Any = self.sink
        make = self._parquet if parquet else pa.ipc.new_stream
        self.out: Any = make(sink, schema)
        self.group = GROUP if parquet else 1

    @staticmethod
    def _parquet(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
        return pq.ParquetWriter(sink, schema, compression="zstd")

    def write(self, batch: Batch) -> bytes:
        found: list[Sequence[Any]] = list(zip(*batch, strict=True)) or [()] * len(self.schema)
        types: list[pa.DataType] = self.schema.types
        arrays = [_array(values, kind) for values, kind in zip(found, types, strict=True)]
        self.waiting.append(pa.RecordBatch.from_arrays(arrays, schema=self.schema))
        if sum(part.num_rows for part in self.waiting) >= self.group:
            self._flush()
        return self.sink.take()

    def _flush(self) -> None:
        if self.waiting:
            self.out.write_table(pa.Table.from_batches(self.waiting, self.schema))
            self.waiting = []

    def end(self) -> bytes:
        self._flush()
        self.out.close()
        return self.sink.take()


def _array(values: Sequence[Any], kind: pa.DataType) -> Any:
    """Values of a column; times come as microseconds: a `datetime` of each would cost as much as all the rest."""
    return pa.array(values, pa.int64()).view(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def schema(wanted: Shape, facts: bytes) -> pa.Schema:
    types = {**_TYPES, "time": pa.int64()} if wanted.times == "ms" else _TYPES
    return pa.schema([pa.field(name, types[kind]) for name, kind in wanted.columns], metadata={"perpstore": facts})
