"""The chains, protocols, stablecoins and bridges that are replayed, and what there is of each on a day."""

import math
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

BEGINS = datetime(2023, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

CHAINS = {
    "Ethereum": ("ETH", "ethereum"),
    "Solana": ("SOL", "solana"),
    "Hyperliquid L1": ("HYPE", "hyperliquid"),
    "OP Mainnet": ("OP", "optimism"),
    "Base": (None, None),
}
PROTOCOLS: dict[str, tuple[str, str, str | None, str | None, tuple[str, ...]]] = {
    # slug: name, symbol, gecko id, parent, kinds of overviews it is in
    "lido": ("Lido", "LDO", "lido-dao", None, ("fees",)),
    "aave-v2": ("Aave V2", "AAVE", None, "aave", ("fees",)),
    "aave-v3": ("Aave V3", "AAVE", None, "aave", ("fees",)),
    "uniswap-v2": ("Uniswap V2", "UNI", None, "uniswap", ("fees", "dexs")),
    "uniswap-v3": ("Uniswap V3", "UNI", None, "uniswap", ("fees", "dexs")),
    "hyperliquid-perps": ("Hyperliquid Perps", "HYPE", None, "hyperliquid", ("fees", "derivatives", "open-interest")),
    "hyperliquid-spot-orderbook": ("Hyperliquid Spot Orderbook", "HYPE", None, "hyperliquid", ("fees", "dexs")),
    "derive-v2": ("Derive V2", "DRV", "derive", None, ("fees", "options")),
    "1inch": ("1inch", "1INCH", "1inch", None, ("aggregators",)),
}
STABLECOINS = {
    "1": ("Tether", "USDT", "tether", "peggedUSD"),
    "2": ("USD Coin", "USDC", "usd-coin", "peggedUSD"),
    "5": ("Dai", "DAI", "dai", "peggedUSD"),
    "52": ("Celo Euro", "CEUR", "celo-euro", "peggedEUR"),
}
BRIDGES = {11: "Synapse", 12: "Stargate", 19: "Across", 77: "Wormhole"}


def amount(*words: object, day: datetime) -> float:
    """What `words` name on a day: from a million to a billion, going up and down by a tenth over a month."""
    named = zlib.crc32("/".join(map(str, words)).encode())
    return round((1e6 + named % 10**9) * (1 + math.sin((day - BEGINS) / DAY / 5) / 10), 2)


def protocol_amount(slug: str, what: str, day: datetime) -> float:
    """The same of a protocol, or of the sum over those of a parent."""
    return math.fsum(amount(part, what, day=day) for part in parts_of(slug))


def parts_of(slug: str) -> list[str]:
    """The protocol itself, or those of a parent; none where there is neither."""
    return [slug] if slug in PROTOCOLS else [part for part, told in PROTOCOLS.items() if told[3] == slug]


def midnight(now: datetime) -> datetime:
    """00:00 of the day."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def days(now: datetime) -> Iterable[datetime]:
    """All days told, the one that runs the last."""
    return (BEGINS + n * DAY for n in range((midnight(now) - BEGINS) // DAY + 1))


def seconds(day: datetime) -> int:
    """How a day is stamped."""
    return int(day.timestamp())
