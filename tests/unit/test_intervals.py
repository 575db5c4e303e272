"""The interval vectors of the domain rules, and the shapes real histories have."""

import numpy as np
import pytest

from app.services.intervals import HOUR_US, IntervalKnown, intervals

A, I, D = IntervalKnown.ASSUMED, IntervalKnown.INFERRED, IntervalKnown.DECLARED  # noqa: E741 - short, for the table below


def judged(hours_of_day: list[float], declared: dict[int, float] | None = None, before: float | None = None):
    times = np.array([round(h * HOUR_US) for h in hours_of_day], dtype=np.int64)
    said = np.array([(declared or {}).get(i, np.nan) for i in range(len(times))])
    found = intervals(times, said, fallback=8.0, before=before)
    return list(zip(found.hours.tolist(), found.known.tolist(), strict=True))


CASES = {
    "missing settlement stays 4": ([0, 4, 12], [(4, A), (4, I), (4, A)]),
    "missing settlement, settled by later rows": ([0, 4, 12, 16], [(4, A), (4, I), (4, A), (4, I)]),
    "change 8 to 4 at once": ([0, 8, 16, 20, 24], [(8, A), (8, I), (8, I), (4, I), (4, I)]),
    "longer twice running is a change": ([0, 1, 2, 10, 18], [(1, A), (1, I), (1, I), (8, I), (8, I)]),
    "one longer step, then a longer one": ([0, 1, 2, 8, 16, 24], [(1, A), (1, I), (1, I), (6, I), (8, I), (8, I)]),
    "a last longer step is left open": ([0, 1, 2, 10], [(1, A), (1, I), (1, I), (1, A)]),
    "unusual spacing is a gap": ([0, 1, 2, 5, 6], [(1, A), (1, I), (1, I), (1, A), (1, I)]),
    "days of outage": ([0, 1, 2, 146, 147], [(1, A), (1, I), (1, I), (1, A), (1, I)]),
    "two gaps apart": ([0, 1, 3, 4, 6, 7], [(1, A), (1, I), (1, A), (1, I), (1, A), (1, I)]),
    "the first spacing is a gap no rule knows": ([0, 16, 24, 32], [(8, A), (8, A), (8, I), (8, I)]),
    "alone": ([0], [(8, A)]),
    "none": ([], []),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    hours, expected = CASES[name]
    assert judged(hours) == [(float(h), int(k)) for h, k in expected]


def test_declared_wins_and_anchors_what_follows() -> None:
    assert judged([0, 4, 12, 16], {1: 4.0}) == [(4.0, A), (4.0, D), (4.0, A), (4.0, I)]
    assert judged([0], {0: 1.0}) == [(1.0, D)]


def test_interval_in_force_before_the_first_row_is_kept() -> None:
    assert judged([0, 8, 12, 16], before=4.0)[1:] == [(4.0, A), (4.0, I), (4.0, I)]


def test_the_loop_and_the_fast_path_agree() -> None:
    hours = [float(h) for h in range(0, 80, 8)]
    fast = judged(hours)
    slow = judged([*hours, 84.0])[:-1]
    assert fast == slow
