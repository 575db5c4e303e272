"""What the settings say of Deribit: of which coins it is asked, and how often."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.ingest.sources.deribit.rest import HOUR, MINUTE

SETTINGS = "PERPSTORE_DERIBIT_"
COIN = re.compile(r"[A-Z0-9]{2,20}", re.ASCII)
INVERSE = ("BTC", "ETH")
LINEAR = "USDC"
MONEY = frozenset({"USD", "USDC", "USDT", "EURR", "ANY"})
SHORTEST = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Family:
    """What one request tells of: a currency as Deribit has it, and the coins of it that are wanted."""

    currency: str
    coins: frozenset[str]


def index_of(coin: str) -> str:
    """The index that a coin's contracts are settled on."""
    return f"{coin.lower()}_{'usd' if coin in INVERSE else 'usdc'}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The coins wanted and, of each kind of snapshot, how often."""

    coins: tuple[str, ...] = INVERSE
    perpetual: timedelta = MINUTE
    option: timedelta = MINUTE
    greeks: timedelta = HOUR
    index: timedelta = MINUTE
    volatility_index: timedelta = MINUTE
    depth: timedelta = 5 * MINUTE

    @property
    def families(self) -> tuple[Family, ...]:
        """BTC and ETH by themselves; all others are of USDC, so that one request tells of them."""
        own = [Family(coin, frozenset({coin})) for coin in self.coins if coin in INVERSE]
        others = frozenset(self.coins) - frozenset(INVERSE)
        return (*own, Family(LINEAR, others)) if others else tuple(own)


KINDS = ("perpetual", "option", "greeks", "index", "volatility_index", "depth")


def wanted(words: Mapping[str, str]) -> Wanted:
    """What `words` say; what they do not is as it is without them. Raises ValueError, which names the setting."""
    found = {kind: _interval(kind, words) for kind in KINDS if words.get(f"{kind}_interval", "").strip()}
    coins = _coins(words.get("currencies", ""))
    return Wanted(coins or INVERSE, **found)


def _coins(told: str) -> tuple[str, ...]:
    coins = tuple(dict.fromkeys(word.strip().upper() for word in told.split(",") if word.strip()))
    wrong = [coin for coin in coins if not COIN.fullmatch(coin) or coin in MONEY]
    if wrong:
        raise ValueError(f"{SETTINGS}CURRENCIES: {wrong[0]!r} is no coin such as BTC, ETH or SOL")
    return coins


def _interval(kind: str, words: Mapping[str, str]) -> timedelta:
    told = words[f"{kind}_interval"].strip()
    if not (told.isdecimal() and told.isascii() and SHORTEST.total_seconds() <= int(told) <= 10**6):
        least = f"{SHORTEST.total_seconds():.0f}"
        raise ValueError(f"{SETTINGS}{kind.upper()}_INTERVAL: {told!r} is not a number of seconds from {least} on")
    return timedelta(seconds=int(told))
