"""What is missing of ticks and cannot be had any more, on its way into the ledger of gaps. No I/O, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.services import gaps
from app.services.gaps import Dataset, Reason
from app.services.reference import SeriesRef

QUIET = timedelta(minutes=5)
"""Quotes are missing where nobody listened for longer than that."""
SHORTEST = timedelta(milliseconds=1)
MOST = 100_000
NO_HISTORY = "the exchange tells no history of it"
NOT_THERE = "the exchange was asked and has no such trades: numbers {first} to {last}"


@dataclass(slots=True)
class Noted:
    """Stretches that were noticed and not yet entered. One that is noticed again may have grown."""

    _stretches: dict[tuple[str, Dataset, datetime], gaps.Hole] = field(
        default_factory=dict[tuple[str, Dataset, datetime], gaps.Hole]
    )

    def note(
        self,
        symbol: str,
        dataset: Dataset,
        first: datetime,
        last: datetime,
        reason: Reason = "outage",
        detail: str = NO_HISTORY,
    ) -> None:
        """A dataset of an instrument is missing from `first` to `last`."""
        key = symbol, dataset, first
        if key in self._stretches or len(self._stretches) < MOST:
            last = max(last, first + SHORTEST)
            self._stretches[key] = gaps.Hole(0, dataset, first, last, reason, "unfillable", detail)

    def quotes(self, symbols: Iterable[str], since: datetime, until: datetime) -> None:
        """Nobody listened to the quotes of these; what was short is not noted."""
        if until - since > QUIET:
            for symbol in symbols:
                self.note(symbol, "quotes", since, until)

    def holes(self, series: Mapping[str, SeriesRef]) -> dict[tuple[str, Dataset, datetime], gaps.Hole]:
        """What is to be entered, of instruments that have a series."""
        return {
            key: gaps.Hole(series[key[0]].id, hole.dataset, hole.first, hole.last, hole.reason, hole.state, hole.detail)
            for key, hole in self._stretches.items()
            if key[0] in series
        }

    def entered(self, holes: Mapping[tuple[str, Dataset, datetime], gaps.Hole]) -> None:
        """These are in the ledger, as far as they went then."""
        for key, hole in holes.items():
            if (noted := self._stretches.get(key)) and noted.last == hole.last:
                del self._stretches[key]
