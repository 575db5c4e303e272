"""Minutes made of what sockets and polls tell of them, in any order and more than once. No I/O, no clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.ingest.minute import Minute, of_candle
from app.ingest.spec import DOLLARS, Bad
from app.records import Candle, Instrument, Liquidation, OpenInterest, PerpMinute, PredictedFunding, Record, Trade

MINUTE = timedelta(minutes=1)
GRACE = timedelta(seconds=2)
"""After its end a minute is waited for so long."""
REMEMBERED = timedelta(minutes=5)
"""What was given of a minute is known so long, to tell what is new of it."""
TRADES_REMEMBERED = timedelta(seconds=90)
"""Trades are added to their minute until so long after its start; then they are told apart no more."""

Covers = Callable[[str, str, datetime, datetime], bool]
"""Whether a dataset of a symbol was listened to without a break from one time to another."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be stored now, and what was computed but cannot be true."""

    minutes: list[PerpMinute] = field(default_factory=list[PerpMinute])
    liquidations: list[Liquidation] = field(default_factory=list[Liquidation])
    bad: list[Bad] = field(default_factory=list[Bad])


@dataclass(slots=True)
class Assembler:
    """The minutes of one source. `has_trades`: takers' volumes are added up from its trades.

    `has_liquidations`: it tells of liquidations, so that minutes without any are known to have none. What those come to
    is laid into their minutes as they are stored.
    """

    has_trades: bool = False
    has_liquidations: bool = False
    _minutes: dict[datetime, dict[str, Minute]] = field(default_factory=dict[datetime, dict[str, Minute]])
    _liquidations: dict[Liquidation, None] = field(default_factory=dict[Liquidation, None])
    _given_liquidations: dict[Liquidation, None] = field(default_factory=dict[Liquidation, None])
    _watched: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _in_dollars: set[str] = field(default_factory=set[str])

    def watch(self, contracts: Iterable[Instrument], now: datetime) -> None:
        """Whose minutes are told from now on even if nothing happens in them."""
        wanted = list(contracts)
        self._watched = {one.symbol: self._watched.get(one.symbol, now) for one in wanted}
        self._in_dollars = {one.symbol for one in wanted if one.quote in DOLLARS}

    def take(self, records: Iterable[Record], *, finished: bool = True) -> None:
        """Take what came. `finished`: candles are as they will stay; else as they stand now."""
        for record in records:
            match record:
                case Candle() if record.interval == MINUTE:
                    self._take_candle(record, finished)
                case OpenInterest():
                    self._tell(record.symbol, record.time, oi_base=record.oi_base, oi_usd=record.oi_usd)
                case PredictedFunding():
                    told = {"predicted_rate": record.rate, "predicted_interval_hours": record.interval_hours}
                    self._tell(record.symbol, record.time, **told)
                case PerpMinute():
                    self._of(record.symbol, record.time).tell(dict(record.values))
                case Trade():
                    self._of(record.symbol, record.time).trades.add(record)
                case Liquidation() if record not in self._given_liquidations:
                    self._liquidations[record] = None
                    self._of(record.symbol, record.time).has_liquidations = True
                case _:
                    pass

    def broken(self, symbols: Iterable[str], since: datetime) -> None:
        """Candles of these were not listened to for a while: one that grew then may have grown further."""
        gone = set(symbols)
        for start, minute in self._minutes.items():
            if start + MINUTE > since:
                for symbol in gone & minute.keys():
                    minute[symbol].growing = None
                    minute[symbol].is_broken = True

    def ready(self, now: datetime, covers: Covers) -> Ready:
        """What is known by `now` of minutes that are over, as far as it was not given before."""
        found, bad = list[PerpMinute](), list[Bad]()
        for start in sorted(start for start in self._minutes.keys() | self._due(now) if start + MINUTE + GRACE <= now):
            minute = self._minutes.setdefault(start, {})
            self._settle(start, minute, now, covers)
            found += (given for symbol, one in minute.items() if (given := one.news(symbol, start, bad)))
        self._forget(now)
        return Ready(found, self._take_liquidations(now), bad)

    def rest(self) -> list[Liquidation]:
        """Events that are left, when nothing more will come. A minute that is not over is not told of."""
        left, self._liquidations = list(self._liquidations), {}
        return left

    def told(self, symbol: str, start: datetime) -> frozenset[str]:
        """The columns given of a minute that is not forgotten."""
        one = self._minutes.get(start, {}).get(symbol)
        return frozenset(one.given) if one else frozenset()

    def _due(self, now: datetime) -> set[datetime]:
        """The newest minute that is over, whether anything came in it or not."""
        return {floor(now - GRACE) - MINUTE} if self._watched and (self.has_trades or self.has_liquidations) else set()

    def _of(self, symbol: str, time: datetime) -> Minute:
        return self._minutes.setdefault(floor(time), {}).setdefault(symbol, Minute())

    def _tell(self, symbol: str, time: datetime, **values: float | None) -> None:
        self._of(symbol, time).tell({name: value for name, value in values.items() if value is not None})

    def _take_candle(self, candle: Candle, finished: bool) -> None:
        one = self._of(candle.symbol, candle.time)
        if finished:
            one.growing = None
            one.tell(of_candle(candle))
        else:
            one.grow(candle)

    def _settle(self, start: datetime, minute: dict[str, Minute], now: datetime, covers: Covers) -> None:
        """Finish candles, and add up what happened in a minute that is over, where nothing can have been missed."""
        end = start + MINUTE
        for symbol, one in minute.items():
            if one.growing is not None and covers(symbol, "candles_1m", end, end):
                one.finish()
            if symbol in self._in_dollars:
                one.value_interest()
        if start + TRADES_REMEMBERED < now:
            return
        for symbol in (symbol for symbol, since in self._watched.items() if since <= start):
            if self.has_trades and covers(symbol, "taker_volume", start, end):
                minute.setdefault(symbol, Minute()).add_up()
            if self.has_liquidations and covers(symbol, "liquidations", start, end):
                minute.setdefault(symbol, Minute()).tell_of_no_liquidations()

    def _take_liquidations(self, now: datetime) -> list[Liquidation]:
        """Those of minutes that are over; they are told once."""
        due = [one for one in self._liquidations if floor(one.time) + MINUTE + GRACE <= now]
        for one in due:
            del self._liquidations[one]
            self._given_liquidations[one] = None
        for one in [old for old in self._given_liquidations if old.time < now - REMEMBERED]:
            del self._given_liquidations[one]
        return due

    def _forget(self, now: datetime) -> None:
        for start in [start for start in self._minutes if start + MINUTE + REMEMBERED <= now]:
            del self._minutes[start]
        for start, minute in self._minutes.items():
            if start + TRADES_REMEMBERED < now:
                for one in minute.values():
                    one.trades.counted.clear()


def floor(time: datetime) -> datetime:
    """The start of the minute that a time is in."""
    return time.replace(second=0, microsecond=0)
