"""Facts of perpetuals.

Records carry the numbers as the exchange quotes them: prices and quantities of `1000PEPEUSDT` stand for
1000 PEPE. The multiplier is applied in one place, where records become columns (`services.batch`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from app.records.checks import BadRecord, check_candle, check_interval, check_quantity, check_rate, check_time

Kind = Literal["perp", "future", "option", "spot", "index"]
Margin = Literal["stable", "coin"]
Underlying = Literal["coin", "equity", "other"]
OptionType = Literal["call", "put"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract as its exchange lists it now.

    `base` is the coin as spelled there (`1000PEPE`, `kPEPE`), `contract_size` is coins (or USD, for coin
    margin) a contract with the multiplier left out, `funding_interval_hours` what the exchange declares today
    (None: it does not say). `underlying` tells a stock from a coin of the same ticker. `oi_sides` is 1 where one side
    of open interest is told, 2 where only both together are, None where it does not say which; before `oi_sides_since`
    it was `oi_sides_before`. `upstream_id` is what its exchange wants to be asked by, where that is not the symbol.
    `expires_at` of futures and options, `strike` (USD) and `option_type` of options; `price_index` is the symbol of the
    index it is settled on, `tick_size` the smallest step of its price.
    """

    symbol: str
    base: str
    quote: str
    kind: Kind = "perp"
    margin: Margin = "stable"
    underlying: Underlying = "coin"
    contract_size: float = 1.0
    multiplier: float = 1.0
    funding_interval_hours: float | None = None
    active: bool = True
    listed_at: datetime | None = None
    delisted_at: datetime | None = None
    oi_sides: int | None = 1
    oi_sides_since: datetime | None = None
    oi_sides_before: int | None = None
    upstream_id: str | None = None
    expires_at: datetime | None = None
    strike: float | None = None
    option_type: OptionType | None = None
    price_index: str | None = None
    tick_size: float | None = None

    def __post_init__(self) -> None:
        if not self.symbol:
            raise BadRecord("no_symbol", "an instrument without a symbol")
        check_quantity("contract_size", self.contract_size)
        check_quantity("multiplier", self.multiplier)
        check_quantity("strike", self.strike)
        check_quantity("tick_size", self.tick_size)
        check_interval(self.funding_interval_hours)
        if self.contract_size == 0 or self.multiplier == 0:
            raise BadRecord("zero_size", f"{self.symbol}: a contract of nothing")
        if self.kind == "option" and None in (self.expires_at, self.strike, self.option_type):
            raise BadRecord("no_terms", f"{self.symbol}: an option without expiry, strike or type")


@dataclass(frozen=True, slots=True)
class FundingInterval:
    """The hours between settlements of a contract today, where its exchange tells them apart from its contracts."""

    symbol: str
    hours: float

    def __post_init__(self) -> None:
        check_interval(self.hours)


@dataclass(frozen=True, slots=True)
class FundingRate:
    """What was paid at a settlement: the fraction of one interval, positive when longs pay.

    `interval_hours` only where the exchange declares it for that settlement; otherwise it is read off the spacing.
    """

    symbol: str
    time: datetime
    rate: float
    interval_hours: float | None = None

    def __post_init__(self) -> None:
        check_time(self.time)
        check_rate(self.rate)
        check_interval(self.interval_hours)


@dataclass(frozen=True, slots=True)
class PredictedFunding:
    """An estimate, sampled at `time`, of what will be paid at `for_time` (None: not told), for one interval."""

    symbol: str
    time: datetime
    rate: float
    for_time: datetime | None
    interval_hours: float | None = None

    def __post_init__(self) -> None:
        check_time(self.time)
        check_rate(self.rate)
        check_interval(self.interval_hours)
        if self.for_time is not None:
            check_time(self.for_time, future=True)


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """One-sided open interest at an instant: `oi_base` in quoted units of the base, `oi_usd` in USD."""

    symbol: str
    time: datetime
    oi_base: float | None
    oi_usd: float | None

    def __post_init__(self) -> None:
        check_time(self.time)
        check_quantity("oi_base", self.oi_base)
        check_quantity("oi_usd", self.oi_usd)
        if self.oi_base is None and self.oi_usd is None:
            raise BadRecord("no_value", "neither oi_base nor oi_usd")


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices and volumes of one `interval` from its open `time` on; volumes in quoted units of the base and in USD."""

    symbol: str
    time: datetime
    interval: timedelta
    open: float
    high: float
    low: float
    close: float
    volume_base: float | None = None
    volume_usd: float | None = None
    buy_volume_base: float | None = None
    trades: int | None = None

    def __post_init__(self) -> None:
        check_time(self.time)
        for name in ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades"):
            check_quantity(name, getattr(self, name))
        check_candle(self.open, self.high, self.low, self.close)

    @property
    def closes(self) -> datetime:
        """When the candle is complete, and so known."""
        return self.time + self.interval


HOUR_PRICES = ("open", "high", "low", "close")
RATES = ("funding_rate_8h", "funding_rate_8h_mean")
HOUR_COLUMNS = (
    *HOUR_PRICES,
    "volume_base",
    "volume_usd",
    "buy_volume_base",
    "trades",
    "sell_volume_base",
    "buy_volume_usd",
    "sell_volume_usd",
    "buy_trades",
    "sell_trades",
    "oi_base_high",
    "oi_base_low",
    "oi_base_close",
    "oi_usd_high",
    "oi_usd_low",
    "oi_usd_close",
    "funding_rate_8h",
    "funding_rate_8h_mean",
    "premium",
    "buy_liquidations",
    "sell_liquidations",
    "buy_liquidation_base",
    "sell_liquidation_base",
    "liquidation_base",
    "buy_liquidation_usd",
    "sell_liquidation_usd",
    "liquidation_usd",
)
"""What can be told of one hour of a perpetual: `_base` in quoted units, `_usd` in USD, rates per 8 hours.

`premium` is as its source tells it, a fraction or USD, and of either sign.
"""


def check_hour_value(name: str, value: float) -> None:
    """Refuse what one of `HOUR_COLUMNS` cannot be."""
    check_rate(value) if name in RATES else check_quantity(name, abs(value) if name == "premium" else value)


def check_hour_prices(values: Mapping[str, float]) -> None:
    """Refuse a high and a low that do not enclose open and close, where all four are told."""
    if all(name in values for name in HOUR_PRICES):
        check_candle(*(values[name] for name in HOUR_PRICES))


@dataclass(frozen=True, slots=True)
class PerpHour:
    """One hour, from `time` on, of one perpetual as an aggregator tells it; `values` by the names in `HOUR_COLUMNS`.

    What is not told is not in `values`. What must not be negative is refused when it is, and so is a high or low that
    does not enclose open and close where all are told.
    """

    exchange: str
    symbol: str
    time: datetime
    values: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        check_time(self.time)
        if self.time.timestamp() % 3600:
            raise BadRecord("off_grid", f"{self.time.isoformat()} is not the start of an hour")
        if not self.values:
            raise BadRecord("no_value", "an hour of which nothing is told")
        for name, value in self.values.items():
            check_hour_value(name, value)
        check_hour_prices(self.values)

    @property
    def closes(self) -> datetime:
        """When the hour is over, and so known."""
        return self.time + timedelta(hours=1)
