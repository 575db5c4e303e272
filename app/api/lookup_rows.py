"""What a look-up asks about, read from its body: columns of times and names, and what is wrong with which row."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from fastapi.exceptions import RequestValidationError
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from app.api.errors import BadRequest, TooLarge, Wrong, bad_value, shown
from app.api.times import EARLIEST, LATEST, Time
from app.api.words import NAME_PATTERN, Slug, lower
from app.services.importing.values import Values, Words, times, words

MAX_ROWS, SHOWN_ROWS, LONGEST_NAME = 100_000, 10, 128
FIELDS = ("time", "exchange", "asset", "instrument")
NEEDED = FIELDS[:3]
NAMEABLE = re.compile(NAME_PATTERN)
FIRST_US, END_US = (int(moment.timestamp()) * 1_000_000 for moment in (EARLIEST, LATEST))
NO_TIME = "a time expected: RFC 3339, a date, or integer epoch seconds or milliseconds, from 1970 to 2100"
ONE_OF = "either rows or columns is expected"

Places = NDArray[np.intp]
Bad = NDArray[np.bool_]


class Question(BaseModel):
    """The body of a look-up, its rows not yet read."""

    model_config = ConfigDict(extra="forbid")

    dataset: Annotated[Literal["funding"], lower]
    per: Annotated[Literal["native", "1h", "8h", "1y"], lower] = "8h"
    rows: list[Any] | None = None
    columns: dict[str, list[Any]] | None = None
    known_at: Time | None = None
    source: Slug | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What each row asks about; times in epoch microseconds. `wholly` says how a row is called: by rows or columns."""

    time: NDArray[np.int64]
    exchange: Words
    asset: Words
    instrument: Words
    by_rows: bool

    def wrong(self, field: str, row: int, value: object, reason: str) -> Wrong:
        """One thing that is wrong with a row."""
        place = f"rows.{row}.{field}" if self.by_rows else f"columns.{field}.{row}"
        return Wrong(f"body.{place}", shown(value), reason)


def question(body: bytes) -> Question:
    """The body, checked but for its rows. Raises BadRequest, or what becomes it."""
    try:
        return Question.model_validate(from_json(body, allow_inf_nan=False))
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
    except ValueError as error:
        wrong = [Wrong("body", None, str(error))]
        raise BadRequest(f"The body cannot be read: {error}", code="bad_body", errors=wrong) from error


def told(asked: Question) -> Told:
    """The rows of a question in columns. Raises BadRequest naming the first rows that will not do, and TooLarge."""
    columns = _columns(asked)
    count = len(columns["time"])
    if count > MAX_ROWS:
        raise TooLarge(f"{count:,} rows are more than the {MAX_ROWS:,} of one look-up. Ask in parts")
    arrays = {name: _array(columns.get(name) or [None] * count) for name in FIELDS}
    time = times(arrays["time"])
    exchange, asset, instrument = (words(arrays[name]) for name in FIELDS[1:])
    found = Told(time.values.astype(np.int64), exchange, asset, instrument, asked.rows is not None)
    _check(found, columns, time)
    return found


def _columns(asked: Question) -> dict[str, list[Any]]:
    """The fields as columns of one length."""
    if (asked.rows is None) == (asked.columns is None):
        raise bad_value("body", None, ONE_OF, code="bad_body")
    columns = _known(asked.columns or {}, "columns") if asked.rows is None else _turned(asked.rows)
    lengths = {name: len(columns.setdefault(name, [])) for name in NEEDED} | {n: len(c) for n, c in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise bad_value("body.columns", None, f"columns of one length are expected: {told}")
    return columns


def _turned(rows: list[Any]) -> dict[str, list[Any]]:
    strange = [number for number, row in enumerate(rows) if not isinstance(row, dict)][:SHOWN_ROWS]
    if strange:
        raise refused([Wrong(f"body.rows.{n}", shown(rows[n]), "an object expected") for n in strange])
    names = dict.fromkeys((*NEEDED, *set[str]().union(*rows)))
    return {name: [row.get(name) for row in rows] for name in _known(names, "rows")}


def _known(fields: dict[str, Any], where: str) -> dict[str, Any]:
    strange = [name for name in fields if name not in FIELDS]
    if strange:
        raise bad_value(f"body.{where}", strange[0], f"unknown field; there are {', '.join(FIELDS)}")
    return fields


def _array(column: Sequence[Any]) -> "pa.Array[Any]":
    """A column of one type; values of several as text."""
    try:
        return pa.array(column)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in column], pa.string())


def _check(found: Told, columns: dict[str, list[Any]], time: Values) -> None:
    outside = (found.time < FIRST_US) | (found.time >= END_US)
    bad: list[tuple[int, str, str]] = [(row, "time", "missing") for row in _first(time.missing)]
    bad += [(row, "time", NO_TIME) for row in _first((time.bad | outside) & ~time.missing)]
    for name in FIELDS[1:]:
        column: Words = getattr(found, name)
        if name in NEEDED:
            bad += [(row, name, "missing") for row in _first(column.codes < 0)]
        bad += [(row, name, "not a name: too long, or of strange characters") for row in _first(_unnameable(column))]
    if bad:
        first = sorted(bad)[:SHOWN_ROWS]
        raise refused([found.wrong(name, row, columns[name][row], reason) for row, name, reason in first])


def _first(bad: Bad) -> Iterable[int]:
    return np.flatnonzero(bad)[:SHOWN_ROWS].tolist()


def _unnameable(column: Words) -> Bad:
    fits = [len(word) <= LONGEST_NAME and bool(NAMEABLE.match(word)) for word in column.words]
    return (column.codes >= 0) & ~np.array([*fits, True])[column.codes]


def refused(wrong: Sequence[Wrong]) -> BadRequest:
    """Rows that will not do: nothing is answered, so that nobody takes a null for an answer."""
    return BadRequest("; ".join(f"{w.parameter}: {w.reason}" for w in wrong[:3]), code="bad_rows", errors=wrong)
