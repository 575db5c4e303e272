"""Values of a query as text and as JSON: in full, and never a number that is none."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.cli import rows

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@pytest.mark.parametrize(
    ("value", "text", "plain"),
    [
        (True, "true", True),
        (1_000_000, "1000000", 1_000_000),
        (1e-05, "1e-05", 1e-05),
        (0.1 + 0.2, "0.30000000000000004", 0.30000000000000004),
        (float("nan"), "NaN", "NaN"),
        (float("-inf"), "-Infinity", "-Infinity"),
        (Decimal("NaN"), "NaN", "NaN"),
        (Decimal("12345678901234567890"), "12345678901234567890", 12345678901234567890),
        (Decimal("0.25"), "0.25", 0.25),
        (MOMENT, "2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901Z"),
        (MOMENT.replace(tzinfo=None), "2026-01-02T03:04:05.678901", "2026-01-02T03:04:05.678901"),
        (date(2026, 1, 2), "2026-01-02", "2026-01-02"),
        (timedelta(hours=8), "8:00:00", 28800.0),
        (b"\x00\xff", "\\x00ff", "\\x00ff"),
        ([MOMENT, None], '["2026-01-02T03:04:05.678901Z", null]', ["2026-01-02T03:04:05.678901Z", None]),
    ],
)
def test_values(value: object, text: str, plain: object) -> None:
    assert rows.text(value) == text
    assert rows.plain(value) == plain


async def parts(*found: Sequence[Sequence[object]]) -> AsyncIterator[Sequence[Sequence[object]]]:
    for part in found:
        yield part


async def test_csv_tells_null_from_an_empty_text(capsys: pytest.CaptureFixture[str]) -> None:
    await rows.as_csv(rows.Rows(("a", "b,c"), ("int4", "text"), parts([(None, "")], [(1, 'say "x",\nthen y')])))
    assert capsys.readouterr().out == 'a,"b,c"\n,""\n1,"say ""x"",\nthen y"\n'


async def test_json_nests_what_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = [('{"a": [1]}', '{"a": [1]}'), (None, None)]
    await rows.as_json(rows.Rows(("j", "t"), ("jsonb", "text"), parts(found)))
    assert capsys.readouterr().out == ('[\n{"j": {"a": [1]}, "t": "{\\"a\\": [1]}"},\n{"j": null, "t": null}\n]\n')
    await rows.as_json(rows.Rows(("j",), ("jsonb",), parts()))
    assert capsys.readouterr().out == "[]\n"


async def test_a_table_ends_after_a_thousand_rows_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    await rows.as_table(rows.Rows(("n",), ("int4",), parts([(n,) for n in range(1000)])))
    assert capsys.readouterr().err == "1,000 rows\n"
    await rows.as_table(rows.Rows(("n",), ("int4",), parts([(n,) for n in range(1000)], [(1000,)])))
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1001
    assert err.startswith("1,000 rows shown, there are more")
