"""The exchanges that do not exist, and what trades there: real coins, made-up contracts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from app.records import Instrument, Margin
from app.services.demo.waves import Numbers, Seconds, grain, sway, walk

SOURCE, SECOND_SOURCE = "demo", "demo-second"
OPTIONS = "demo-options"
LISTED = datetime(2024, 1, 1, tzinfo=UTC)
EARLIEST = LISTED + timedelta(days=31)
"""Before that there is nothing, or not enough of it."""
WITH_MINUTES = ("BTC", "ETH", "SOL")
"""Coins of which minutes are made."""


@dataclass(frozen=True, slots=True)
class Venue:
    """An exchange of perpetuals. `lean`: added to its funding per 8 hours; `share` of open interest and volume."""

    slug: str
    name: str
    interval_hours: int
    lean: float
    share: float
    pattern: str
    oi_sides: int = 1
    has_minutes: bool = False


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin: about what it costs, how much it moves, and what is held and traded of it in USD, all exchanges together.

    `lean`: its usual funding per 8 hours; `unit`: how many of it are quoted as one.
    """

    symbol: str
    price: float
    moves: float
    oi_usd: float
    volume_usd: float
    lean: float = 1e-4
    unit: int = 1

    @property
    def base(self) -> str:
        """As its contracts spell it."""
        return self.symbol if self.unit == 1 else f"{self.unit}{self.symbol}"

    @property
    def decimals(self) -> int:
        """Of the price of what is quoted as one: six digits in all."""
        return 5 - math.floor(math.log10(self.price * self.unit))


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual."""

    venue: Venue
    coin: Coin
    margin: Margin = "stable"

    @property
    def symbol(self) -> str:
        """As its exchange spells it."""
        return f"{self.coin.base}-USD-COIN" if self.margin == "coin" else self.venue.pattern.format(self.coin.base)

    @property
    def name(self) -> str:
        """What its numbers are made of."""
        return f"{self.venue.slug} {self.symbol}"

    @property
    def share(self) -> float:
        """Of what is held and traded of its coin."""
        return self.venue.share * (0.4 if self.margin == "coin" else 1) * (0.8 + 0.4 * float(_one(self.name)))

    @property
    def has_minutes(self) -> bool:
        """Whether minutes are made of it."""
        return self.venue.has_minutes and self.coin.symbol in WITH_MINUTES

    @property
    def instrument(self) -> Instrument:
        """As its exchange would list it."""
        is_coin = self.margin == "coin"
        return Instrument(
            self.symbol,
            self.coin.base,
            "USD" if is_coin else "USDT",
            margin=self.margin,
            contract_size=100.0 if is_coin else 1.0,
            multiplier=float(self.coin.unit),
            funding_interval_hours=self.venue.interval_hours,
            listed_at=LISTED,
            oi_sides=self.venue.oi_sides,
        )


VENUES = (
    Venue("demo-alpha", "Demo Alpha (generated)", 8, 0.0, 0.42, "{}USDT", has_minutes=True),
    Venue("demo-beta", "Demo Beta (generated)", 8, 2e-5, 0.30, "{}-USDT-PERP", has_minutes=True),
    Venue("demo-gamma", "Demo Gamma (generated)", 4, -3e-5, 0.18, "{}_USDT", oi_sides=2),
    Venue("demo-delta", "Demo Delta (generated)", 1, 5e-5, 0.10, "{}-PERP"),
)
COINS = (
    Coin("BTC", 90_000.0, 0.08, 3.2e10, 4.5e10),
    Coin("ETH", 3_100.0, 0.11, 1.6e10, 2.6e10),
    Coin("SOL", 165.0, 0.14, 6.0e9, 9.0e9, 8e-5),
    Coin("XRP", 2.3, 0.13, 3.0e9, 4.0e9),
    Coin("DOGE", 0.18, 0.15, 1.9e9, 2.5e9),
    Coin("PEPE", 6.5e-6, 0.19, 4.0e8, 7.0e8, 1.4e-4, 1000),
    Coin("ADA", 0.55, 0.13, 8.0e8, 7.0e8, 7e-5),
    Coin("AVAX", 17.0, 0.14, 4.5e8, 4.0e8, 5e-5),
    Coin("LINK", 14.5, 0.13, 6.0e8, 5.5e8),
    Coin("AAVE", 185.0, 0.14, 2.2e8, 2.4e8, 3e-5),
    Coin("UNI", 6.4, 0.15, 2.6e8, 2.0e8, -2e-5),
    Coin("ARB", 0.24, 0.16, 1.5e8, 1.3e8, -6e-5),
)
NOT_LISTED = frozenset(
    {
        *(("demo-beta", name) for name in ("AAVE", "ARB")),
        *(("demo-gamma", name) for name in ("PEPE", "UNI", "LINK")),
        *(("demo-delta", name) for name in ("ADA", "UNI", "ARB")),
    }
)
COIN_MARGINED = ("BTC", "ETH")
"""Of these the last exchange has a contract in coins too."""
SILENT = ("demo-gamma", "AVAX")
"""Nothing was told of this contract in the last two days."""

CONTRACTS = (
    *(Contract(venue, coin) for coin in COINS for venue in VENUES if (venue.slug, coin.symbol) not in NOT_LISTED),
    *(Contract(VENUES[-1], coin, "coin") for coin in COINS if coin.symbol in COIN_MARGINED),
)
EXCHANGES = {**{venue.slug: venue.name for venue in VENUES}, OPTIONS: "Demo Options (generated)"}


def _one(name: str) -> float:
    return float(grain(name, np.zeros(1, np.int64))[0])


def index(coin: Coin, seconds: Seconds) -> Numbers:
    """What one coin costs in USD at full minutes."""
    trembling = grain(f"{coin.symbol} trembles", seconds // 60) - 0.5
    return coin.price * np.exp(coin.moves * (walk(coin.symbol, seconds) + 0.012 * trembling))


def price(contract: Contract, seconds: Seconds) -> Numbers:
    """What one quoted unit costs on its exchange at full minutes: the index and a small premium."""
    premium = 3e-4 * sway(contract.name, seconds, 11 * 3600) + 1.5e-4 * (grain(contract.name, seconds // 60) - 0.5)
    return np.round(index(contract.coin, seconds) * (1 + premium) * contract.coin.unit, contract.coin.decimals)


def instruments(venue: Venue) -> Sequence[Instrument]:
    """What an exchange lists."""
    return [contract.instrument for contract in CONTRACTS if contract.venue is venue]
