"""Step functions of time: what is in force at an instant, found by bisection."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


NEVER = 2**63


@dataclass(frozen=True, slots=True)
class Steps(Generic[Out]):
    """`values[n + 1]` holds from `starts[n]` (epoch microseconds, included) until the next start; None: nothing does.

    `values[0]` is what holds before the first.
    """

    starts: list[int]
    values: list[Out | None]

    def at(self, us: int) -> Out | None:
        """What holds at an instant. Only what starts at or before it is looked at."""
        return self.values[bisect_right(self.starts, us)]


def in_force(facts: Iterable[tuple[int, Out, int]]) -> Steps[Out]:
    """Each fact (instant, value, microseconds) holds until the next one, and no longer than its time, which counts."""
    told = sorted(facts, key=itemgetter(0))
    starts: list[int] = []
    values: list[Out | None] = [None]
    for (start, value, life), following in zip(told, [*(fact[0] for fact in told[1:]), NEVER], strict=True):
        if following == start:
            continue
        starts.append(start)
        values.append(value)
        if start + life + 1 < following:
            starts.append(start + life + 1)
            values.append(None)
    return Steps(starts, values)


def combined(members: Sequence[Steps[In]], pick: Callable[[Sequence[In | None]], Out | None]) -> Steps[Out]:
    """What `pick` makes of the values of all members, in their order, at every instant."""
    changes = [
        (start, place, value)
        for place, member in enumerate(members)
        for start, value in zip(member.starts, member.values[1:], strict=True)
    ]
    changes.sort(key=itemgetter(0))
    now: list[In | None] = [None] * len(members)
    starts: list[int] = []
    values: list[Out | None] = [pick(now)]
    for start, several in groupby(changes, key=itemgetter(0)):
        for _, place, value in several:
            now[place] = value
        starts.append(start)
        values.append(pick(now))
    return Steps(starts, values)


def first(values: Sequence[In | None]) -> In | None:
    """The first that is not None."""
    return next((value for value in values if value is not None), None)
