"""What one fact is, whoever told it: a frozen value a dataset, which refuses what cannot be true.

Records carry the numbers as the exchange quotes them: prices and quantities of `1000PEPEUSDT` stand for
1000 PEPE. The multiplier is applied in one place, where records become columns (`services.batch`).
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["perp", "future", "option", "spot", "index"]
Margin = Literal["stable", "coin"]
Underlying = Literal["coin", "equity", "other"]

EARLIEST = datetime(2009, 1, 3, tzinfo=UTC)
CLOCK_SKEW = timedelta(minutes=5)
LARGEST_RATE = 1.0
LARGEST_QUANTITY = 1e18


class BadRecord(ValueError):
    """A row that cannot be true. `code` is stable and names the rule, the message says what was seen."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def check_time(time: datetime, *, future: bool = False) -> None:
    """Refuse naive time, time before Bitcoin and, unless `future`, time after now."""
    if time.tzinfo is None:
        raise BadRecord("naive_time", f"{time.isoformat()} has no offset")
    if time < EARLIEST:
        raise BadRecord("time_out_of_range", f"{time.isoformat()} is before {EARLIEST.date()}")
    if not future and time > datetime.now(UTC) + CLOCK_SKEW:
        raise BadRecord("time_in_future", f"{time.isoformat()} is in the future")


def check_rate(rate: float) -> None:
    """Refuse a rate that is not a number, or of more than 100 % an interval in either direction."""
    if not math.isfinite(rate):
        raise BadRecord("not_finite", f"rate is {rate}")
    if abs(rate) > LARGEST_RATE:
        raise BadRecord("rate_out_of_range", f"rate {rate} is past {LARGEST_RATE} an interval")


def check_quantity(name: str, value: float | None) -> None:
    """Refuse a quantity or price that is not a number, negative or absurdly large. None is unknown, and allowed."""
    if value is None:
        return
    if not math.isfinite(value):
        raise BadRecord("not_finite", f"{name} is {value}")
    if value < 0:
        raise BadRecord("negative", f"{name} is {value}")
    if value > LARGEST_QUANTITY:
        raise BadRecord("quantity_out_of_range", f"{name} is {value}")


def check_interval(hours: float | None) -> None:
    """Refuse an interval that is not a positive, finite number of hours. None is not told, and allowed."""
    if hours is not None and not (math.isfinite(hours) and hours > 0):
        raise BadRecord("interval", f"an interval of {hours} hours")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract as its exchange lists it now.

    `base` is the coin as spelled there (`1000PEPE`, `kPEPE`), `contract_size` is coins (or USD, for coin
    margin) a contract with the multiplier left out, `funding_interval_hours` what the exchange declares today
    (None: it does not say). `underlying` tells a stock from a coin of the same ticker.
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
    oi_sides: int = 1

    def __post_init__(self) -> None:
        if not self.symbol:
            raise BadRecord("no_symbol", "an instrument without a symbol")
        check_quantity("contract_size", self.contract_size)
        check_quantity("multiplier", self.multiplier)
        check_interval(self.funding_interval_hours)
        if self.contract_size == 0 or self.multiplier == 0:
            raise BadRecord("zero_size", f"{self.symbol}: a contract of nothing")


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
        if self.high < max(self.open, self.close) or self.low > min(self.open, self.close):
            raise BadRecord("high_low", f"high {self.high} and low {self.low} do not enclose open and close")

    @property
    def closes(self) -> datetime:
        """When the candle is complete, and so known."""
        return self.time + self.interval


Record = Instrument | FundingInterval | FundingRate | PredictedFunding | OpenInterest | Candle
