"""Rows of NDJSON: whole parts at once by Arrow; a part with a line it cannot read line by line."""

import json
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from app.services.importing.answer import Reject
from app.services.importing.body import BrokenBody
from app.services.importing.frame import Chunk
from app.services.importing.lines import Lines, source, whole_lines

Object = Mapping[str, object]


def read_ndjson(blocks: Iterator[bytes]) -> Iterator[Chunk]:
    """Chunks of one JSON object a line, UTF-8. Raises BrokenBody."""
    number = 0
    for part in whole_lines(blocks):
        chunk = read_objects(part, number)
        number += chunk.received
        yield chunk


def read_objects(part: Lines, number: int, *, strict: bool = False) -> Chunk:
    """A chunk of the objects of these lines. What is no object is named and left out; `strict`: raises BrokenBody."""
    return _fast(part, number) or _careful(part, number, strict=strict)


def _fast(part: Lines, number: int) -> Chunk | None:
    """All lines at once; None if any of them is not as it should be, or not flat."""
    text = part.text.removeprefix(b"\xef\xbb\xbf") if part.offset == 0 else part.text
    count = text.count(b"\n")
    if b"[" in text or text.count(b"{") != count or not _is_utf8(text):
        return None
    try:
        table = arrow_json.read_json(
            source(text),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=arrow_json.ParseOptions(explicit_schema=_texts(text)),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != count:
        return None
    arrays = [column.combine_chunks() for column in table.columns]
    rows = pa.RecordBatch.from_arrays(arrays, table.column_names) if arrays else _bare(count)
    return Chunk(rows, np.arange(number, number + count))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bare(count: int) -> pa.RecordBatch:
    """Rows without a field."""
    return pa.RecordBatch.from_arrays([pa.nulls(count)], [""])


def _texts(text: bytes) -> pa.Schema | None:
    """The fields that are text in the first row: Arrow would take some for stamps."""
    try:
        first = json.loads(text[: text.index(b"\n")])
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict):
        return None
    fields = cast(dict[str, object], first)
    return pa.schema({name: pa.string() for name, value in fields.items() if isinstance(value, str)})


def _careful(part: Lines, number: int, *, strict: bool) -> Chunk:
    """Line by line; every value becomes text, so that types may differ from row to row."""
    objects: list[Object] = []
    numbers: list[int] = []
    unreadable: list[Reject] = []
    offset = part.offset
    row = number
    for line in part.text.split(b"\n"):
        if line.strip():
            found = _object(line)
            if isinstance(found, str) and strict:
                raise BrokenBody(f"row {row}, from byte {offset} on: {found}")
            if isinstance(found, str):
                unreadable.append(Reject(row, "unreadable", found))
            else:
                objects.append(found)
                numbers.append(row)
            row += 1
        offset += len(line) + 1
    return Chunk(_rows(objects), np.array(numbers, dtype=np.int64), unreadable)


def _object(line: bytes) -> Object | str:
    try:
        found = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg}, character {error.pos} of the row"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {str(error)[:80]}"
    return cast(Object, found) if isinstance(found, dict) else "not an object"


def _rows(objects: list[Object]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for found in objects for name in found))
    if not names:
        return _bare(len(objects))
    arrays = [pa.array([_text(found.get(name)) for found in objects], pa.string()) for name in names]
    return pa.RecordBatch.from_arrays(arrays, [_text(name) or "" for name in names])


def _text(value: object) -> str | None:
    """A value as text that reads back as the same number, time or word. Half a surrogate pair is replaced."""
    if value is None:
        return None
    spelled = value if isinstance(value, str) else json.dumps(value)
    return spelled.encode("utf-8", "replace").decode()
