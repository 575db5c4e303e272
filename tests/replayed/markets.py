"""A handful of markets on four exchanges whose numbers are a function of time: what the replayed exchanges tell."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from zlib import crc32

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, MINUTES_5 = timedelta(hours=1), timedelta(minutes=5)
LISTED = datetime(2023, 6, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Market:
    """One perpetual. `price` and `coins` (one-sided open interest) are of the quoted unit, `hours` its interval."""

    exchange: str
    symbol: str
    base: str
    quote: str
    hours: int
    price: float
    coins: float
    late_ms: int = 0
    inverse: bool = False
    active: bool = True


MARKETS = (
    Market("binance", "BTCUSDT", "BTC", "USDT", 8, 80_000, 90_000, late_ms=4),
    Market("binance", "ETHUSDT", "ETH", "USDT", 8, 2_500, 1_900_000, late_ms=2),
    Market("binance", "1000PEPEUSDT", "1000PEPE", "USDT", 4, 0.009, 9_000_000_000),
    Market("binance", "OMGUSDT", "OMG", "USDT", 8, 0.2, 1_000, active=False),
    Market("bybit", "BTCUSDT", "BTC", "USDT", 8, 80_010, 26_000),
    Market("bybit", "BTCPERP", "BTC", "USDC", 8, 80_020, 1_200),
    Market("bybit", "ETHUSDT", "ETH", "USDT", 4, 2_501, 400_000),
    Market("bybit", "1000PEPEUSDT", "1000PEPE", "USDT", 1, 0.00901, 3_000_000_000),
    Market("okx", "BTC-USDT-SWAP", "BTC", "USDT", 8, 79_990, 33_000),
    Market("okx", "BTC-USD-SWAP", "BTC", "USD", 8, 79_980, 13_000, inverse=True),
    Market("okx", "ETH-USDT-SWAP", "ETH", "USDT", 4, 2_499, 700_000),
    Market("okx", "PEPE-USDT-SWAP", "PEPE", "USDT", 8, 0.000009, 4_000_000_000_000),
    Market("hyperliquid", "BTC", "BTC", "USDC", 1, 79_970, 38_000, late_ms=45),
    Market("hyperliquid", "ETH", "ETH", "USDC", 1, 2_502, 1_100_000, late_ms=300),
    Market("hyperliquid", "MATIC", "MATIC", "USDC", 1, 0.3, 10, active=False),
    Market("hyperliquid", "kPEPE", "kPEPE", "USDC", 1, 0.00899, 1_000_000_000, late_ms=12),
)


def of(exchange: str) -> list[Market]:
    """The markets of an exchange."""
    return [market for market in MARKETS if market.exchange == exchange]


def find(exchange: str, symbol: str | None) -> Market | None:
    """A market by its native symbol."""
    return next((market for market in of(exchange) if market.symbol == symbol), None)


def ms(time: datetime) -> int:
    """Epoch milliseconds."""
    return (time - EPOCH) // timedelta(milliseconds=1)


def time_of(value: int | str) -> datetime:
    """From epoch milliseconds."""
    return EPOCH + timedelta(milliseconds=int(value))


def _draw(market: Market, what: str, time: datetime) -> float:
    """Between -1 and 1, always the same."""
    seed = f"{market.exchange}/{market.symbol}/{what}/{ms(time)}"
    return crc32(seed.encode()) / 2**31 - 1


def grid(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """Multiples of `step` since the epoch in `[start, end]`."""
    time = EPOCH + ceil((start - EPOCH) / step) * step
    while time <= end:
        yield time
        time += step


def rate(market: Market, time: datetime) -> float:
    """What is paid at a settlement, a fraction of one interval."""
    return round(0.00001 * market.hours * (1 + 2 * _draw(market, "rate", time)), 8)


def settlements(market: Market, start: datetime, end: datetime) -> Iterator[datetime]:
    """The settlements in `[start, end]`, on the hour; an inactive market has stopped long ago."""
    return grid(max(start, LISTED), end, market.hours * HOUR) if market.active else iter(())


def price(market: Market, time: datetime) -> float:
    """The price at an instant, to six digits."""
    return float(f"{market.price * (1 + 0.01 * _draw(market, 'price', time)):.6g}")


def coins(market: Market, time: datetime) -> float:
    """One-sided open interest at an instant, in quoted units."""
    return round(market.coins * (1 + 0.05 * _draw(market, "coins", time)), 3)


def usd(market: Market, time: datetime) -> float:
    """One-sided open interest at an instant, in USD."""
    return round(coins(market, time) * price(market, time), 4)


def long_share(market: Market, time: datetime) -> float:
    """The share of accounts that is long at an instant."""
    return round(0.5 + 0.2 * _draw(market, "accounts", time), 4)


def candle(market: Market, opens: datetime, step: timedelta) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume (quoted units). Each opens where the one before closed."""
    first, last = price(market, opens), price(market, opens + step)
    volume = round(market.coins / 1000 * (2 + _draw(market, f"volume{step}", opens)), 3)
    return first, max(first, last) * 1.001, min(first, last) * 0.999, last, volume


def liquidations(market: Market, start: datetime, end: datetime) -> Iterator[tuple[datetime, str, float, float]]:
    """Time, whose position, price and contracts of those in `[start, end]`: one every ten minutes."""
    for time in grid(start, end, 2 * MINUTES_5):
        side = "long" if _draw(market, "side", time) > 0 else "short"
        yield time, side, price(market, time), round(10 + 5 * _draw(market, "contracts", time))
