"""Text cut into parts of whole lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.services.importing.body import BrokenBody

LONGEST = 16 << 20
NEWLINE, QUOTE = ord("\n"), ord('"')


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, each ended by a newline, and how many bytes of the body came before them."""

    text: bytes
    offset: int


def source(text: bytes) -> IO[bytes]:
    """Bytes as Arrow reads them without a copy; its stubs know Python's own files only."""
    return cast(IO[bytes], pa.BufferReader(text))


def whole_lines(blocks: Iterator[bytes]) -> Iterator[Lines]:
    """The blocks, cut at line ends outside of quotes. Raises BrokenBody for a line without an end."""
    rest, offset = b"", 0
    for block in chain(blocks, (None,)):
        text = rest + b"\n" if block is None and rest else rest + (block or b"")
        end = len(text) if block is None else _last_end(text)
        if end:
            yield Lines(text[:end], offset)
        rest, offset = text[end:], offset + end
        if len(rest) > LONGEST:
            raise BrokenBody(f"from byte {offset} on there are {LONGEST >> 20} MiB without a line end")


def _last_end(text: bytes) -> int:
    """Where the last whole line ends; a line whose quotes are open goes on."""
    end = text.rfind(b"\n") + 1
    if text.count(b'"', 0, end) % 2 == 0:
        return end
    return text.rfind(b"\n", 0, text.rfind(b'"', 0, end)) + 1 or end


def has_open_quotes(text: bytes) -> bool:
    """Does any line have an odd number of quotes?"""
    if b'"' not in text:
        return False
    octets = np.frombuffer(text, dtype=np.uint8)
    line_of_quote: NDArray[np.intp] = np.searchsorted(
        np.flatnonzero(octets == NEWLINE), np.flatnonzero(octets == QUOTE)
    )
    return bool((np.bincount(line_of_quote) % 2).any())
