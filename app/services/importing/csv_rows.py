"""Rows of CSV: whole parts at once by Arrow; a part with a line it cannot read line by line."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from app.services.importing.answer import Reject
from app.services.importing.body import BrokenBody
from app.services.importing.frame import Chunk
from app.services.importing.lines import Lines, has_open_quotes, source, whole_lines
from app.services.importing.values import Column

Wanted = Callable[[Sequence[str]], tuple[set[int], set[int]]]
"""Names of columns → numbers of those to read, and of those among them that hold words."""

WORD = pa.dictionary(pa.int32(), pa.string())
OTHER_SEPARATORS = re.compile(r"[;\t|]")
LONGEST_RECORD = 20
"""How many lines a quoted value may span."""


def read_csv(blocks: Iterator[bytes], wanted: Wanted) -> Iterator[Chunk]:
    """Chunks of a CSV with a header line, comma-separated, UTF-8. Raises BrokenBody."""
    parts = whole_lines(blocks)
    names, first = _header(parts)
    needed, words = wanted(names)
    needed = needed or {0}
    number = 0
    for part in chain((first,), parts):
        chunk = _fast(part, names, needed, words, number) or _careful(part, names, needed, number)
        number += chunk.received
        yield chunk


def _header(parts: Iterator[Lines]) -> tuple[list[str], Lines]:
    """Names of the columns, and what follows them in their part."""
    for part in parts:
        text = part.text.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
        line, _, rest = text.partition(b"\n")
        if line.strip():
            return _names(line), Lines(rest, part.offset + len(part.text) - len(rest))
    raise BrokenBody("there is no header line")


def _names(line: bytes) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([line.decode().rstrip("\r")], strict=True))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BrokenBody(f"the header line cannot be read: {error}") from error
    if len(names) == 1 and (other := OTHER_SEPARATORS.search(names[0])):
        raise BrokenBody(f"the header line has {other[0]!r} between its names; commas are expected")
    return names


def _fast(part: Lines, names: Sequence[str], needed: set[int], words: set[int], number: int) -> Chunk | None:
    """All lines at once; None if any of them is not as it should be."""
    if has_open_quotes(part.text):
        return None
    places = [str(at) for at in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            source(part.text),
            read_options=arrow_csv.ReadOptions(column_names=places, block_size=1 << 20),
            convert_options=arrow_csv.ConvertOptions(
                column_types={place: WORD if at in words else pa.string() for at, place in enumerate(places)},
                include_columns=[str(at) for at in sorted(needed)],
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None
    return _chunk(table, [names[at] for at in sorted(needed)], np.arange(number, number + table.num_rows), names)


def _chunk(table: pa.Table, columns: list[str], numbers: NDArray[np.int64], names: Sequence[str]) -> Chunk:
    arrays = [column.unify_dictionaries().combine_chunks() for column in table.columns]
    return Chunk(pa.RecordBatch.from_arrays(arrays, columns), numbers, (), names)


def _careful(part: Lines, names: Sequence[str], needed: set[int], number: int) -> Chunk:
    """Line by line: what cannot be read is named and left out."""
    places = sorted(needed)
    columns: list[list[str | None]] = [[] for _ in places]
    numbers: list[int] = []
    unreadable: list[Reject] = []
    for row, record in enumerate(_records(part.text, len(names)), number):
        if isinstance(record, str):
            unreadable.append(Reject(row, "unreadable", record))
            continue
        numbers.append(row)
        for column, at in zip(columns, places, strict=True):
            column.append(record[at] or None)
    arrays: list[Column] = [pa.array(column, pa.string()) for column in columns]
    rows = pa.RecordBatch.from_arrays(arrays, [names[at] for at in places])
    return Chunk(rows, np.array(numbers, dtype=np.int64), unreadable, names)


def _records(text: bytes, width: int) -> Iterator[list[str] | str]:
    """The values of each record, or why it cannot be read. Blank lines are none."""
    lines = text.split(b"\n")
    at = 0
    while at < len(lines):
        record, used = _record(lines, at, width)
        if lines[at].strip():
            yield record
        at += used


def _record(lines: Sequence[bytes], at: int, width: int) -> tuple[list[str] | str, int]:
    """The record that begins on a line, and how many lines it takes; a broken one takes one."""
    found = _split(lines[at], width)
    if isinstance(found, str) and lines[at].count(b'"') % 2:
        for end in range(at + 2, min(at + 1 + LONGEST_RECORD, len(lines) + 1)):
            joined = _split(b"\n".join(lines[at:end]), width)
            if not isinstance(joined, str):
                return joined, end - at
    return found, 1


def _split(line: bytes, width: int) -> list[str] | str:
    try:
        values = [value for record in csv.reader([line.decode().rstrip("\r")], strict=True) for value in record]
    except (UnicodeDecodeError, csv.Error) as error:
        return f"the line cannot be read: {error}"
    return values if len(values) == width else f"{len(values)} values where the header has {width}"
