"""Minutes made of what sockets and polls tell of them, in any order and more than once. No I/O, no clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.records import SAMPLES, Candle, Liquidation, OpenInterest, PerpMinute, PredictedFunding, Record, Trade

MINUTE = timedelta(minutes=1)
GRACE = timedelta(seconds=2)
"""After its end a minute is waited for so long."""
REMEMBERED = timedelta(minutes=5)
"""What was given of a minute is known so long, to tell what is new of it."""
TRADES_REMEMBERED = timedelta(seconds=90)
"""Trades are added to their minute until so long after its start; then they are told apart no more."""
MOST_TRADES = 200_000
"""Trades of one contract and minute; of a minute with more no taker volume is told."""

Values = dict[str, float]
Covers = Callable[[str, str, datetime, datetime], bool]
"""Whether a dataset of a symbol was listened to without a break from one time to another."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be stored now."""

    minutes: list[PerpMinute] = field(default_factory=list[PerpMinute])
    liquidations: list[Liquidation] = field(default_factory=list[Liquidation])


@dataclass(slots=True)
class _Trades:
    """The trades of one contract and minute: what takers bought and sold, and which were counted."""

    buy: float = 0.0
    sell: float = 0.0
    counted: set[str] = field(default_factory=set[str])

    def add(self, trade: Trade) -> None:
        if trade.id in self.counted or len(self.counted) > MOST_TRADES:
            return
        self.counted.add(trade.id)
        if trade.side == "buy":
            self.buy += trade.quantity
        else:
            self.sell += trade.quantity


@dataclass(slots=True)
class _Minute:
    """What is known of one contract and minute: `growing` is a candle that may still change, `given` was given."""

    values: Values = field(default_factory=dict[str, float])
    growing: Candle | None = None
    trades: _Trades = field(default_factory=_Trades)
    given: Values = field(default_factory=dict[str, float])
    has_news: bool = False

    def tell(self, values: Values) -> None:
        """Take what is told: samples by their first word, all else by its last."""
        stay = {name: self.values[name] for name in SAMPLES if name in self.values}
        now = self.values | values | stay
        self.has_news |= now != self.values
        self.values = now

    def grow(self, candle: Candle) -> None:
        """Take a candle as it stands: of two the one that holds more is later."""
        held = self.growing.volume_base if self.growing else self.values.get("volume_base")
        if held is None or (candle.volume_base or 0) >= held:
            self.growing = candle

    def finish(self) -> None:
        """The candle will not change any more."""
        if self.growing is not None:
            self.tell(_candle(self.growing))
            self.growing = None


@dataclass(slots=True)
class Assembler:
    """The minutes of one source. `has_trades`: takers' volumes are added up from its trades."""

    has_trades: bool = False
    _minutes: dict[datetime, dict[str, _Minute]] = field(default_factory=dict[datetime, dict[str, _Minute]])
    _liquidations: dict[Liquidation, None] = field(default_factory=dict[Liquidation, None])
    _given_liquidations: dict[Liquidation, None] = field(default_factory=dict[Liquidation, None])
    _watched: set[str] = field(default_factory=set[str])
    _newest: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def watch(self, symbols: Iterable[str]) -> None:
        """Whose minutes are told even if nothing happens in them."""
        self._watched = set(symbols)

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
                case _:
                    pass

    def broken(self, symbols: Iterable[str], since: datetime) -> None:
        """Candles of these were not listened to for a while: one that grew then may have grown further."""
        gone = set(symbols)
        for start, minute in self._minutes.items():
            if start + MINUTE > since:
                for symbol in gone & minute.keys():
                    minute[symbol].growing = None

    def ready(self, now: datetime, covers: Covers) -> Ready:
        """What is known by `now` of minutes that are over, as far as it was not given before."""
        found: list[PerpMinute] = []
        for start in sorted(start for start in self._minutes.keys() | self._due(now) if start + MINUTE + GRACE <= now):
            minute = self._minutes.setdefault(start, {})
            self._settle(start, minute, now, covers)
            found += (given for symbol, one in minute.items() if (given := _news(symbol, start, one)))
        self._forget(now)
        return Ready(found, self._take_liquidations(now))

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
        return {floor(now - GRACE) - MINUTE} if self.has_trades and self._watched else set()

    def _of(self, symbol: str, time: datetime) -> _Minute:
        return self._minutes.setdefault(floor(time), {}).setdefault(symbol, _Minute())

    def _tell(self, symbol: str, time: datetime, **values: float | None) -> None:
        self._of(symbol, time).tell({name: value for name, value in values.items() if value is not None})

    def _take_candle(self, candle: Candle, finished: bool) -> None:
        one, newest = self._of(candle.symbol, candle.time), self._newest.get(candle.symbol, candle.time)
        if finished:
            one.growing = None
            one.tell(_candle(candle))
            return
        one.grow(candle)
        if candle.time < newest:
            one.finish()
        elif candle.time > newest and (before := self._minutes.get(newest, {}).get(candle.symbol)):
            before.finish()
        self._newest[candle.symbol] = max(newest, candle.time)

    def _settle(self, start: datetime, minute: dict[str, _Minute], now: datetime, covers: Covers) -> None:
        """Finish candles and add up trades of a minute that is over, where nothing of it can have been missed."""
        end = start + MINUTE
        for symbol, one in minute.items():
            if one.growing is not None and covers(symbol, "candles_1m", end, end):
                one.finish()
        if not self.has_trades or start + TRADES_REMEMBERED < now:
            return
        for symbol in self._watched:
            if covers(symbol, "taker_volume", start, end):
                self._add_up(minute.setdefault(symbol, _Minute()))

    def _add_up(self, one: _Minute) -> None:
        if len(one.trades.counted) <= MOST_TRADES:
            one.tell({"buy_volume_base": one.trades.buy, "sell_volume_base": one.trades.sell})

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


def _candle(candle: Candle) -> Values:
    names = ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades")
    return {name: value for name in names if (value := getattr(candle, name)) is not None}


def _news(symbol: str, start: datetime, one: _Minute) -> PerpMinute | None:
    """What is known of a minute and was not given yet. Prices are told together."""
    if not one.has_news:
        return None
    news = {name: value for name, value in one.values.items() if one.given.get(name) != value}
    if "close" in one.values and news.keys() & {"open", "high", "low", "close"}:
        news |= {name: one.values[name] for name in ("open", "high", "low", "close")}
    one.given |= news
    one.has_news = False
    return PerpMinute(symbol, start, news)
