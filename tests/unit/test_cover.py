"""Boxes: all that is wanted exactly once, none past the limit, and near the fewest requests there could be."""

import csv
import math
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingest.cover import Box, Limit, boxes
from tests.conftest import shared
from tests.replayed import velo

CELLS, COINS = 22_500, 500
EXCHANGES = "abcd"
Pair = tuple[str, str]
Cell = tuple[str, str, int]

some_pairs = st.sets(st.tuples(st.sampled_from(EXCHANGES), st.integers(0, 30).map(str)), max_size=80)


def cells(found: list[Box], pairs: set[Pair]) -> Counter[Cell]:
    """How often each step of each wanted pair is asked for."""
    return Counter(
        (exchange, subject, step)
        for box in found
        for exchange in box.exchanges
        for subject in box.subjects
        if (exchange, subject) in pairs
        for step in range(box.first, box.first + box.steps)
    )


@given(some_pairs, st.integers(0, 40), st.integers(1, 150), st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_each_cell_is_in_one_box_and_no_box_is_past_the_limit(
    pairs: set[Pair], steps: int, most: int, few: int
) -> None:
    found = boxes(pairs, steps, Limit(most, few))
    assert cells(found, pairs) == Counter((*pair, step) for pair in pairs for step in range(steps))
    for box in found:
        assert len(box.exchanges) * len(box.subjects) * box.steps <= most
        assert len(box.subjects) <= few
        assert 0 <= box.first < box.first + box.steps <= steps


@given(some_pairs, st.integers(1, 40), st.integers(1, 150), st.integers(1, 12))
@settings(deadline=None)
def test_never_more_than_each_exchange_by_itself_or_each_pair_by_itself(
    pairs: set[Pair], steps: int, most: int, few: int
) -> None:
    found = len(boxes(pairs, steps, Limit(most, few)))
    assert found <= len(pairs) * math.ceil(steps / most)
    alone = (boxes({pair for pair in pairs if pair[0] == exchange}, steps, Limit(most, few)) for exchange in EXCHANGES)
    assert found <= sum(map(len, alone))


@given(st.permutations([(exchange, str(n)) for exchange in EXCHANGES for n in range(9) if n % 4 != ord(exchange) % 3]))
@settings(max_examples=20)
def test_the_order_in_which_pairs_come_changes_nothing(pairs: list[Pair]) -> None:
    assert boxes(pairs, 7, Limit(20, 5)) == boxes(sorted(pairs), 7, Limit(20, 5))


def test_what_fits_into_one_request_is_one() -> None:
    pairs = {(exchange, subject) for exchange in "ab" for subject in ("x", "y", "z")}
    assert boxes(pairs, 4, Limit(24, 3)) == [Box(("a", "b"), ("x", "y", "z"), 0, 4)]


def test_cells_are_wasted_where_that_saves_a_request() -> None:
    pairs = {("a", "x"), ("b", "y")}
    assert boxes(pairs, 1, Limit(4, 2)) == [Box(("a", "b"), ("x", "y"), 0, 1)]
    assert len(boxes(pairs, 1, Limit(3, 2))) == 2


def test_a_group_and_its_hours_fill_a_request_exactly() -> None:
    found = boxes({("a", str(number)) for number in range(25)}, 720, Limit(CELLS // 30, COINS))
    assert len(found) == 24
    assert {(len(box.subjects), box.steps) for box in found} == {(25, 30)}


def test_the_earliest_come_first() -> None:
    found = boxes({("a", str(number)) for number in range(40)}, 30, Limit(25, 10))
    assert [box.first for box in found] == sorted(box.first for box in found)


@pytest.mark.parametrize(("pairs", "steps"), [(set[Pair](), 5), ({("a", "x")}, 0), ({("a", "x")}, -3)])
def test_nothing_wanted_is_nothing_asked(pairs: set[Pair], steps: int) -> None:
    assert boxes(pairs, steps, Limit(10, 10)) == []


@pytest.mark.parametrize("limit", [Limit(0, 10), Limit(10, 0)])
def test_a_limit_of_nothing_is_refused(limit: Limit) -> None:
    with pytest.raises(ValueError, match="nothing may be asked for"):
        boxes({("a", "x")}, 1, limit)


# The fewest there could be: all cells wanted, each in a request that is full to the last cell. No plan can do better.


def generated() -> set[Pair]:
    return {(market.exchange, market.coin) for market in velo.listing()}


def of_january() -> set[Pair]:
    with (shared("entities") / "exchange_pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {(row["exchange"], row["coin"]) for row in rows if row["origin"] == "velo_config_2026-01"}


@pytest.mark.parametrize("found", [generated, of_january])
@pytest.mark.parametrize(("hours", "columns"), [(1, 30), (720, 5), (720, 25)])
def test_requests_are_within_a_tenth_of_the_fewest_there_could_be(found: object, hours: int, columns: int) -> None:
    assert callable(found)
    pairs = found()
    assert len(pairs) == 1069
    fewest = math.ceil(len(pairs) * hours * columns / CELLS)
    began = time.perf_counter()
    plan = boxes(pairs, hours, Limit(CELLS // columns, COINS))
    assert time.perf_counter() - began < 1
    assert fewest <= len(plan) <= fewest * 1.1
    assert set(cells(plan, pairs).values()) == {1}
    assert sum(cells(plan, pairs).values()) == len(pairs) * hours
    assert max(len(box.exchanges) * len(box.subjects) * box.steps * columns for box in plan) <= CELLS
