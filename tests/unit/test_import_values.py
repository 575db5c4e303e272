"""Columns of any type as times, numbers and words."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.importing.values import EPOCH, MICROSECOND, Column, Values, numbers, times, words

NOON = datetime(2025, 8, 21, 12, tzinfo=UTC)
NOON_US = (NOON - EPOCH) // MICROSECOND


@pytest.mark.parametrize(
    "text",
    [
        "2025-08-21T12:00:00Z",
        "2025-08-21t12:00:00z",
        "2025-08-21T14:00:00+02:00",
        "2025-08-21 12:00:00.000",
        "2025-08-21T12:00",
        "2025-08-21T12:00:00.000000000Z",
        "1755777600",
        "1755777600000",
        "1755777600000.0",
        " 2025-08-21T12:00:00Z ",
    ],
)
def test_a_time_in_text(text: str) -> None:
    for column in (pa.array([text]), pa.array([text, "never"]), pa.array([text, text]).dictionary_encode()):
        read = times(column)
        assert (read.values[0], read.bad[0], read.missing[0]) == (NOON_US, False, False)


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30T00:00:00Z",
        "2025-08-21T24:00:00Z",
        "2025-08-21T12:00:60Z",
        "21/08/2025",
        "1755777600000000",
        "1755777600000000000",
        "1755777600.5",
        "now",
        "true",
        "nan",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert times(pa.array([text])).bad.all()
    assert times(pa.array(["2025-08-21", text])).bad.tolist() == [False, True]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1755777600]),
        pa.array([1755777600000]),
        pa.array([1755777600000.0]),
        pa.array([1755777600], pa.uint32()),
        pa.array([Decimal(1755777600)]),
        *(pa.array([NOON], pa.timestamp(unit, "UTC")) for unit in ("s", "ms", "us", "ns")),
        pa.array([NOON], pa.timestamp("us", "Asia/Tokyo")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array(["2025-08-21T12:00:00Z"], pa.large_string()),
        pa.array(["2025-08-21T12:00:00Z"], pa.string_view()),
        pa.array([b"2025-08-21T12:00:00Z"], pa.binary()),
    ],
    ids=lambda column: str(column.type),
)
def test_a_time_of_any_type(column: Column) -> None:
    assert times(column).values.tolist() == [NOON_US]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_a_date_is_its_midnight(kind: pa.DataType) -> None:
    midnight = (datetime(2025, 8, 21, tzinfo=UTC) - EPOCH) // MICROSECOND
    assert times(pa.array([date(2025, 8, 21)], kind)).values.tolist() == [midnight]
    assert times(pa.array(["2025-08-21"])).values.tolist() == [midnight]


def test_a_stamp_past_all_calendars_is_bad() -> None:
    assert times(pa.array([2**62], pa.int64()).cast(pa.timestamp("s"))).bad.all()


@pytest.mark.parametrize("text", ["0.0001", "+0.0001", " 1e-4", ".0001", "1E-4"])
def test_a_number_in_text(text: str) -> None:
    for column in (pa.array([text]), pa.array([text, "x"]), pa.array([text]).dictionary_encode()):
        assert numbers(column).values[0] == 0.0001


@pytest.mark.parametrize("text", ["1_000", "1,5", "0x10", "1 000", "true", "--1", "½"])
def test_what_is_no_number(text: str) -> None:
    assert numbers(pa.array([text, "1"])).bad.tolist() == [True, False]


@pytest.mark.parametrize("column", [pa.array([True]), pa.array([[1.0]]), pa.array([NOON])], ids=lambda c: str(c.type))
def test_types_that_are_no_numbers(column: Column) -> None:
    assert numbers(column).bad.all()


def test_infinity_is_read_and_left_to_the_checks() -> None:
    assert np.isinf(numbers(pa.array(["Infinity", "-inf", "1e999"])).values).all()
    assert np.isnan(numbers(pa.array(["NaN", "x"])).values[0])


@pytest.mark.parametrize("read", [times, numbers])
@pytest.mark.parametrize(
    "column",
    [
        pa.nulls(2),
        pa.array([None, None], pa.float64()),
        pa.array(["", None]),
        pa.array(["", " "]),
        pa.array([None, None], pa.string()).dictionary_encode(),
        pa.array([None, None], pa.bool_()),
        pa.array([None, None], pa.timestamp("us")),
    ],
    ids=lambda column: str(column.type),
)
def test_nothing_is_missing(read: Callable[[Column], Values], column: Column) -> None:
    found = read(column)
    assert found.missing.all()
    assert not found.bad.any()


def test_words_of_any_type() -> None:
    found = words(pa.array([" binance ", "binance", "", None, "okx"]))
    assert [found.words[code] if code >= 0 else None for code in found.codes] == [
        "binance", "binance", None, None, "okx",
    ]  # fmt: skip
    assert words(pa.array([1, None])).words == ["1"]
    assert words(pa.array([[1]])).words == ["[1]"]
    assert words(pa.nulls(2)).codes.tolist() == [-1, -1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_in_text_read_back_exactly(values: list[float]) -> None:
    assert numbers(pa.array([repr(value) for value in values])).values.tolist() == values


@given(st.lists(st.integers(1_300_000_000_000_000, 4_000_000_000_000_000), min_size=1), st.booleans())
def test_times_in_text_read_back_exactly(moments: list[int], broken: bool) -> None:
    texts = [(EPOCH + moment * MICROSECOND).isoformat() for moment in moments] + ["?"] * broken
    assert times(pa.array(texts)).values.tolist()[: len(moments)] == moments
