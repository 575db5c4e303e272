"""Numbers of trades: each once, in any order, and what is left out is known."""

import random
from datetime import UTC, datetime, timedelta

from app.ingest.ticks.sequences import Hole, Sequences, runs

T = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(number: int) -> datetime:
    return T + timedelta(seconds=number)


def test_a_number_left_out_is_missing_until_it_comes() -> None:
    numbers = Sequences()
    assert numbers.take("X", 5, at(5))
    assert numbers.take("X", 9, at(9))
    assert numbers.holes() == [Hole("X", 6, 8, at(5), at(9))]
    assert numbers.take("X", 7, at(7))
    assert numbers.holes() == [Hole("X", 6, 6, at(5), at(9)), Hole("X", 8, 8, at(5), at(9))]
    assert not numbers.take("X", 7, at(7)), "told already"
    assert numbers.take("X", 6, at(6))
    assert numbers.take("X", 8, at(8))
    assert numbers.holes() == []
    assert not numbers.take("X", 9, at(9))


def test_what_was_stored_before_is_where_to_go_on() -> None:
    numbers = Sequences()
    numbers.begin({"X": (100, at(0))})
    numbers.miss([Hole("X", 40, 41, at(-9), at(-8)), Hole("X", 40, 41, at(-9), at(-8))])
    assert numbers.take("X", 102, at(2))
    assert numbers.holes() == [Hole("X", 40, 41, at(-9), at(-8)), Hole("X", 101, 101, at(0), at(2))]
    numbers.begin({"X": (3, at(0))})
    assert not numbers.take("X", 102, at(2))


def test_what_is_given_up_is_only_what_did_not_come() -> None:
    numbers = Sequences()
    numbers.begin({"X": (0, T)})
    numbers.take("X", 6, at(6))
    (hole,) = numbers.holes()
    for number in (2, 3):
        numbers.take("X", number, at(number))
    assert [(one.first, one.last) for one in numbers.missing(hole)] == [(1, 1), (4, 5)]
    numbers.give_up(hole)
    assert numbers.holes() == []
    assert not numbers.take("X", 4, at(4))


def test_in_any_order_and_with_repetitions_every_number_counts_once() -> None:
    dice = random.Random(7)
    told = [*range(1, 300)] * 2
    dice.shuffle(told)
    told = [one for one in told if one % 50]
    numbers = Sequences()
    numbers.begin({"X": (0, T)})
    new = [one for one in told if numbers.take("X", one, at(one))]
    assert sorted(new) == sorted(set(told))
    assert sorted(n for hole in numbers.holes() for n in range(hole.first, hole.last + 1)) == [50, 100, 150, 200, 250]


def test_what_is_from_before_we_listened_is_new_and_so_is_what_is_between() -> None:
    numbers = Sequences()
    numbers.take("X", 50, at(50))
    assert numbers.take("X", 47, at(47))
    assert numbers.holes() == [Hole("X", 48, 49, at(47), at(50))]
    assert numbers.take("X", 48, at(48))
    assert numbers.take("X", 49, at(49))
    assert not numbers.take("X", 48, at(48))
    assert numbers.holes() == []


def test_of_a_new_instrument_nothing_came_before_its_first_trade() -> None:
    numbers = Sequences()
    numbers.begin({"NEW": (0, T)})
    numbers.take("NEW", 2, at(2))
    assert numbers.holes() == [Hole("NEW", 1, 1, T, at(2))]


def test_what_is_lost_is_missing_in_as_few_holes_as_there_are() -> None:
    assert runs("X", [(7, at(7)), (5, at(5)), (6, at(6)), (9, at(9))]) == [
        Hole("X", 5, 7, at(5), at(7)),
        Hole("X", 9, 9, at(9), at(9)),
    ]
