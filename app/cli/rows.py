"""Rows of a query as a table, as JSON or as CSV, written as they come."""

import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite, isnan
from typing import Any, cast

from app.cli.console import note, say, stamp, table

SHOWN = 1_000
UNQUOTED = re.compile(r'[^",\r\n]+')
Row = Iterable[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """The columns of an answer with the names of their types, and its rows in parts; the first part is there always."""

    heads: Sequence[str]
    types: Sequence[str]
    parts: AsyncIterator[Sequence[Row]]


Show = Callable[[Rows], Awaitable[None]]


async def as_table(rows: Rows) -> None:
    """Aligned columns, the first thousand rows of them."""
    shown: list[Row] = []
    async for part in rows.parts:
        shown += part
        if len(shown) > SHOWN:
            break
    say(table(rows.heads, [[_cell(value) for value in row] for row in shown[:SHOWN]]))
    more = len(shown) > SHOWN
    note(f"{SHOWN:,} rows shown, there are more: add `limit`, or --csv or --json for all" if more else _count(shown))


def _count(rows: Sequence[Row]) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows):,} rows"


def _cell(value: object) -> str | None:
    """One line of text; None, which the table shows as `-`, for null."""
    return None if value is None else text(value).replace("\n", "\\n")


async def as_json(rows: Rows) -> None:
    """An array of objects, a row a line."""
    nested = [name in ("json", "jsonb") for name in rows.types]
    between = "[\n"
    async for part in rows.parts:
        for row in part:
            values = (json.loads(v) if inner and v is not None else v for v, inner in zip(row, nested, strict=True))
            found = dict(zip(rows.heads, map(plain, values), strict=True))
            sys.stdout.write(between + json.dumps(found, ensure_ascii=False, allow_nan=False))
            between = ",\n"
    say("[]" if between == "[\n" else "\n]")


async def as_csv(rows: Rows) -> None:
    """A head and the rows. Null is nothing at all, an empty text a pair of quotes."""
    say(",".join(map(_field, rows.heads)))
    async for part in rows.parts:
        sys.stdout.writelines(",".join(map(_field, row)) + "\n" for row in part)
    sys.stdout.flush()


def _field(value: object) -> str:
    if value is None:
        return ""
    told = text(value)
    return told if UNQUOTED.fullmatch(told) else '"' + told.replace('"', '""') + '"'


def plain(value: object) -> object:
    """A value as JSON has it: times in RFC 3339, durations in seconds; what is no number (`NaN`) as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else text(value)
        case Decimal():
            return int(value) if value.is_finite() and value == value.to_integral_value() else plain(float(value))
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return [plain(item) for item in cast("Sequence[object]", value)]
        case Mapping():
            return {str(name): plain(item) for name, item in cast("Mapping[object, object]", value).items()}
        case _:
            return text(value)


def text(value: object) -> str:
    """A value in full: floats in the fewest digits that are them, times in RFC 3339."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if not isfinite(value):
            return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case datetime():
            return stamp(value) if value.tzinfo else value.isoformat()
        case date() | time():
            return value.isoformat()
        case bytes():
            return f"\\x{value.hex()}"
        case list() | tuple() | Mapping():
            return json.dumps(plain(cast("object", value)), ensure_ascii=False)
        case _:
            return str(value)
