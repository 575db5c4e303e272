"""Facts of options and of what they are hedged with, and ticks of both.

Numbers are as the exchange quotes them: an inverse option's prices are coins a coin, a linear one's USDC. Implied
volatility is a fraction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.records.checks import BadRecord, check_quantity, check_time
from app.records.minutes import Taker

LARGEST_IV = 100.0
VOLATILITY_INDEX = "-DVOL"
"""What names of volatility indexes end in."""
LARGEST_NUMBER = 2**63 - 1
"""Of trades and changes: what a column of theirs holds."""
Level = tuple[float, float]
"""Price and amount."""


def check_quantities(**quantities: float | None) -> None:
    """Refuse negative and unlikely ones, by name."""
    for name, value in quantities.items():
        if value is not None:
            check_quantity(name, value)


def check_iv(value: float | None) -> None:
    """Refuse an implied volatility, a fraction, that cannot be."""
    if value is not None and not 0 <= value <= LARGEST_IV:
        raise BadRecord("bad_iv", f"an implied volatility of {value}")


def check_number(name: str, value: int | None) -> None:
    """Refuse the number of a trade or a change that cannot be stored."""
    if value is not None and not 0 <= value <= LARGEST_NUMBER:
        raise BadRecord("no_number", f"{name} is {value}")


def check_word(name: str, value: str) -> None:
    """Refuse an empty word, and one that is no text: a zero byte, half a character."""
    if not value or "\x00" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise BadRecord("no_text", f"{name} is {value!r}")


def check_book(change_id: int | None, levels: Iterable[Level]) -> None:
    """Refuse a change that cannot be stored, and levels with prices or amounts that cannot be."""
    check_number("change_id", change_id)
    for price, amount in levels:
        check_quantities(price=price, amount=amount)


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask, and how much; None where a side is empty."""

    symbol: str
    time: datetime
    bid: float | None
    ask: float | None
    bid_amount: float | None
    ask_amount: float | None

    def __post_init__(self) -> None:
        check_time(self.time)
        check_quantities(bid=self.bid, ask=self.ask, bid_amount=self.bid_amount, ask_amount=self.ask_amount)


@dataclass(frozen=True, slots=True)
class OptionTrade:
    """One trade of an option, or of what it is hedged with. `seq` grows by one with each of an instrument.

    `iv` is a fraction. `liquidation`: M, T or MT where maker, taker or both were liquidated. A leg of a combo and a
    block trade stand beside the others.
    """

    symbol: str
    time: datetime
    seq: int
    id: str
    side: Taker
    price: float
    amount: float
    iv: float | None = None
    mark_price: float | None = None
    index_price: float | None = None
    liquidation: Literal["M", "T", "MT"] | None = None
    is_block: bool = False
    is_combo: bool = False

    def __post_init__(self) -> None:
        check_time(self.time)
        check_quantities(price=self.price, amount=self.amount, mark_price=self.mark_price, index_price=self.index_price)
        check_iv(self.iv)
        check_number("trade_seq", self.seq)
        check_word("trade_id", self.id)


@dataclass(frozen=True, slots=True)
class BookChange:
    """A change of an order book, or (`whole`) all of it. Levels with an amount of 0 are gone.

    A change applies to the book whose last one was `previous_id`; ids grow, but not by one.
    """

    symbol: str
    time: datetime
    whole: bool
    change_id: int
    previous_id: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def __post_init__(self) -> None:
        check_time(self.time)
        check_book(self.change_id, (*self.bids, *self.asks))


@dataclass(frozen=True, slots=True)
class Depth:
    """An order book at an instant, the best levels first. `change_id`: of its last change."""

    symbol: str
    time: datetime
    change_id: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def __post_init__(self) -> None:
        check_time(self.time)
        check_book(self.change_id, (*self.bids, *self.asks))


@dataclass(frozen=True, slots=True)
class OptionSnapshot:
    """How one option stands at an instant. `mark_iv` a fraction; `underlying_price` the forward, `index_price` the spot
    index, in USD; `open_interest` and `volume_24h` in coins. None is not told."""

    symbol: str
    time: datetime
    bid: float | None = None
    ask: float | None = None
    mark_price: float | None = None
    mark_iv: float | None = None
    underlying_price: float | None = None
    index_price: float | None = None
    open_interest: float | None = None
    volume_24h: float | None = None

    def __post_init__(self) -> None:
        check_time(self.time)
        check_iv(self.mark_iv)
        check_quantities(bid=self.bid, ask=self.ask, mark_price=self.mark_price)
        check_quantities(underlying_price=self.underlying_price, index_price=self.index_price)
        check_quantities(open_interest=self.open_interest, volume_24h=self.volume_24h)


@dataclass(frozen=True, slots=True)
class Greeks:
    """Greeks of one coin of the underlying in USD: `vega` and `rho` of a percentage point, `theta` of a day."""

    symbol: str
    time: datetime
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None

    def __post_init__(self) -> None:
        check_time(self.time)
        if self.delta is not None and not -1 <= self.delta <= 1:
            raise BadRecord("bad_delta", f"a delta of {self.delta}")
        check_quantities(gamma=self.gamma, vega=self.vega)


def is_volatility_index(symbol: str) -> bool:
    """Whether an index is of volatility, a fraction, and not of prices: `BTC-DVOL`. In SQL a function of this name."""
    return symbol.upper().endswith(VOLATILITY_INDEX)


@dataclass(frozen=True, slots=True)
class IndexPrice:
    """The value of an index at an instant (`close` alone), or its candle, which starts at `time`.

    A volatility index is a fraction.
    """

    symbol: str
    time: datetime
    close: float
    open: float | None = None
    high: float | None = None
    low: float | None = None

    def __post_init__(self) -> None:
        check_time(self.time)
        check_quantities(open=self.open, high=self.high, low=self.low, close=self.close)


@dataclass(frozen=True, slots=True)
class DeliveryPrice:
    """What contracts on an index were delivered at when they expired."""

    symbol: str
    time: datetime
    price: float

    def __post_init__(self) -> None:
        check_time(self.time)
        check_quantity("price", self.price)
