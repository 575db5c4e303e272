"""Columns of any type as times, numbers and words: whole columns at once, one by one only what that cannot read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Column: TypeAlias = "pa.Array[Any]"
Coded: TypeAlias = "pa.DictionaryArray[Any, Any]"
Type: TypeAlias = "pa.DataType"
Mask = NDArray[np.bool_]

STAMP = pa.timestamp("us")
STAMP_UTC = pa.timestamp("us", "UTC")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_MS = 1e11
"""Epoch numbers below this are seconds (until the year 5138), others milliseconds (from 1973 on)."""
FIRST_TOO_FINE = 1e14
"""Epoch numbers from here on are neither: microseconds or nanoseconds."""
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}

MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)
WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Values:
    """A column read: times as epoch microseconds (0 where there is none), numbers as floats (NaN where none)."""

    values: NDArray[Any]
    missing: Mask
    bad: Mask

    def take(self, places: NDArray[np.intp]) -> "Values":
        """Rows at these places; a place of −1 is missing."""
        none = places < 0
        return Values(np.where(none, 0, self.values[places]), self.missing[places] | none, self.bad[places] & ~none)


@dataclass(frozen=True, slots=True)
class Words:
    """A column of words: the number of its word in `words` for each row, −1 where there is none."""

    codes: NDArray[np.intp]
    words: list[str]


def times(column: Column) -> Values:
    """Times of any type: stamps, dates, RFC 3339 text, epoch seconds or milliseconds as numbers or text."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _stamps(column)
    if _is_number(kind):
        return _epochs(*_floats(column))
    return _from_text(column, times, _time_texts)


def numbers(column: Column) -> Values:
    """Numbers of any type, and text that spells one."""
    if _is_number(column.type):
        values, missing = _floats(column)
        return Values(values, missing, np.zeros(len(column), dtype=np.bool_))
    return _from_text(column, numbers, _number_texts)


def words(column: Column) -> Words:
    """Words of any type; outer blanks are dropped, and an empty word is none."""
    encoded = _coded(column)
    spelled = [word.strip() if isinstance(word, str) else "" for word in _text(encoded.dictionary).to_pylist()]
    codes = _places(encoded)
    empty = np.array([not word for word in spelled] + [True])
    return Words(np.where(empty[codes], -1, codes), spelled)


def same(word: str, count: int) -> Column:
    """A column of one word."""
    places: Column = pa.array(np.zeros(count), pa.int32())
    return cast(Column, pa.DictionaryArray.from_arrays(places, pa.array([word])))


def numbered(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same with numbers from 0 on, in order of appearance."""
    return _places(cast(Coded, pc.dictionary_encode(pa.array(codes)))).astype(np.int64)


def shown(column: Column, row: int) -> str:
    """A value as it came, for a reason."""
    return str(column[row].as_py())[:80]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _missing(column: Column) -> Mask:
    return np.asarray(column.is_null())


def _floats(column: Column) -> tuple[NDArray[np.float64], Mask]:
    floats = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(floats.to_numpy(zero_copy_only=False), dtype=np.float64), _missing(column)


def _coded(column: Column) -> Coded:
    """A column as numbers of its distinct texts."""
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(_text(column))
    return cast(Coded, coded)


def _places(column: Coded) -> NDArray[np.intp]:
    return np.asarray(column.indices.fill_null(-1)).astype(np.intp)


def _from_text(column: Column, read: Callable[[Column], Values], read_text: Callable[[Column], Values]) -> Values:
    """Dictionaries by their distinct values, text as text; what else there is (truth values, lists) is bad."""
    if pa.types.is_dictionary(column.type):
        coded = _coded(column)
        return read(coded.dictionary).take(_places(coded)) if len(coded.dictionary) else _none(column)
    if _is_text(column.type):
        return read_text(_text(column))
    return _none(column)


def _is_text(kind: pa.DataType) -> bool:
    known = pa.types
    return known.is_string(kind) or known.is_large_string(kind) or known.is_string_view(kind) or known.is_binary(kind)


def _none(column: Column) -> Values:
    missing = _missing(column)
    return Values(np.zeros(len(column)), missing, ~missing)


def _text(column: Column) -> Column:
    """Any column as text; of what cannot be cast (lists, bytes that are no text) the way Python shows it."""
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())


def _stamps(column: Column) -> Values:
    """Stamps of any unit; those without a zone are UTC."""
    kind = column.type
    stamped = pc.cast(column, pa.timestamp("s")) if pa.types.is_date32(kind) else column
    stamped = pc.cast(column, pa.timestamp("ms")) if pa.types.is_date64(kind) else stamped
    unit = stamped.type.unit
    raw = np.asarray(pc.cast(stamped, pa.int64()).fill_null(0))
    missing = _missing(column)
    if unit == "ns":
        return Values(raw // 1000, missing, np.zeros(len(raw), dtype=np.bool_))
    bad = np.abs(raw) > 2**62 // UNITS[unit]
    return Values(np.where(bad, 0, raw) * UNITS[unit], missing, bad)


def _epochs(values: NDArray[np.float64], missing: Mask) -> Values:
    """Whole seconds or milliseconds since 1970, told apart by size."""
    good = np.isfinite(values) & (np.abs(values) < FIRST_TOO_FINE) & (values == np.floor(values))
    whole = np.where(good, values, 0).astype(np.int64)
    return Values(whole * np.where(np.abs(whole) < FIRST_MS, 1_000_000, 1_000), missing, ~good & ~missing)


def _time_texts(column: Column) -> Values:
    for kind in (STAMP_UTC, pa.int64(), STAMP):
        try:
            return times(pc.cast(column, kind))
        except pa.ArrowInvalid:
            continue
    return _one_by_one(column, _moment, np.int64)


def _number_texts(column: Column) -> Values:
    try:
        return numbers(pc.cast(column, pa.float64()))
    except pa.ArrowInvalid:
        return _one_by_one(column, _number, np.float64)


def _one_by_one(column: Column, read: Callable[[str], float | None], kind: type[np.int64 | np.float64]) -> Values:
    """Each distinct text by itself; blank is missing, and what `read` gives None for is bad."""
    coded = _coded(column)
    texts = [str(text).strip() for text in coded.dictionary.to_pylist()]
    found = [read(text) for text in texts]
    values = np.array([0 if value is None else value for value in found], dtype=kind)
    missing = np.array([not text for text in texts], dtype=np.bool_)
    bad = np.array([value is None for value in found], dtype=np.bool_) & ~missing
    return Values(values, missing, bad).take(_places(coded))


def _moment(text: str) -> int | None:
    """One time in text as epoch microseconds; None: not one."""
    if WHOLE.fullmatch(text):
        found = _epochs(np.array([float(text)]), np.zeros(1, dtype=np.bool_))
        return None if found.bad[0] else int(found.values[0])
    if not MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper().replace(",", "."))
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND


def _number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None
