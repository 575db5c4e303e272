"""Ticks on their way into the store: while the database does not keep up, the least valuable are dropped. No I/O."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from app.services.ticks import Row

LEAST_VALUABLE_FIRST = ("option_tick", "depth", "option_trade")
WEIGHTS: Mapping[str, int] = {"option_tick": 1, "depth": 10, "option_trade": 2}
"""How much memory a row takes, in quotes: about 300 bytes."""
MOST = 150_000
"""So much waits, in quotes: 45 MB."""


@dataclass(slots=True)
class Buffer:
    """Rows by table, the oldest first, never more than `most`, weighed. `dropped` counts what was given up."""

    most: int = MOST
    dropped: Counter[str] = field(default_factory=Counter[str])
    _rows: dict[str, deque[Row]] = field(default_factory=lambda: {fact: deque() for fact in LEAST_VALUABLE_FIRST})
    _weight: int = 0

    def add(self, fact: str, rows: Iterable[Row]) -> list[Row]:
        """Take rows; returns the trades that had to be dropped for them, which is the last to happen."""
        kept = self._rows[fact]
        before = len(kept)
        kept.extend(rows)
        self._weight += (len(kept) - before) * WEIGHTS[fact]
        return self._relieve() if self._weight > self.most else []

    def take(self, fact: str, most: int) -> list[Row]:
        """The oldest rows of a table, no more than `most`, which are in the caller's hands from now on."""
        rows = self._rows[fact]
        taken = [rows.popleft() for _ in range(min(most, len(rows)))]
        self._weight -= len(taken) * WEIGHTS[fact]
        return taken

    def put_back(self, fact: str, rows: list[Row]) -> list[Row]:
        """These could not be stored; returns the trades that had to be dropped for them."""
        self._rows[fact].extendleft(reversed(rows))
        self._weight += len(rows) * WEIGHTS[fact]
        return self._relieve()

    def waiting(self, fact: str) -> int:
        """Rows of a table that are here."""
        return len(self._rows[fact])

    def _relieve(self) -> list[Row]:
        gone: list[Row] = []
        for fact in LEAST_VALUABLE_FIRST:
            rows = self._rows[fact]
            over = -(-max(0, self._weight - self.most) // WEIGHTS[fact])
            gone = [*islice(rows, over)]
            self._drop(fact, len(gone))
        return gone

    def _drop(self, fact: str, number: int) -> None:
        rows = self._rows[fact]
        for _ in range(number):
            rows.popleft()
        self._weight -= number * WEIGHTS[fact]
        self.dropped[fact] += number
