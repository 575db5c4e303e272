"""Perpetuals of many exchanges as an aggregator tells of them: who lists what, and how each stands now."""

from dataclasses import dataclass
from datetime import datetime

from app.records.checks import BadRecord, check_quantity, check_rate, check_time
from app.records.perps import OpenInterest, PredictedFunding


@dataclass(frozen=True, slots=True)
class Venue:
    """An exchange as an aggregator lists it: `exchange` is our slug, `id` and `name` what the aggregator calls it."""

    exchange: str
    id: str
    name: str

    def __post_init__(self) -> None:
        if not (self.exchange and self.id and self.name):
            raise BadRecord("no_symbol", f"an exchange listed as {self.id!r}, named {self.name!r}")

    @property
    def symbol(self) -> str:
        """What its source calls it."""
        return self.id


@dataclass(frozen=True, slots=True)
class Product:
    """A perpetual as an aggregator lists it: `exchange` is our slug, `coin` the aggregator's name of what trades.

    `base` is the coin as spelled there (`1000PEPE`; None: as the symbol spells it), and all there is where `coin` is
    empty. `begins`: its first data there. `active` is false once it is delisted.
    """

    exchange: str
    symbol: str
    coin: str
    begins: datetime | None = None
    active: bool = True
    base: str | None = None

    def __post_init__(self) -> None:
        if not (self.exchange and self.symbol and (self.coin or self.base)):
            raise BadRecord("no_symbol", f"a product of {self.coin!r} on {self.exchange!r} called {self.symbol!r}")


@dataclass(frozen=True, slots=True)
class PerpSnapshot:
    """How one perpetual stood at `time`: `exchange` is as its source calls it.

    `rate` is the fraction of one interval (of how many hours is not told), positive when longs pay; `oi_usd` one-sided
    open interest in USD. None is not told.
    """

    exchange: str
    symbol: str
    time: datetime
    rate: float | None
    oi_usd: float | None

    def __post_init__(self) -> None:
        if not (self.exchange and self.symbol):
            raise BadRecord("no_symbol", f"a perpetual of {self.exchange!r} called {self.symbol!r}")
        check_time(self.time)
        if self.rate is not None:
            check_rate(self.rate)
        check_quantity("oi_usd", self.oi_usd)
        if self.rate is None and self.oi_usd is None:
            raise BadRecord("no_value", "neither rate nor oi_usd")

    @property
    def name(self) -> str:
        """Whose it is: `exchange:symbol`."""
        return f"{self.exchange}:{self.symbol}"

    @property
    def facts(self) -> list[PredictedFunding | OpenInterest]:
        """What it tells, as facts whose symbol is its `name`."""
        told = list[PredictedFunding | OpenInterest]()
        if self.rate is not None:
            told.append(PredictedFunding(self.name, self.time, self.rate, for_time=None))
        if self.oi_usd is not None:
            told.append(OpenInterest(self.name, self.time, oi_base=None, oi_usd=self.oi_usd))
        return told
