"""A JSON array of rows, bare or as `data` of an envelope, cut into lines of one row each without being parsed whole."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.services.importing.body import BrokenBody
from app.services.importing.frame import Chunk
from app.services.importing.json_rows import read_objects
from app.services.importing.lines import LONGEST, Lines

ESCAPED = re.compile(rb"\\.", re.DOTALL)
STRUCTURE = np.zeros(256, dtype=np.bool_)
STRUCTURE[list(b'"{}[],')] = True
STEP = np.zeros(256, dtype=np.int8)
STEP[list(b"{[")] = 1
STEP[list(b"}]")] = -1
QUOTE, COMMA, NEWLINE = ord('"'), ord(","), ord("\n")
HEAD = 1 << 20
BLANK = b" \t\r\n"
ROWS_ARE = 'an array of rows is expected, or an object with one in "data"'


def read_array(blocks: Iterator[bytes]) -> Iterator[Chunk]:
    """Chunks of a JSON array of objects, or of `{"data": [...]}`. Raises BrokenBody naming the place."""
    number = 0
    for part in row_lines(blocks):
        chunk = read_objects(part, number, strict=True)
        number += chunk.received
        yield chunk


def row_lines(blocks: Iterator[bytes]) -> Iterator[Lines]:
    rest = _head(blocks)
    start = _start(rest)
    rest, offset = rest[start:], start
    while True:
        cut = _cut(rest)
        if cut.text.strip():
            yield Lines(cut.text, offset)
        rest, offset = rest[cut.used :], offset + cut.used
        if cut.ended:
            return _check_end(rest, blocks, offset)
        block = next(blocks, b"")
        if not block:
            raise BrokenBody(f"the array of rows is not closed; the body ends at byte {offset + len(rest)}")
        if len(rest) > LONGEST:
            raise BrokenBody(f"the row from byte {offset} on is longer than {LONGEST >> 20} MiB")
        rest += block


def _head(blocks: Iterator[bytes]) -> bytes:
    """The first of the body: what comes before the rows must be in it."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= HEAD:
            break
    return head


def _start(head: bytes) -> int:
    """Where the first row begins: after the bracket of the array."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    skipped = len(head) - len(text)
    at = _blank(text, 0)
    if text[at : at + 1] == "{":
        at = _data(text, at)
    if text[at : at + 1] != "[":
        raise BrokenBody(f"byte {skipped + at}: {ROWS_ARE}")
    return skipped + at + 1


def _data(text: str, at: int) -> int:
    """Where the value of `data` begins, in an object that begins at `at`."""
    decoder = json.JSONDecoder()
    try:
        while text[at : at + 1] in ("{", ","):
            key, at = decoder.raw_decode(text, _blank(text, at + 1))
            at = _blank(text, _blank(text, at) + 1)
            if key == "data":
                return at
            _, at = decoder.raw_decode(text, at)
            at = _blank(text, at)
    except (ValueError, RecursionError) as error:
        raise BrokenBody(f"byte {at}: not JSON: {str(error)[:80]}") from error
    raise BrokenBody(f"byte {at}: {ROWS_ARE}")


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole rows, one a line; how many bytes they and what parts them took; whether the array ended."""

    text: bytes
    used: int
    ended: bool


def _cut(text: bytes) -> Cut:
    """Cut at the commas between rows, as far as whole rows go."""
    octets = np.frombuffer(ESCAPED.sub(b"__", text) if b"\\" in text else text, dtype=np.uint8)
    places = np.flatnonzero(STRUCTURE[octets])
    marks = octets[places]
    outside = np.cumsum(marks == QUOTE) % 2 == 0
    depth = np.cumsum(np.where(outside, STEP[marks], 0))
    ends = places[depth < 0]
    commas = places[outside & (marks == COMMA) & (depth == 0)]
    if len(ends):
        return _lines(text, commas[commas < ends[0]], int(ends[0]), ended=True)
    return _lines(text, commas, int(commas[-1]) if len(commas) else -1, ended=False)


def _lines(text: bytes, commas: NDArray[np.intp], end: int, *, ended: bool) -> Cut:
    """Rows up to the comma or bracket at `end`, which becomes the last line end."""
    if end < 0:
        return Cut(b"", 0, ended)
    flat = text[: end + 1].translate(bytes.maketrans(b"\r\n", b"  "))
    octets = np.frombuffer(bytearray(flat), dtype=np.uint8)
    octets[commas] = NEWLINE
    octets[end] = NEWLINE
    return Cut(octets.tobytes(), end + 1, ended)


def _check_end(rest: bytes, blocks: Iterator[bytes], offset: int) -> None:
    """After the array there may be the rest of its envelope, and nothing else."""
    for block in blocks:
        rest = (rest + block).lstrip(BLANK)[-LONGEST:]
    tail = rest.strip(BLANK)
    if tail and not (tail.startswith((b"}", b",")) and tail.endswith(b"}")):
        raise BrokenBody(f"something follows the array of rows, after byte {offset}")
