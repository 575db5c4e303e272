"""Ticks on their way into the store: while the database does not keep up, the least valuable are dropped. No I/O."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from app.records import Depth, OptionTrade, Quote

Tick = Quote | OptionTrade | Depth
Fact = Literal["option_tick", "depth", "option_trade"]
LEAST_VALUABLE_FIRST: tuple[Fact, ...] = ("option_tick", "depth", "option_trade")
FACTS: dict[type[Tick], Fact] = {Quote: "option_tick", Depth: "depth", OptionTrade: "option_trade"}
WEIGHTS: dict[Fact, int] = {"option_tick": 1, "depth": 20, "option_trade": 2}
"""How much memory a row takes, in quotes: a quarter of a kilobyte."""
MOST = 200_000
"""So much waits, in quotes: 50 MB."""


@dataclass(slots=True)
class Buffer:
    """Rows by table, the oldest first, never more than `most` (weighed). `dropped` counts what was given up."""

    most: int = MOST
    dropped: Counter[str] = field(default_factory=Counter[str])
    _rows: dict[Fact, deque[Tick]] = field(default_factory=lambda: {fact: deque() for fact in LEAST_VALUABLE_FIRST})
    _weight: int = 0

    def add(self, rows: Iterable[Tick]) -> list[Tick]:
        """Take rows; returns what had to be dropped for them, the oldest of what is of least value."""
        for row in rows:
            fact = FACTS[type(row)]
            self._rows[fact].append(row)
            self._weight += WEIGHTS[fact]
        return self._relieve()

    def take(self, fact: Fact, most: int) -> list[Tick]:
        """The oldest rows of a table, no more than `most`. They are in nobody's hands but the caller's."""
        rows = self._rows[fact]
        taken = [rows.popleft() for _ in range(min(most, len(rows)))]
        self._weight -= len(taken) * WEIGHTS[fact]
        return taken

    def put_back(self, fact: Fact, rows: list[Tick]) -> list[Tick]:
        """These could not be stored; returns what had to be dropped for them."""
        self._rows[fact].extendleft(reversed(rows))
        self._weight += len(rows) * WEIGHTS[fact]
        return self._relieve()

    def drop(self, fact: Fact, rows: int) -> None:
        """Count rows that are given up for another reason."""
        self.dropped[fact] += rows

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def _relieve(self) -> list[Tick]:
        gone: list[Tick] = []
        for fact in LEAST_VALUABLE_FIRST:
            rows = self._rows[fact]
            while self._weight > self.most and rows:
                gone.append(rows.popleft())
                self._weight -= WEIGHTS[fact]
                self.dropped[fact] += 1
        return gone
