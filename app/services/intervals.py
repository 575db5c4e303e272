"""The interval of each settlement, read off the spacing of settlements.

Rules (domain rules, section 2): the interval is the spacing to the settlement before, if it is one that exchanges use.
A shorter spacing is a change at once. A longer one is a gap when a shorter one follows that it is a multiple of, and
the interval stays; seen twice running it is a change. The first settlement, and one after a gap, takes its
neighbour's interval as assumed, and a last long spacing is left open until a later row settles it.

So an interval may be owed to later settlements; `intervals_then` says what the settlements up to each one tell.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

HOUR_US = 3_600_000_000
USUAL_HOURS = frozenset({1.0, 2.0, 4.0, 6.0, 8.0})

Times = NDArray[np.int64]
Hours = NDArray[np.float64]
Known = NDArray[np.int16]


class IntervalKnown(IntEnum):
    """How the interval of a settlement is known, weakest first; stored as this number, served by this name."""

    ASSUMED = 0
    INFERRED = 1
    DECLARED = 2


ASSUMED, INFERRED, DECLARED = map(int, IntervalKnown)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Hours and how they are known, one of each a settlement."""

    hours: Hours
    known: Known


def intervals(times: Times, declared: Hours, fallback: float, before: float | None = None) -> Intervals:
    """Intervals of one instrument's settlements.

    `times`: ascending epoch microseconds. `declared`: hours where the exchange declared them for that settlement, else
    NaN. `fallback`: hours assumed when not even one spacing is known. `before`: the interval in force at `times[0]`
    where earlier settlements are known (then `times[0]` itself is not judged anew, only passed through).
    """
    spacing = np.full(len(times), np.nan)
    spacing[1:] = np.diff(times) / HOUR_US
    steady = _steady(spacing, declared, before)
    return steady if steady is not None else _judged(spacing, declared, fallback, before)


def _steady(spacing: Hours, declared: Hours, before: float | None) -> Intervals | None:
    """The common cases without a loop: all declared, or nothing declared and one spacing throughout."""
    if not np.isnan(declared).any():
        return Intervals(declared.copy(), np.full(len(spacing), DECLARED, dtype=np.int16))
    if len(spacing) < 2 or not np.isnan(declared).all():
        return None
    first = float(spacing[1])
    if first not in USUAL_HOURS or before not in (None, first) or not (spacing[1:] == first).all():
        return None
    known = np.full(len(spacing), IntervalKnown.INFERRED, dtype=np.int16)
    known[0] = IntervalKnown.ASSUMED if before is None else IntervalKnown.INFERRED
    return Intervals(np.full(len(spacing), first), known)


def _judged(spacing: Hours, declared: Hours, fallback: float, before: float | None) -> Intervals:
    hours: list[float] = []
    known: list[int] = []
    current = before
    waiting = 0  # settlements with no interval before them: they take the next one found
    for i, (gap, said) in enumerate(zip(spacing.tolist(), declared.tolist(), strict=True)):
        how = INFERRED
        if said == said:
            current, how = said, DECLARED
        elif i == 0 or not _is_interval(spacing, i, gap, current):
            how = ASSUMED
        else:
            current = gap
        if current is None:
            waiting += 1
            continue
        if waiting:
            hours, known, waiting = [current] * waiting, [ASSUMED] * waiting, 0
        hours.append(current)
        known.append(how)
    return _columns(hours + [fallback] * waiting, known + [ASSUMED] * waiting)


def _columns(hours: list[float], known: list[int]) -> Intervals:
    return Intervals(np.array(hours, dtype=np.float64), np.array(known, dtype=np.int16))


def _is_interval(spacing: Hours, i: int, gap: float, current: float | None) -> bool:
    """Is this spacing an interval, or a gap in the settlements we know?"""
    if gap not in USUAL_HOURS:
        return False
    if current is None or gap <= current or gap % current != 0:
        return True
    following = _next_usual(spacing, i)
    if following is None:
        return False
    return following >= gap or gap % following != 0


def _next_usual(spacing: Hours, i: int) -> float | None:
    """The next spacing that is one exchanges use; the others are gaps and say nothing."""
    return next((float(s) for s in spacing[i + 1 :] if s in USUAL_HOURS), None)


def intervals_then(times: Times, declared: Hours, span: Times | None = None, *, cut: bool = False) -> Intervals:
    """The interval of each settlement as those up to it tell: the last of `intervals` of every beginning of `times`.

    `times`, `declared`: as `intervals` takes them, of one instrument or of several (`span`: which, rising). NaN hours,
    assumed, where no settlement tells one yet. `cut`: there are earlier ones; NaN also where these have a say.
    """
    span = np.zeros(len(times), dtype=np.int64) if span is None else span
    said = ~np.isnan(declared)
    told = np.where(said, declared, _usual(np.diff(times, prepend=times[:1]) / HOUR_US, span))
    tells = ~np.isnan(told)
    telling = np.flatnonzero(tells)
    hours, known = _held_then(told[telling], said[telling], span[telling], cut)
    last = np.cumsum(tells) - 1
    there = last >= 0
    there[there] = span[telling[last[there]]] == span[there]
    found = Intervals(np.full(len(times), np.nan), np.full(len(times), ASSUMED, dtype=np.int16))
    found.hours[there] = hours[last[there]]
    found.known[telling] = known
    return found


def _usual(spacing: Hours, span: Times) -> Hours:
    """The spacings to the settlement before that exchanges use, else NaN."""
    follows = np.diff(span, prepend=span[:1] - 1) == 0
    return np.where(follows & np.isin(spacing, list(USUAL_HOURS)), spacing, np.nan)


def _held_then(told: Hours, said: NDArray[np.bool_], span: Times, cut: bool) -> tuple[Hours, Known]:
    """Of what each telling settlement tells, what could be held of it then.

    Back from it, each that is a multiple of the one after it was a gap by then. The first that is not holds on where
    what is told now is a multiple of it.
    """
    now = np.arange(len(told))
    before, following = now - 1, now.copy()
    while True:
        there = (before >= 0) & (span[before] == span)
        skipped = there & ~said[before] & _multiple(told[before], told[following])
        if not skipped.any():
            break
        following = np.where(skipped, before, following)
        before = before - skipped
    open_still = there & ~said & _multiple(told, told[before])
    known = np.where(said, DECLARED, np.where(open_still, ASSUMED, INFERRED))
    hours = np.where(open_still, told[before], told)
    return np.where(cut & ~there & ~said, np.nan, hours), known.astype(np.int16)


def _multiple(longer: Hours, shorter: Hours) -> NDArray[np.bool_]:
    found = longer > shorter
    found[found] = longer[found] % shorter[found] == 0
    return found
