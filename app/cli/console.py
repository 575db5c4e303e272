"""What the command line says: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

DAY, HOUR, MINUTE = 86_400, 3_600, 60


class Failure(Exception):
    """Why a command could not do its work, in one line that ends with the next step."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def say(text: str) -> None:
    """One line (or table) of the result."""
    print(text, flush=True)


def note(text: str) -> None:
    """A word to whoever watches; a program that reads the result never sees it."""
    print(text, file=sys.stderr, flush=True)


def emit(document: object) -> None:
    """The result as the one JSON document on standard output."""
    say(json.dumps(document, default=_plain, indent=2 if sys.stdout.isatty() else None, allow_nan=False))


def _plain(value: object) -> object:
    match value:
        case datetime():
            return stamp(value)
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return dict(cast("Mapping[str, object]", value))
        case Iterable():
            return list(cast("Iterable[object]", value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return asdict(value)
        case _:
            return str(value)


def stamp(time: datetime | None) -> str:
    """RFC 3339 in UTC, or nothing."""
    return "" if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def span(seconds: float | None) -> str:
    """A duration as people say it: `42s`, `5m`, `8h`, `3d`; nothing for None."""
    if seconds is None:
        return ""
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= unit:
            return f"{seconds / unit:.1f}".removesuffix(".0") + letter
    return f"{seconds:.0f}s"


def size(octets: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.4g} {unit}"
        octets /= 1000
    return f"{octets:.4g} TB"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns in plain text: the same on a terminal and in a pipe, nothing cut off."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return stamp(value.replace(microsecond=0))
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.8g}"
        case _:
            return str(value)
