"""What is told, taken apart: quotes and trades wait to be stored, books are kept. No I/O, no clock."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from app.ingest.spec import Bad
from app.ingest.ticks.books import Became, Books, Unknown
from app.ingest.ticks.noting import Noted
from app.ingest.ticks.rows import of_depth, of_quote, of_trade
from app.ingest.ticks.saving import Saving
from app.ingest.ticks.sequences import Hole, Sequences, runs
from app.records import BookChange, OptionTrade, Quote, Record
from app.services.reference import SeriesRef
from app.services.ticks import Row

LEVELS = 20
MOST_STRANGERS = 10_000
NEVER = datetime.max.replace(tzinfo=UTC)
STRANGE_FOR = timedelta(minutes=15)
"""So long a trade waits for its instrument to be listed."""
UNKNOWN = "unknown_instrument", "not among the contracts its exchange lists"


@dataclass(slots=True)
class Taking:
    """The ticks of one currency.

    `strangers` are trades of instruments that are not listed yet, and when they came; `unlisted` the numbers of those
    that waited for too long, which are asked for again once they are. Until `complete_until` all trades were asked for.
    """

    saving: Saving
    noted: Noted
    books: Books = field(default_factory=Books)
    sequences: Sequences = field(default_factory=Sequences)
    strangers: deque[tuple[OptionTrade, datetime]] = field(default_factory=deque[tuple[OptionTrade, datetime]])
    unlisted: dict[str, list[Hole]] = field(default_factory=dict[str, list[Hole]])
    complete_until: datetime = NEVER
    _refused: list[Bad] = field(default_factory=list[Bad])
    _series: Mapping[str, SeriesRef] = field(default_factory=dict[str, SeriesRef])

    def stored_until(self) -> datetime:
        """Until when every trade is stored once those that wait are."""
        strange = (trade.time for trade, _ in self.strangers)
        missing = (hole.since for hole in self.sequences.holes())
        lost = (cast("datetime", row[1]) for row in self.saving.lost)
        return min([self.complete_until, *strange, *missing, *lost])

    def take(self, records: Collection[Record], now: datetime) -> list[str]:
        """Take what a frame holds; the symbols of books that it breaks."""
        quotes = [record for record in records if isinstance(record, Quote)]
        trades = [record for record in records if isinstance(record, OptionTrade)]
        if quotes:
            self._quote(quotes, now)
        if trades:
            self.take_trades(trades, now)
        return [record.symbol for record in records if isinstance(record, BookChange) and self._breaks(record)]

    def _quote(self, quotes: Iterable[Quote], now: datetime) -> None:
        known = ((quote, self._series.get(quote.symbol)) for quote in quotes)
        self.saving.add("option_tick", [of_quote(quote, ref.id, now) for quote, ref in known if ref])

    def take_trades(self, trades: Iterable[OptionTrade], now: datetime) -> None:
        """Take trades, each once. Of an instrument that nobody knew, the first trade is number 1."""
        rows: list[Row] = []
        for trade in trades:
            ref = self._series.get(trade.symbol)
            if ref is None and not self.sequences.knows(trade.symbol):
                self.sequences.begin({trade.symbol: (0, min(trade.time, self.complete_until))})
            if not self.sequences.take(trade.symbol, trade.seq, trade.time):
                continue
            if ref is None:
                self.strangers.append((trade, now))
            else:
                rows.append(of_trade(trade, ref.id, now))
        if rows:
            self.saving.add("option_trade", rows)
        if len(self.strangers) > MOST_STRANGERS:
            self._refuse([self.strangers.popleft()[0] for _ in range(MOST_STRANGERS // 2)])

    def _refuse(self, trades: Collection[OptionTrade]) -> None:
        """These are not kept: once their instruments are listed they are missing."""
        self._refused += [Bad(trade.symbol, *UNKNOWN) for trade in trades]
        for symbol, told in _by_symbol((trade.symbol, trade.seq, trade.time) for trade in trades).items():
            self.unlisted.setdefault(symbol, []).extend(runs(symbol, told))

    def _breaks(self, change: BookChange) -> bool:
        """Whether a change breaks its book."""
        became = self.books.take(change)
        if isinstance(became, Unknown):
            self.noted.note(became.symbol, "book", became.since, became.until)
        return became is Became.BROKEN

    def know(self, series: Mapping[str, SeriesRef], now: datetime) -> list[Bad]:
        """These are the series there are. Strangers among them are taken; those that stay so for long are refused."""
        self._series = series
        for symbol in self.unlisted.keys() & series.keys():
            self.sequences.miss(self.unlisted.pop(symbol))
        waiting = [*self.strangers]
        self.strangers.clear()
        rows = [of_trade(trade, series[trade.symbol].id, at) for trade, at in waiting if trade.symbol in series]
        self.saving.add("option_trade", rows)
        strange = [(trade, at) for trade, at in waiting if trade.symbol not in series]
        self.strangers.extend((trade, at) for trade, at in strange if now - at < STRANGE_FOR)
        self._refuse([trade for trade, at in strange if now - at >= STRANGE_FOR])
        refused, self._refused = self._refused, []
        return refused

    def see_depths(self, now: datetime) -> None:
        """How every book stands."""
        depths = (depth for depth in self.books.depths(LEVELS, now) if depth.symbol in self._series)
        self.saving.add("depth", [of_depth(depth, self._series[depth.symbol].id, now) for depth in depths])

    def note_unknown(self, now: datetime) -> None:
        """Books that are not known, as far as that has gone."""
        for one in self.books.unknown(now):
            self.noted.note(one.symbol, "book", one.since, one.until)

    def miss_lost(self) -> None:
        """Trades that had to be dropped are missing again: they can be had once more when there is room."""
        lost, self.saving.lost = self.saving.lost, []
        if not lost:
            return
        symbols: Mapping[object, str] = {ref.id: symbol for symbol, ref in self._series.items()}
        told = ((symbols[series], cast("int", seq), cast("datetime", time)) for series, time, seq, *_ in lost)
        for symbol, trades in _by_symbol(told).items():
            self.sequences.miss(runs(symbol, trades))


def _by_symbol(trades: Iterable[tuple[str, int, datetime]]) -> Mapping[str, list[tuple[int, datetime]]]:
    """Numbers and times of trades of each instrument."""
    found = defaultdict[str, list[tuple[int, datetime]]](list)
    for symbol, seq, time in trades:
        found[symbol].append((seq, time))
    return found
