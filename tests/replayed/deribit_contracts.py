"""What trades on the replayed Deribit: perpetuals, dated futures and options whose numbers are a function of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import erf, log, sqrt
from zlib import crc32

from tests.replayed import markets as world
from tests.replayed.markets import HOUR, Market

DAY, WEEK, MINUTE = timedelta(days=1), timedelta(days=7), timedelta(minutes=1)
CREATED = 400 * DAY
"""How long before its expiry a contract is listed."""
PERPETUALS = (
    Market("deribit", "BTC-PERPETUAL", "BTC", "USD", 1, 79_950, 9_000, inverse=True),
    Market("deribit", "ETH-PERPETUAL", "ETH", "USD", 1, 2_500.5, 120_000, inverse=True),
    Market("deribit", "SOL_USDC-PERPETUAL", "SOL", "USDC", 1, 151.25, 80_000),
    Market("deribit", "XRP_USDC-PERPETUAL", "XRP", "USDC", 1, 1.325, 4_000_000),
    Market("deribit", "BTC_USDC-PERPETUAL", "BTC", "USDC", 1, 79_955, 460),
    Market("deribit", "NVDA_USDC-PERPETUAL", "NVDA", "USDC", 1, 228.5, 900),
)
BTC, ETH, SOL = PERPETUALS[:3]
SIZES = {"BTC-PERPETUAL": 10, "ETH-PERPETUAL": 1, "BTC_USDC-PERPETUAL": 0.0001}
WITH_OPTIONS = PERPETUALS[:4]
STRIKES = (0.9, 1.0, 1.1)


@dataclass(frozen=True, slots=True)
class Contract:
    """A future or an option on what a perpetual is on; `expires` None: the perpetual itself."""

    name: str
    of: Market
    expires: datetime | None = None
    strike: float | None = None
    call: bool = False

    @property
    def kind(self) -> str:
        return "future" if self.strike is None else "option"

    @property
    def currency(self) -> str:
        return self.of.base if self.of.inverse else "USDC"

    @property
    def market(self) -> Market:
        """Where its own prices and open interest come from."""
        if self.expires is None:
            return self.of
        return Market("deribit", self.name, self.of.base, self.of.quote, 1, self.of.price * 1.01, self.of.coins / 10)


def expiries(now: datetime) -> list[datetime]:
    """08:00 UTC of the next two days, and of the next two Fridays: what is listed once stays until it expires."""
    eight = now.replace(hour=8, minute=0, second=0, microsecond=0)
    first = eight if now < eight else eight + DAY
    friday = first + (4 - first.weekday()) % 7 * DAY
    return sorted({first, first + DAY, friday, friday + WEEK})


def day_name(day: datetime) -> str:
    """`2OCT26`: no zero before the day."""
    return f"{day.day}{day:%b%y}".upper()


@lru_cache(maxsize=16)
def _contracts(days: tuple[datetime, ...]) -> tuple[Contract, ...]:
    perpetuals = [Contract(market.symbol, market) for market in PERPETUALS]
    futures = [Contract(f"{_stem(market)}-{day_name(day)}", market, day) for market in PERPETUALS[:3] for day in days]
    options = [
        Contract(f"{_stem(market)}-{day_name(day)}-{_digits(strike)}-{'C' if call else 'P'}", market, day, strike, call)
        for market in WITH_OPTIONS
        for day in days
        for strike in (float(f"{market.price * part:.3g}") for part in STRIKES)
        for call in (True, False)
    ]
    return (*perpetuals, *futures, *options)


def contracts(now: datetime) -> tuple[Contract, ...]:
    """Everything that is listed now."""
    return _contracts(tuple(expiries(now)))


def _stem(market: Market) -> str:
    return market.symbol.removesuffix("-PERPETUAL")


def _digits(strike: float) -> str:
    return f"{strike:g}".replace(".", "d") if strike < 1000 else f"{strike:.0f}"


def index_of(market: Market) -> str:
    """`btc_usd`, `sol_usdc`"""
    return f"{market.base}_{market.quote}".lower()


def index(market: Market, now: datetime) -> float:
    """The index a contract is on."""
    return round(world.price(market, now) * 0.999, 4)


def interest(contract: Contract, now: datetime) -> float:
    """Open interest as Deribit counts it: dollars of inverse futures and perpetuals, else coins."""
    market = contract.market
    if contract.kind == "future" and contract.of.inverse:
        return round(world.usd(market, now) / 10) * 10
    return world.coins(market, now)


def drawn(market: Market, what: object, now: datetime) -> float:
    """Between -1 and 1, always the same."""
    return crc32(f"{market.symbol}/{what}/{world.ms(now)}".encode()) / 2**31 - 1


def volatility(market: Market, what: object, now: datetime) -> float:
    """In percent, with two digits."""
    return round(45 + 5 * drawn(market, what, now), 2)


def _share(value: float) -> float:
    return (1 + erf(value / sqrt(2))) / 2


def mark(contract: Contract, now: datetime) -> float:
    """Of a future its price; of an option what Black-76 says of the forward and the volatility, as it is quoted."""
    if contract.strike is None or contract.expires is None:
        return world.price(contract.market, now)
    forward, strike = world.price(contract.of, now), contract.strike
    spread = volatility(contract.of, contract.name, now) / 100 * sqrt((contract.expires - now) / (365 * DAY))
    near = log(forward / strike) / spread + spread / 2
    call = forward * _share(near) - strike * _share(near - spread)
    value = call if contract.call else call - forward + strike
    return round(max(value, 0.0) / (forward if contract.of.inverse else 1), 8)


def bars(contract: Contract, start: datetime, end: datetime, step: timedelta) -> Iterator[dict[str, float]]:
    """Bars that open in `[start, end]` while it trades. In the last of ten nobody does: the last close goes on."""
    last = min(end, contract.expires - step if contract.expires else end)
    for time in world.grid(start, last, step):
        first, high, low, close, volume = world.candle(contract.market, time, step)
        if is_filler(time, step):
            high, low, close, volume = first, first, first, 0.0
        row = {"open": first, "high": high, "low": low, "close": close, "volume": volume, "cost": volume * close}
        yield {"ticks": world.ms(time), **row}


def is_filler(time: datetime, step: timedelta) -> bool:
    """Whether nobody trades in this bar."""
    return step < HOUR and time.minute % 10 == 9
