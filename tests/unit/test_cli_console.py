"""What the command line writes: tables that line up, JSON that a program can read."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from app.cli.console import emit, size, span, stamp, table
from app.cli.progress import progress

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_columns_line_up_and_nothing_is_cut() -> None:
    rows = [("a" * 100, 1234567, None), ("b", 0.1, True), ("c", NOON, "")]
    lines = table(("NAME", "N", "X"), rows).splitlines()
    assert lines[0] == "NAME".ljust(102) + "N".ljust(22) + "X"
    assert lines[1] == "a" * 100 + "  1,234,567             -"
    assert lines[2].split() == ["b", "0.1", "yes"]
    assert lines[3].split() == ["c", "2026-01-02T12:00:00Z"]


def test_a_table_of_nothing_is_its_head() -> None:
    assert table(("A", "B"), []) == "A  B"


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (0.4, "0s"), (59, "59s"), (300, "5m"), (5400, "1.5h"), (86400 * 3, "3d")]
)
def test_spans_are_said_as_people_say_them(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(("octets", "words"), [(0, "0 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e12, "3 TB")])
def test_sizes(octets: float, words: str) -> None:
    assert size(octets) == words


def test_times_are_utc() -> None:
    assert stamp(NOON.astimezone(timezone(timedelta(hours=2)))) == "2026-01-02T12:00:00Z"
    assert stamp(None) == ""


def test_a_document_holds_what_json_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass
    class Thing:
        when: datetime

    emit({"thing": Thing(NOON), "took": timedelta(minutes=1), "words": {"one"}, "path": Path("x")})
    assert json.loads(capsys.readouterr().out) == {
        "thing": {"when": "2026-01-02T12:00:00Z"},
        "took": 60.0,
        "words": ["one"],
        "path": "x",
    }


def test_no_document_is_not_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        emit({"rate": float("nan")})


def test_progress_in_a_pipe_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.progress.EVERY_SECONDS", 0)
    with progress("rows") as tell:
        tell("rates.csv", 1200)
        tell("rates.csv", 2400, 5000)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "rates.csv: 1,200 rows\nrates.csv: 2,400 of 5,000 rows\n"


def test_progress_in_a_pipe_ends_at_the_total(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("windows") as tell:
        tell("quick", 2, 2)
        monkeypatch.setattr("app.cli.progress.EVERY_SECONDS", 0)
        tell("slow", 5, 8)
        monkeypatch.setattr("app.cli.progress.EVERY_SECONDS", 10)
        for done in (6, 8, 8):
            tell("slow", done, 8)
    assert capsys.readouterr().err == "slow: 5 of 8 windows\nslow: 8 of 8 windows\n"


def test_progress_on_a_terminal_moves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("rows") as tell:
        tell("rates.csv", 5, 10)
    assert capsys.readouterr().out == ""
