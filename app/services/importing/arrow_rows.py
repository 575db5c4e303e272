"""Rows of Parquet and Arrow files, in slices that fit in memory."""

from collections.abc import Iterator
from io import IOBase
from typing import IO, cast

import numpy as np
import pyarrow as pa
from pyarrow import ipc
from pyarrow import parquet as pq

from app.services.importing.body import BrokenBody, TooLarge
from app.services.importing.csv_rows import Wanted
from app.services.importing.frame import Chunk

ROWS = 16_384
BUFFER = 1 << 20


def read_parquet(file: IO[bytes], wanted: Wanted, limit: int | None) -> Iterator[Chunk]:
    """Chunks of a Parquet file; only the columns needed are read. Raises BrokenBody and TooLarge."""
    try:
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER) as parquet:
            names = parquet.schema_arrow.names
            needed, words = wanted(names)
            _check_size(parquet.metadata, limit)
        file.seek(0)
        picked = [names[at] for at in sorted(needed)] or names[:1]
        coded = [names[at] for at in sorted(words)]
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER, read_dictionary=coded) as parquet:
            yield from _numbered(parquet.iter_batches(ROWS, columns=picked, use_threads=False), names)
    except (pa.ArrowException, OSError, pa.ArrowNotImplementedError) as error:
        raise BrokenBody(f"not a Parquet file that can be read: {_line(error)}") from error


def _check_size(metadata: pq.FileMetaData, limit: int | None) -> None:
    """A small file may hold much: its directory says how much."""
    size = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    if limit is not None and size > limit:
        raise TooLarge(f"{size >> 20} MiB when decompressed; {limit >> 20} MiB are allowed")


def read_arrow(file: IO[bytes]) -> Iterator[Chunk]:
    """Chunks of an Arrow file or stream. Raises BrokenBody."""
    try:
        yield from _numbered(_sliced(_arrow_batches(file)), None)
    except (pa.ArrowException, OSError) as error:
        raise BrokenBody(f"not an Arrow file or stream that can be read: {_line(error)}") from error


def _arrow_batches(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    magic = file.read(6)
    file.seek(0)
    if magic != b"ARROW1":
        with ipc.open_stream(cast(IOBase, file)) as stream:
            yield from stream
        return
    with ipc.open_file(cast(IOBase, file)) as reader:
        for at in range(reader.num_record_batches):
            yield reader.get_batch(at)


def _sliced(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batch.validate(full=True)
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)


def _numbered(batches: Iterator[pa.RecordBatch], names: list[str] | None) -> Iterator[Chunk]:
    number = 0
    for batch in batches:
        batch.validate(full=True)
        numbers = np.arange(number, number + batch.num_rows)
        number += batch.num_rows
        yield Chunk(batch, numbers, (), names or batch.schema.names)


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
