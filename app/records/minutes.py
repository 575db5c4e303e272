"""Facts of one minute of a perpetual, and the events that minutes are made of.

As in `perps`, numbers are as the exchange quotes them: the multiplier is applied in `services.batch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.records.checks import BadRecord, check_candle, check_interval, check_quantity, check_rate, check_time

Position = Literal["long", "short"]
Taker = Literal["buy", "sell"]

MINUTE = timedelta(minutes=1)
MINUTE_PRICES = ("open", "high", "low", "close")
SAMPLES = ("oi_base", "oi_usd", "predicted_rate", "predicted_interval_hours", "mark_price", "index_price")
"""What stands for a minute by its first sample."""
MINUTE_COLUMNS = (
    *MINUTE_PRICES,
    "volume_base",
    "volume_usd",
    "buy_volume_base",
    "trades",
    "sell_volume_base",
    "oi_base",
    "oi_usd",
    "predicted_rate",
    "predicted_interval_hours",
    "long_short_ratio",
    "liquidation_price",
    "long_liquidation_base",
    "short_liquidation_base",
    "mark_price",
    "index_price",
)
"""What can be told of one minute of a perpetual: prices, `_base` in quoted units, `_usd` in USD.

`predicted_rate` is the fraction of one interval of `predicted_interval_hours`; `long_short_ratio` is accounts long ÷
accounts short.
"""


def check_minute_value(name: str, value: float) -> None:
    """Refuse what one of `MINUTE_COLUMNS` cannot be."""
    if name == "predicted_rate":
        check_rate(value)
    elif name == "predicted_interval_hours":
        check_interval(value)
    else:
        check_quantity(name, value)


@dataclass(frozen=True, slots=True)
class PerpMinute:
    """One minute, from `time` on, of one perpetual; `values` by the names in `MINUTE_COLUMNS`.

    What is not told is not in `values`. Prices are told together or not at all.
    """

    symbol: str
    time: datetime
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        check_time(self.time)
        if self.time.timestamp() % 60:
            raise BadRecord("off_grid", f"{self.time.isoformat()} is not the start of a minute")
        if not self.values:
            raise BadRecord("no_value", "a minute of which nothing is told")
        for name, value in self.values.items():
            check_minute_value(name, value)
        prices = [self.values[name] for name in MINUTE_PRICES if name in self.values]
        if prices and len(prices) < len(MINUTE_PRICES):
            raise BadRecord("no_value", "some prices of a minute, but not all")
        if prices:
            check_candle(*prices)

    @property
    def closes(self) -> datetime:
        """When the minute is over, and so known."""
        return self.time + MINUTE


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A position closed by its exchange: `side` is whose it was, `quantity` in quoted units of the base.

    `price` is the one its exchange tells: of the fill where it tells that, else the bankruptcy price.
    """

    symbol: str
    time: datetime
    side: Position
    price: float
    quantity: float

    def __post_init__(self) -> None:
        check_time(self.time)
        for name, value in (("price", self.price), ("quantity", self.quantity)):
            check_quantity(name, value)
            if value == 0:
                raise BadRecord("no_value", f"a liquidation with a {name} of nothing")


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade, of which minutes are added up: `side` is the taker's, `id` the exchange's own, to know it again by."""

    symbol: str
    time: datetime
    id: str
    side: Taker
    price: float
    quantity: float

    def __post_init__(self) -> None:
        check_time(self.time)
        check_quantity("price", self.price)
        check_quantity("quantity", self.quantity)
