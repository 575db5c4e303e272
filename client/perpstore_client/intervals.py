"""The interval of each settlement as those up to it tell: what is stored with it may be owed to later ones."""

from collections.abc import Sequence
from typing import NamedTuple

from perpstore_client.times import HOUR_US

USUAL_US = {hours * HOUR_US: float(hours) for hours in (1, 2, 4, 6, 8)}


class Told(NamedTuple):
    """A settlement as it is stored: epoch microseconds, rate as paid, its interval, and how that is known."""

    us: int
    rate: float
    hours: float
    known: str


def intervals_then(told: Sequence[Told], assumed: float) -> list[float]:
    """Hours of each settlement of a series, which come in order of time; `assumed` until one tells.

    A settlement tells an interval that is declared, or its spacing to the one before if exchanges use it. One that is
    longer by a multiple is a gap until it is seen twice running, or until what follows says otherwise.
    """
    telling: list[tuple[float, bool]] = []
    hours, before = assumed, None
    found: list[float] = []
    for us, _, stored, known in told:
        spacing = USUAL_US.get(us - before) if before is not None else None
        now = spacing if known == "assumed" else stored
        if now is not None:
            hours = now if known == "declared" else _held(telling, now)
            telling.append((now, known == "declared"))
        found.append(hours)
        before = us
    return found


def _held(telling: Sequence[tuple[float, bool]], now: float) -> float:
    """Back from now, each that is a multiple of the one after it was a gap; the first that is not may hold on."""
    following = now
    for hours, declared in reversed(telling):
        if declared or not _multiple(hours, following):
            return hours if _multiple(now, hours) else now
        following = hours
    return now


def _multiple(longer: float, shorter: float) -> bool:
    return longer > shorter and longer % shorter == 0
