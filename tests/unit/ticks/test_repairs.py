"""When missing trades are asked for, and what is noted of what cannot be had."""

from datetime import UTC, datetime, timedelta

from app.ingest.ticks.noting import Noted
from app.ingest.ticks.repairs import GRACE, PAUSES, TROUBLED, Repairs
from app.ingest.ticks.sequences import Hole
from app.services.reference import SeriesRef

T = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOLE = Hole("X", 5, 9, T, T)
REST = Hole("X", 8, 9, T, T)
SERIES = {"X": SeriesRef(7, 1.0, "option")}


def at(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def test_what_is_left_out_is_waited_for_and_then_asked_for_until_it_is_given_up() -> None:
    repairs, now = Repairs(), T
    assert repairs.due([HOLE], now) == [], "it may only be late"
    now += GRACE
    assert repairs.due([HOLE], now) == [HOLE]
    assert repairs.answered(HOLE, [REST], now) == []
    for pause in PAUSES:
        assert repairs.due([REST], now) == []
        now += pause
        assert repairs.due([REST], now) == [REST]
        gone = repairs.answered(REST, [REST], now)
    assert gone == [REST]
    assert repairs.due([], now) == []


def test_an_exchange_that_does_not_answer_is_asked_again_and_nothing_is_given_up() -> None:
    repairs, now = Repairs(), T
    repairs.due([HOLE], now)
    for _ in range(10):
        now += TROUBLED
        assert repairs.due([HOLE], now) == [HOLE]
        repairs.failed(HOLE, now)
    assert repairs.due([HOLE], now) == []


def test_only_long_silence_of_quotes_is_noted() -> None:
    noted = Noted()
    noted.quotes(["X"], T, at(300))
    assert noted.holes(SERIES) == {}
    noted.quotes(["X"], T, at(301))
    [hole] = noted.holes(SERIES).values()
    assert (hole.series_id, hole.dataset, hole.first, hole.last) == (7, "quotes", T, at(301))
    assert (hole.reason, hole.state) == ("outage", "unfillable")


def test_what_has_grown_while_it_was_entered_is_entered_again() -> None:
    noted = Noted()
    noted.note("X", "book", T, at(5))
    entering = noted.holes(SERIES)
    noted.note("X", "book", T, at(9))
    noted.entered(entering)
    [hole] = noted.holes(SERIES).values()
    assert hole.last == at(9)
    noted.entered(noted.holes(SERIES))
    assert noted.holes(SERIES) == {}


def test_what_has_no_series_yet_waits_and_a_moment_is_no_empty_stretch() -> None:
    noted = Noted()
    noted.note("new", "trades", T, T, "upstream_keeps_no_more", "why")
    assert noted.holes(SERIES) == {}
    [hole] = noted.holes({"new": SERIES["X"]}).values()
    assert (hole.first, hole.last, hole.detail) == (T, T + timedelta(milliseconds=1), "why")
