"""One contract and minute: what is known of it, and what of that was not given yet. No I/O, no clock."""

from dataclasses import dataclass, field
from datetime import datetime

from app.ingest.spec import Bad
from app.records import SAMPLES, BadRecord, Candle, PerpMinute, Trade, check_minute_value

MOST_TRADES = 200_000
"""Trades of one contract and minute; of a minute with more no taker volume is told."""

PRICES = ("open", "high", "low", "close")

Values = dict[str, float]


@dataclass(slots=True)
class Trades:
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
class Minute:
    """What is known of one contract and minute: `growing` is a candle that may still change, `given` was given.

    `is_broken`: its candle was not listened to for a while, so that what is told of it may be old.
    """

    values: Values = field(default_factory=dict[str, float])
    growing: Candle | None = None
    trades: Trades = field(default_factory=Trades)
    given: Values = field(default_factory=dict[str, float])
    has_news: bool = False
    is_broken: bool = False
    has_liquidations: bool = False

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
        if self.growing is not None and not self.is_broken:
            self.tell(of_candle(self.growing))
            self.growing = None

    def add_up(self) -> None:
        """What takers bought and sold, if all of it was counted."""
        if len(self.trades.counted) <= MOST_TRADES:
            self.tell({"buy_volume_base": self.trades.buy, "sell_volume_base": self.trades.sell})

    def tell_of_no_liquidations(self) -> None:
        """A minute in which none came has none. Else what they come to is laid into it as they are stored."""
        if not self.has_liquidations:
            self.tell({"long_liquidation_base": 0.0, "short_liquidation_base": 0.0})

    def value_interest(self) -> None:
        """Open interest in dollars, at the mark price of the same minute where it is not told."""
        if "oi_usd" not in self.values and self.values.keys() >= {"oi_base", "mark_price"}:
            self.tell({"oi_usd": self.values["oi_base"] * self.values["mark_price"]})

    def news(self, symbol: str, start: datetime, bad: list[Bad]) -> PerpMinute | None:
        """What was not given yet; it is then. Prices are told together; sums past all bounds are `bad`."""
        if not self.has_news:
            return None
        self.has_news = False
        news = {name: value for name, value in self.values.items() if self.given.get(name) != value}
        if "close" in self.values and news.keys() & set(PRICES):
            news |= {name: self.values[name] for name in PRICES}
        for name in [*news]:
            try:
                check_minute_value(name, news[name])
            except BadRecord as error:
                bad.append(Bad(symbol, error.code, error.reason))
                del news[name]
        self.given |= news
        return PerpMinute(symbol, start, news) if news else None


def of_candle(candle: Candle) -> Values:
    """The columns of a minute that a candle tells."""
    names = ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades")
    return {name: value for name in names if (value := getattr(candle, name)) is not None}
