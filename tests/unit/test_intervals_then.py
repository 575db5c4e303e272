"""An interval as the settlements up to it tell: what `intervals` says last of every beginning of a history."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.intervals import HOUR_US, intervals, intervals_then

FALLBACK = 7.0
spacings = st.sampled_from([1.0, 2.0, 4.0, 6.0, 8.0, 8.0, 1.0, 3.0, 0.5, 16.0])
said = st.sampled_from([np.nan, np.nan, np.nan, np.nan, 1.0, 2.0, 3.0, 8.0])
histories = st.lists(st.tuples(spacings, said), min_size=1, max_size=14)


def of(history: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    steps = [round(step * HOUR_US) for step, _ in history]
    return np.cumsum(np.array(steps, dtype=np.int64)), np.array([hours for _, hours in history])


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(history=histories)
def test_every_beginning_of_a_history(history: list[tuple[float, float]]) -> None:
    times, declared = of(history)
    then = intervals_then(times, declared)
    for n in range(1, len(times) + 1):
        judged = intervals(times[:n], declared[:n], FALLBACK)
        hours = FALLBACK if np.isnan(then.hours[n - 1]) else then.hours[n - 1]
        assert (hours, then.known[n - 1]) == (judged.hours[-1], judged.known[-1]), n


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(several=st.lists(histories, max_size=4))
def test_several_at_once(several: list[list[tuple[float, float]]]) -> None:
    parts = [of(history) for history in several]
    span = np.repeat(np.arange(len(parts)), [len(times) for times, _ in parts])
    together = [np.concatenate([part[n] for part in parts] or [np.array([], dtype=float)]) for n in (0, 1)]
    found = intervals_then(together[0].astype(np.int64), together[1], span)
    apart = [intervals_then(*part) for part in parts]
    for column in ("hours", "known"):
        expected = [value for one in apart for value in getattr(one, column).tolist()]
        np.testing.assert_array_equal(getattr(found, column), expected)
