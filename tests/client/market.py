"""A small market for tests of the client, and what is in force in it as plain Python has it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any

Row = Mapping[str, Any]

DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 96
CONTRACTS = (
    ("binance", "BTCUSDT", "bitcoin", "binance", 8),
    ("binance", "BTCUSD_PERP", "bitcoin", "binance", 8),
    ("binance", "BTCUSDT", "bitcoin", "velo", 8),
    ("bybit", "BTCUSDT", "bitcoin", "bybit", 4),
    ("bybit", "BTCPERP", "bitcoin", "bybit", 8),
    ("hyperliquid", "BTC", "bitcoin", "hyperliquid", 1),
    ("binance", "ETHUSDT", "ethereum", "binance", 8),
    ("hyperliquid", "ETH", "ethereum", "hyperliquid", 1),
)


def silent(exchange: str, source: str, hour: int) -> bool:
    """Binance tells nothing of its own for a day, Hyperliquid nothing for four hours."""
    return (exchange == source == "binance" and 30 < hour < 60) or (exchange == "hyperliquid" and 50 < hour < 55)


def rows() -> list[dict[str, Any]]:
    """Settlements of four days."""
    return [
        {
            "time": DAY + timedelta(hours=hour),
            "exchange": exchange,
            "instrument": instrument,
            "asset": asset,
            "source": source,
            "rate": 1.25e-5 * every * sin(hour / 7 + n + 1),
            "interval_hours": every,
        }
        for n, (exchange, instrument, asset, source, every) in enumerate(CONTRACTS)
        for hour in range(0, HOURS, every)
        if not silent(exchange, source, hour)
    ]


def written() -> list[dict[str, Any]]:
    """The same as an import takes them."""
    return [{**row, "time": row["time"].isoformat()} for row in rows()]


def unsaid() -> list[dict[str, Any]]:
    """Settlements of a perpetual whose exchange does not say in which interval: gaps, changes, and a first one."""
    hours = (0, 8, 16, 20, 24, 25, 26, 34, 42, 45, 46, 54, 58, 60, 61, 62, 78, 79, 81, 83)
    row = {"exchange": "okx", "instrument": "LTC-USDT-SWAP", "asset": "litecoin", "source": "okx"}
    return [{**row, "time": (DAY + timedelta(hours=h)).isoformat(), "rate": 1e-5 * (1 + h)} for h in hours]


def contract_order(symbol: str) -> tuple[int, int, str]:
    return 0 if "USDT" in symbol.upper() else 1 if "USDC" in symbol.upper() else 2, len(symbol), symbol


def source_order(row: Row) -> tuple[int, str]:
    return 0 if row["source"] == row["exchange"] else 1 if row["source"] == "import" else 2, row["source"]


def in_force(facts: Iterable[Row], at: datetime, asset: str) -> dict[tuple[str, str], float]:
    """Rate per 8 h of each contract (exchange, symbol) of an asset in force at an instant, looked for one by one."""
    last: dict[tuple[str, str, str], Row] = {}
    for row in facts:
        if row["asset"] == asset and row["time"] <= at:
            key = (row["exchange"], row["instrument"], row["source"])
            if key not in last or last[key]["time"] <= row["time"]:
                last[key] = row
    found: dict[tuple[str, str], float] = {}
    for row in sorted(last.values(), key=source_order, reverse=True):
        if at <= row["time"] + timedelta(hours=1.5 * row["interval_hours"]):
            found[row["exchange"], row["instrument"]] = row["rate"] * 8.0 / row["interval_hours"]
    return found


def main_rate(facts: Iterable[Row], at: datetime, exchange: str, asset: str) -> float | None:
    """The rate of the contract that an exchange's name means."""
    held = {symbol: rate for (slug, symbol), rate in in_force(facts, at, asset).items() if slug == exchange}
    return held[min(held, key=contract_order)] if held else None


def widest(facts: Iterable[Row], at: datetime, asset: str) -> tuple[str, str, float] | None:
    """The pair of contracts furthest apart: short, long and by how much; ties to the first name."""
    held = in_force(facts, at, asset)
    pairs = [(held[a] - held[b], a, b) for a in held for b in held if a != b and held[a] >= held[b]]
    if not pairs:
        return None
    spread, short, long = min(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))
    return short[0], long[0], spread
