"""Where rows come from: a file of a known format, perhaps compressed, read block by block."""

import gzip
import re
import zlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

BLOCK = 2 << 20
CHARSET = re.compile(r'charset="?([^";\s]*)')


class Format(Enum):
    """How rows are written."""

    CSV = "text/csv"
    NDJSON = "application/x-ndjson"
    JSON = "application/json"
    PARQUET = "application/vnd.apache.parquet"
    ARROW = "application/vnd.apache.arrow.stream"


SUFFIXES = {
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
    ".parquet": Format.PARQUET,
    ".arrow": Format.ARROW,
}
MEDIA_TYPES = {
    **{kind.value: kind for kind in Format},
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/vnd.apache.arrow.file": Format.ARROW,
}


class BrokenBody(ValueError):
    """A body that cannot be read as a whole; the message names the place."""


class TooLarge(ValueError):
    """A body of more bytes or rows than one call may have."""


class Unsupported(ValueError):
    """A format or encoding nobody here reads."""


@dataclass(frozen=True, slots=True)
class Body:
    """A file of rows. `limit`: the most bytes it may have when decompressed; None: any."""

    path: Path
    format: Format
    gzipped: bool = False
    limit: int | None = None


def body_of_file(path: Path) -> Body:
    """A file by its suffixes: `.csv`, `.parquet`, `.ndjson.gz` … Raises Unsupported."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    gzipped = suffixes[-1:] == [".gz"]
    suffix = (suffixes[:-1] if gzipped else suffixes)[-1:]
    if not suffix or suffix[0] not in SUFFIXES:
        raise Unsupported(f"{path.name}: the suffix is none of {', '.join(SUFFIXES)} (with or without .gz)")
    return Body(path, SUFFIXES[suffix[0]], gzipped)


def format_of(content_type: str, content_encoding: str) -> tuple[Format, bool]:
    """Format and compression of a request by its headers. Raises Unsupported."""
    media, _, parameters = (part.strip().lower() for part in content_type.partition(";"))
    if media not in MEDIA_TYPES:
        known = ", ".join(kind.value for kind in Format)
        raise Unsupported(f"Content-Type `{media}` is not read; these are: {known}")
    charset = CHARSET.search(parameters)
    if charset and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        raise Unsupported(f"charset `{charset[1]}` is not read; UTF-8 is")
    encoding = content_encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Unsupported(f"Content-Encoding `{encoding}` is not read; gzip is")
    return MEDIA_TYPES[media], encoding.endswith("gzip")


def blocks(body: Body) -> Generator[bytes]:
    """The bytes of a body, decompressed (in a thread of its own). Raises BrokenBody and TooLarge."""
    return _ahead(_blocks(body)) if body.gzipped else _blocks(body)


def _ahead(items: Generator[bytes]) -> Generator[bytes]:
    """The items, each made in a thread while the one before is used."""
    with closing(items), ThreadPoolExecutor(1, "unpack") as thread:
        coming = thread.submit(next, items, b"")
        while item := coming.result():
            coming = thread.submit(next, items, b"")
            yield item


def _blocks(body: Body) -> Generator[bytes]:
    read = 0
    with body.path.open("rb") as file, _unpacked(file, gzipped=body.gzipped) as unpacked:
        while block := _block(unpacked, read):
            read += len(block)
            _check_size(body, read)
            yield block


def _unpacked(file: IO[bytes], *, gzipped: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if gzipped else file


def _block(file: IO[bytes], place: int) -> bytes:
    try:
        return file.read(BLOCK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BrokenBody(f"the gzip data breaks off after {place} decompressed bytes: {error}") from error


def _check_size(body: Body, size: int) -> None:
    if body.limit is not None and size > body.limit:
        raise TooLarge(f"more than {body.limit >> 20} MiB when decompressed")


@contextmanager
def seekable(body: Body) -> Generator[IO[bytes]]:
    """The body as a file one can jump about in: formats with their directory at the end need that."""
    if not body.gzipped:
        with body.path.open("rb") as file:
            yield file
        return
    with TemporaryFile() as file:
        for block in blocks(body):
            file.write(block)
        file.seek(0)
        yield file
