"""Which minutes are missing of what is collected. No I/O, no clock."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.ingest.minutes import MINUTE, floor
from app.ingest.spec import Source
from app.services.gaps import Hole
from app.services.reference import SeriesRef

COMPLETE = timedelta(seconds=8)
"""So long after its end a minute is to be complete."""
LONGEST = timedelta(minutes=15)
"""A hole that goes on for longer is followed by another one."""
MOST_HOLES = 100_000
COLUMNS: Mapping[str, frozenset[str]] = {
    "candles_1m": frozenset({"close"}),
    "open_interest": frozenset({"oi_base", "oi_usd"}),
    "predicted_funding": frozenset({"predicted_rate"}),
    "taker_volume": frozenset({"buy_volume_base"}),
}
"""Datasets of which every minute tells something, and what: one of these."""
NOT_EVERY_MINUTE = frozenset({"liquidations", "long_short"})
"""Others of which the ledger is told."""
TELLING: Mapping[str, frozenset[str]] = {**COLUMNS, "long_short": frozenset({"long_short_ratio"})}
"""Columns of a minute that a dataset of the ledger is about."""

Stretch = tuple[str, str, datetime, datetime]
"""A symbol, a dataset, and from when until when."""


def datasets_of(columns: Iterable[str]) -> frozenset[str]:
    """The datasets that these columns of a minute are of."""
    told = frozenset(columns)
    return frozenset(dataset for dataset, names in TELLING.items() if not names.isdisjoint(told))


def expected(source: Source) -> frozenset[str]:
    """What a source tells of its minutes as they pass."""
    told = {channel.dataset for socket in source.sockets for channel in socket.channels}
    return frozenset(told.union(*(feed.facts for feed in source.polls)))


def unheard(source: Source, heard: Mapping[str, datetime]) -> dict[str, datetime]:
    """Since when what a source tells was not heard by all its collectors, by dataset; `heard`: each one's last, by id.

    Those that are told every minute count from when the last of them ended: what others missed before was noticed.
    A dataset that sockets tell is what they heard, whatever was asked for beside.
    """
    told = defaultdict[str, list[datetime]](list)
    for poll in source.polls:
        for dataset in poll.facts:
            told[dataset] += [last for id, last in heard.items() if id == f"{source.id}:poll:{poll.dataset}"]
    for socket in source.sockets:
        ends = [last for id, last in heard.items() if id.startswith(f"{source.id}:{socket.id}:")]
        for dataset in {channel.dataset for channel in socket.channels} if ends else ():
            told[dataset] = ends
    return {name: (min if name in NOT_EVERY_MINUTE else max)(ends) for name, ends in told.items() if ends}


@dataclass(slots=True)
class Missing:
    """The holes of one source that were noticed and not yet entered into the ledger."""

    datasets: frozenset[str]
    _since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _begun: dict[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])
    _noticed: dict[tuple[str, str, datetime], datetime] = field(
        default_factory=dict[tuple[str, str, datetime], datetime]
    )
    _checked: datetime | None = None

    def want(self, symbols: Iterable[str], now: datetime) -> None:
        """Minutes of these are to be complete; of one that is new those that begin from now on."""
        self._since = {symbol: self._since.get(symbol, now) for symbol in symbols}

    def check(self, now: datetime, told: Callable[[str, datetime], Collection[str]]) -> None:
        """Notice what is not `told` of minutes that should be complete by now."""
        newest = floor(now - COMPLETE) - MINUTE
        start = self._checked + MINUTE if self._checked else newest
        while start <= newest:
            for symbol, since in self._since.items():
                if since <= start:
                    self._check(symbol, start, told(symbol, start))
            start += MINUTE
        self._checked = newest

    def _check(self, symbol: str, start: datetime, columns: Collection[str]) -> None:
        for dataset in COLUMNS.keys() & self.datasets:
            if COLUMNS[dataset].isdisjoint(columns):
                first = self._begun.get((symbol, dataset), start)
                first = first if start - first < LONGEST else start
                self._begun[symbol, dataset] = first
                self._notice(symbol, dataset, first, start + MINUTE)
            else:
                self._begun.pop((symbol, dataset), None)

    def note_break(self, dataset: str, symbols: Iterable[str], since: datetime, until: datetime) -> None:
        """A dataset was not listened to. Of those told every minute, `check` sees what that has cost."""
        if dataset in NOT_EVERY_MINUTE:
            for symbol in symbols:
                self._notice(symbol, dataset, floor(since), floor(until) + MINUTE)

    def note_absence(self, symbols: Collection[str], since: Mapping[str, datetime], until: datetime) -> None:
        """Nobody listened to these datasets, to each `since` then."""
        for dataset in since.keys() & self.datasets & (COLUMNS.keys() | NOT_EVERY_MINUTE):
            for symbol in symbols:
                self._notice(symbol, dataset, floor(since[dataset]), floor(until) + MINUTE)

    def note_failure(self, dataset: str, symbol: str, now: datetime, period: timedelta) -> None:
        """What is asked for less often than every minute was not answered."""
        if dataset in NOT_EVERY_MINUTE:
            self._notice(symbol, dataset, floor(now - period), floor(now) + MINUTE)

    def note_lost(self, stretches: Iterable[Stretch]) -> None:
        """What was known could not be stored."""
        for symbol, dataset, first, last in stretches:
            if dataset in self.datasets:
                self._notice(symbol, dataset, first, last)

    def holes(self, series: Mapping[str, SeriesRef]) -> list[Hole]:
        """What was noticed and is not entered yet."""
        stretches = self._noticed.items()
        return [Hole(series[key[0]].id, key[1], key[2], last) for key, last in stretches if key[0] in series]

    def entered(self, holes: Iterable[Hole], series: Mapping[str, SeriesRef]) -> None:
        """These are in the ledger. One that has grown meanwhile is not, as far as it goes now."""
        names = {ref.id: symbol for symbol, ref in series.items()}
        for hole in holes:
            key = names[hole.series_id], hole.dataset, hole.first
            if self._noticed.get(key) == hole.last:
                del self._noticed[key]

    def _notice(self, symbol: str, dataset: str, first: datetime, last: datetime) -> None:
        key = symbol, dataset, first
        if key in self._noticed or len(self._noticed) < MOST_HOLES:
            self._noticed[key] = max(last, self._noticed.get(key, last))
