"""What is told is taken apart: each trade once, also of instruments that nobody knew yet."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from app.ingest.ticks.buffer import Buffer
from app.ingest.ticks.noting import Noted
from app.ingest.ticks.saving import Saving
from app.ingest.ticks.taking import STRANGE_FOR, Taking
from app.records import BookChange, OptionTrade, Quote
from app.services.reference import SeriesRef

T = datetime(2026, 3, 10, 12, tzinfo=UTC)
SERIES = {"X": SeriesRef(7, 1.0, "option")}


def trade(seq: int, symbol: str = "X") -> OptionTrade:
    return OptionTrade(symbol, T + timedelta(seconds=seq), seq, str(seq), "buy", 1.0, 1.0)


def change(number: int, before: int | None) -> BookChange:
    return BookChange("X", T + timedelta(seconds=number), before is None, number, before, ((1.0, 1.0),), ())


@dataclass
class Setup:
    saving: Saving = field(default_factory=lambda: Saving(cast("Any", None), Buffer(most=100)))
    noted: Noted = field(default_factory=Noted)

    def taking(self) -> Taking:
        taking = Taking(self.saving, self.noted)
        taking.know(SERIES, T)
        return taking

    def stored(self, fact: str) -> list[Any]:
        return self.saving.buffer.take(fact, 1000)


def test_quotes_and_each_trade_once() -> None:
    of = Setup()
    taking = of.taking()
    taking.take(
        [trade(5), trade(5), trade(6), Quote("X", T, 1.0, None, 2.0, None), Quote("Y", T, 1.0, 2.0, 3.0, 4.0)], T
    )
    taking.take([trade(6)], T)
    assert [row[2] for row in of.stored("option_trade")] == [5, 6]
    assert of.stored("option_tick") == [(7, T, 1.0, None, 2.0, None, T)]


def test_a_book_that_breaks_is_named_and_its_gap_is_noted_when_it_is_whole_again() -> None:
    of = Setup()
    taking = of.taking()
    assert taking.take([change(1, None), change(3, 1)], T) == []
    assert taking.take([change(9, 8), change(10, 9)], T) == ["X"]
    taking.see_depths(T)
    assert of.stored("depth") == [], "it is not known how it stands"
    assert taking.take([change(20, None)], T) == []
    [hole] = of.noted.holes(SERIES).values()
    assert (hole.dataset, hole.first, hole.last) == ("book", T + timedelta(seconds=3), T + timedelta(seconds=20))
    taking.see_depths(T)
    assert of.stored("depth") == [(7, T, 20, [1.0], [1.0], [], [], T)]


def test_a_stranger_waits_until_it_is_listed_and_its_first_trade_is_number_one() -> None:
    of = Setup()
    taking = of.taking()
    taking.take([trade(2, "NEW"), trade(3, "NEW")], T)
    assert of.stored("option_trade") == []
    assert [(hole.symbol, hole.first, hole.last) for hole in taking.sequences.holes()] == [("NEW", 1, 1)]
    assert taking.know(SERIES | {"NEW": SeriesRef(8, 1.0, "option")}, T + timedelta(minutes=1)) == []
    assert [(row[0], row[2]) for row in of.stored("option_trade")] == [(8, 2), (8, 3)]
    assert not taking.strangers


def test_who_stays_a_stranger_is_refused() -> None:
    taking = Setup().taking()
    taking.take([trade(1, "NEVER")], T)
    assert taking.know(SERIES, T + STRANGE_FOR / 2) == []
    [bad] = taking.know(SERIES, T + STRANGE_FOR)
    assert (bad.symbol, bad.code) == ("NEVER", "unknown_instrument")
    assert not taking.strangers


def test_trades_that_had_to_be_dropped_are_missing_again() -> None:
    of = Setup()
    taking = of.taking()
    taking.take([trade(seq) for seq in range(1, 61)], T)
    taking.miss_lost()
    assert [(hole.first, hole.last) for hole in taking.sequences.holes()] == [(1, 10)]
    assert [row[2] for row in of.stored("option_trade")] == [*range(11, 61)]
    taking.take([trade(seq) for seq in range(1, 11)], T)
    assert [row[2] for row in of.stored("option_trade")] == [*range(1, 11)]
    assert taking.sequences.holes() == []


def test_what_is_not_kept_of_strangers_is_missing_once_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ingest.ticks.taking.MOST_STRANGERS", 10)
    taking = Setup().taking()
    taking.take([trade(seq, "NEW") for seq in range(1, 12)], T)
    assert [one.seq for one, _ in taking.strangers] == [6, 7, 8, 9, 10, 11]
    assert [bad.code for bad in taking.know(SERIES, T)] == ["unknown_instrument"] * 5
    assert len(taking.know(SERIES, T + STRANGE_FOR)) == 6
    assert taking.sequences.holes() == [], "nobody can be asked before it is listed"
    listed = SERIES | {"NEW": SeriesRef(8, 1.0, "option")}
    assert taking.know(listed, T + 2 * STRANGE_FOR) == []
    assert [(hole.symbol, hole.first, hole.last) for hole in taking.sequences.holes()] == [
        ("NEW", 1, 5),
        ("NEW", 6, 11),
    ]
    taking.take([trade(3, "NEW")], T)
    assert len(taking.saving.buffer.take("option_trade", 10)) == 1


def test_trades_are_stored_until_the_first_that_waits_or_is_missing() -> None:
    of = Setup()
    taking = of.taking()
    taking.complete_until = T + timedelta(seconds=1000)
    taking.take([trade(50), trade(51), trade(1, "NEW")], T)
    assert taking.stored_until() == trade(1).time, "a stranger waits"
    taking.know(SERIES | {"NEW": SeriesRef(8, 1.0, "option")}, T)
    assert taking.stored_until() == taking.complete_until
    taking.take([trade(60)], T)
    assert taking.stored_until() == trade(51).time, "52 to 59 are missing"
    taking.take([trade(seq) for seq in range(52, 60)], T)
    taking.take([trade(seq) for seq in range(61, 101)], T)
    assert taking.saving.lost
    assert taking.stored_until() == min(row[1] for row in taking.saving.lost)  # type: ignore[type-var]
