"""Numbers of trades: which came, which came already, and which are missing. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Hole:
    """Trades `first` to `last` of an instrument that did not come, though those around them did.

    They were between `since` and `until`.
    """

    symbol: str
    first: int
    last: int
    since: datetime
    until: datetime

    def without(self, seq: int) -> "Iterable[Hole]":
        """What is missing still when one of them has come."""
        for first, last in ((self.first, seq - 1), (seq + 1, self.last)):
            if first <= last:
                yield Hole(self.symbol, first, last, self.since, self.until)


@dataclass(slots=True)
class _Numbers:
    """The numbers of one instrument: the lowest and highest there are, when these were, and what is missing between."""

    oldest: int
    since: datetime
    newest: int
    until: datetime
    holes: list[Hole] = field(default_factory=list[Hole])


@dataclass(slots=True)
class Sequences:
    """The numbers of the trades of many instruments, which grow by one with each."""

    _of: dict[str, _Numbers] = field(default_factory=dict[str, _Numbers])

    def begin(self, newest: Mapping[str, tuple[int, datetime]]) -> None:
        """These are there: each instrument's highest number, and when that was; of a new one 0."""
        for symbol, (seq, time) in newest.items():
            self._of.setdefault(symbol, _Numbers(seq, time, seq, time))

    def miss(self, holes: Iterable[Hole]) -> None:
        """These numbers are missing."""
        for hole in holes:
            numbers = self._of.setdefault(hole.symbol, _Numbers(hole.first, hole.since, hole.last, hole.until))
            if not any(one.first <= hole.last and hole.first <= one.last for one in numbers.holes):
                numbers.holes.append(hole)

    def take(self, symbol: str, seq: int, time: datetime) -> bool:
        """Whether a trade is a new one; what is left out between it and the others is missing from now on."""
        numbers = self._of.get(symbol)
        if numbers is None:
            self._of[symbol] = _Numbers(seq, time, seq, time)
            return True
        if _filled(numbers, seq):
            return True
        if seq > numbers.newest:
            if seq > numbers.newest + 1:
                numbers.holes.append(Hole(symbol, numbers.newest + 1, seq - 1, numbers.until, time))
            numbers.newest, numbers.until = seq, time
            return True
        if seq < numbers.oldest:
            if seq < numbers.oldest - 1:
                numbers.holes.append(Hole(symbol, seq + 1, numbers.oldest - 1, time, numbers.since))
            numbers.oldest, numbers.since = seq, time
            return True
        return False

    def knows(self, symbol: str) -> bool:
        """Whether any number of an instrument is known."""
        return symbol in self._of

    def holes(self) -> list[Hole]:
        """All that is missing, by instrument."""
        return [hole for numbers in self._of.values() for hole in numbers.holes]

    def missing(self, hole: Hole) -> list[Hole]:
        """What is missing still of one."""
        numbers = self._of.get(hole.symbol)
        return [one for one in numbers.holes if hole.first <= one.first and one.last <= hole.last] if numbers else []

    def cut(self, hole: Hole, most: int) -> Hole | None:
        """The newest numbers of one, `most` at most: a hole of their own from now on, as the others are.

        None where it is not as it was any more.
        """
        holes = self._of[hole.symbol].holes
        if hole not in holes:
            return None
        first = max(hole.first, hole.last - most + 1)
        newest, at = replace(hole, first=first), holes.index(hole)
        holes[at : at + 1] = [replace(hole, last=first - 1), newest] if first > hole.first else [newest]
        return newest

    def give_up_before(self, symbol: str, seq: int, since: datetime) -> None:
        """What is missing since then of numbers below this one is of before that."""
        numbers = self._of[symbol]
        numbers.holes = [one for one in numbers.holes if one.last >= seq or one.since != since]

    def give_up(self, hole: Hole) -> None:
        """What is missing of one is asked for no more."""
        left = self.missing(hole)
        if left:
            numbers = self._of[hole.symbol]
            numbers.holes = [one for one in numbers.holes if one not in left]


def _filled(numbers: _Numbers, seq: int) -> bool:
    """Whether a number was missing: then it is no more."""
    for at, hole in enumerate(numbers.holes):
        if hole.first <= seq <= hole.last:
            numbers.holes[at : at + 1] = hole.without(seq)
            return True
    return False


def runs(symbol: str, trades: Iterable[tuple[int, datetime]]) -> list[Hole]:
    """Numbers and times of trades that are lost, as few holes as they make."""
    found: list[Hole] = []
    for seq, time in sorted(trades):
        if found and found[-1].last == seq - 1:
            found[-1] = Hole(symbol, found[-1].first, seq, found[-1].since, time)
        else:
            found.append(Hole(symbol, seq, seq, time, time))
    return found
