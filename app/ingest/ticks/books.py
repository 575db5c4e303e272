"""Order books kept from their changes. No I/O, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from heapq import nlargest, nsmallest

from app.records import BookChange, Depth, Level

SOON = timedelta(seconds=30)
"""So long a book that is wanted may take to be told whole, until it counts as missing."""


class Became(Enum):
    """What a change did to its book."""

    WHOLE = "whole"  # it is known now, and was not before
    CHANGED = "changed"
    JUMPED = "jumped"  # all of it is told again, and something before that was missed
    TOLD = "told already"
    BROKEN = "broken"  # something before it is missing
    IGNORED = "ignored"  # of a book that is not known


@dataclass(slots=True)
class Book:
    """One order book: amounts by price, as of its last change. It is `whole` from an answer of all of it to a break."""

    symbol: str
    whole: bool = False
    change_id: int | None = None
    time: datetime | None = None
    bids: dict[float, float] = field(default_factory=dict[float, float])
    asks: dict[float, float] = field(default_factory=dict[float, float])

    def take(self, change: BookChange) -> Became:
        """Apply a change. One that does not follow upon the last one breaks the book, and is not applied."""
        if self._knows(change):
            return Became.TOLD
        if change.whole or not change.previous_id:  # a fresh book may begin as a change that follows upon nothing
            return self._replace(change)
        if not self.whole:
            return Became.IGNORED
        if change.previous_id != self.change_id:
            self.whole = False
            return Became.BROKEN
        self._apply(change)
        return Became.CHANGED

    def _knows(self, change: BookChange) -> bool:
        """Two connections that follow each other tell the same for a moment. Ids may begin anew, time does not."""
        if not self.whole or self.change_id is None or self.time is None:
            return False
        return change.change_id <= self.change_id and change.time <= self.time

    def _replace(self, change: BookChange) -> Became:
        follows = self.change_id in (change.change_id, change.previous_id)
        became = Became.WHOLE if not self.whole else Became.CHANGED if follows else Became.JUMPED
        self.bids.clear()
        self.asks.clear()
        self._apply(change)
        self.whole = True
        return became

    def _apply(self, change: BookChange) -> None:
        _set(self.bids, change.bids)
        _set(self.asks, change.asks)
        self.change_id, self.time = change.change_id, change.time

    def depth(self, levels: int, time: datetime) -> Depth | None:
        """The best levels as of `time`; None where the book is not known."""
        if not self.whole:
            return None
        bids = nlargest(levels, self.bids.items())
        asks = nsmallest(levels, self.asks.items())
        return Depth(self.symbol, time, self.change_id, tuple(bids), tuple(asks))


def _set(side: dict[float, float], levels: Iterable[Level]) -> None:
    for price, amount in levels:
        if amount:
            side[price] = amount
        else:
            side.pop(price, None)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A book was not known from its last good change until all of it was told again."""

    symbol: str
    since: datetime
    until: datetime


@dataclass(slots=True)
class Books:
    """The books of many instruments, and the times in which one was not known that had been before, or ought to be."""

    _books: dict[str, Book] = field(default_factory=dict[str, Book])
    _since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _expected: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def take(self, change: BookChange) -> Became | Unknown:
        """Apply a change. The time a book was not known for is told as it is known again."""
        book = self._books.setdefault(change.symbol, Book(change.symbol))
        last = book.time
        became = book.take(change)
        if became in (Became.BROKEN, Became.JUMPED):
            self._since.setdefault(change.symbol, last or change.time)
        if became is Became.IGNORED and change.symbol in self._expected:
            self._since.setdefault(change.symbol, self._expected.pop(change.symbol))
        if became in (Became.WHOLE, Became.JUMPED) and (since := self._found(change)):
            return Unknown(change.symbol, since, max(since, change.time))
        return became

    def _found(self, change: BookChange) -> datetime | None:
        """Since when a book was missing that is told now; None where it was not."""
        expected = self._expected.pop(change.symbol, None)
        late = expected and change.time - expected >= SOON
        return self._since.pop(change.symbol, expected if late else None)

    def expect(self, symbols: Iterable[str], now: datetime) -> None:
        """These are listened to from now on, if they were not yet: all of each ought to be told soon."""
        for symbol in symbols:
            book = self._books.get(symbol)
            if symbol not in self._since and not (book and book.whole):
                self._expected.setdefault(symbol, now)

    def lose(self, symbols: Iterable[str]) -> None:
        """Changes of these are not told any more."""
        for symbol in symbols:
            book = self._books.get(symbol)
            if book and book.whole and book.time:
                book.whole = False
                self._since.setdefault(symbol, book.time)

    def miss(self, symbols: Iterable[str], since: datetime) -> None:
        """These were known until `since`, by somebody before us."""
        for symbol in symbols:
            self._since.setdefault(symbol, since)

    def keep(self, symbols: Iterable[str]) -> None:
        """Only these are wanted from now on."""
        wanted = frozenset(symbols)
        self._books = {symbol: book for symbol, book in self._books.items() if symbol in wanted}
        self._since = {symbol: since for symbol, since in self._since.items() if symbol in wanted}
        self._expected = {symbol: since for symbol, since in self._expected.items() if symbol in wanted}

    def unknown(self, until: datetime) -> list[Unknown]:
        """The times that go on."""
        late = {symbol: since for symbol, since in self._expected.items() if until - since >= SOON}
        return [Unknown(symbol, since, until) for symbol, since in {**late, **self._since}.items() if since < until]

    def depths(self, levels: int, time: datetime) -> list[Depth]:
        """The best levels of every book that is known."""
        found = (book.depth(levels, time) for book in self._books.values())
        return [depth for depth in found if depth]
