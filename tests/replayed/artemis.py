"""Artemis, replayed as it is documented: one value a metric, symbol and day, always the same until it is revised."""

import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zlib import crc32

from tests.replayed.bodies import Answer, Query

KEY = "artemis-replayed"
MOST_SYMBOLS, MOST_POINTS = 50, 1000
ASSETS = (
    ("btc", "bitcoin", "Bitcoin", "bitcoin"),
    ("eth", "ethereum", "Ethereum", "ethereum"),
    ("sol", "solana", "Solana", "solana"),
    ("aave", "aave", "Aave", "aave"),
    ("uni", "uniswap", "Uniswap", "uniswap"),
    ("hype", "hyperliquid", "Hyperliquid", "hyperliquid"),
    ("usdc", "usdc", "USD Coin", "usd-coin"),
    ("eq-coin", "eq-coin", "Coinbase", None),
    ("pepe", "pepe", "Pepe", "pepe"),  # in no map of ours, but CoinGecko's id is
    ("mystery", "mystery", "Mystery", None),  # nobody can tell what it is
)
NEW = "HASH_RATE"  # a metric that no list of ours has
QUARTERLY = {"TOTAL_REVENUE", "NET_INCOME", "EBITDA", "OPERATING_INCOME", "FREE_CASH_FLOW", "BASIC_EPS", "DILUTED_EPS"}
SUPPORTED = {
    "btc": {"PRICE": "USD", "FEES": "USD", "DAU": "addresses", NEW: "EH/s", "VOLATILITY_90D_ANN": "percent"},
    "usdc": {"STABLECOIN_SUPPLY": "USD", "STABLECOIN_AVG_DAU": "addresses"},
    "eq-coin": {"PRICE": "USD", "NET_INCOME": "USD", "NAV": "USD", "FDMV_NAV_RATIO": "ratio"},
}


@dataclass
class Mood:
    """What tests may change: requests allowed `a_second`, and by what values of a symbol are multiplied now."""

    a_second: int = 10
    revised: dict[str, float] = field(default_factory=dict)
    lately: list[float] = field(default_factory=list)


mood = Mood()


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """The key first, then not too often."""
    if query.get("APIKey") != KEY:
        return 401, {"detail": "Invalid API key"}
    if _too_many():
        return 429, {"detail": "Request was throttled."}
    if path == "/asset/symbols/":
        return 200, {"assets": [_asset(*asset) for asset in ASSETS]}
    if path == "/supported-metrics/":
        told = SUPPORTED.get(query.get("symbol", ""), {"PRICE": "USD"})
        return 200, {"metrics": [{name: _facts(name, unit)} for name, unit in told.items()]}
    return _series(path.removeprefix("/data/api/").strip("/"), query, now.date())


def _too_many() -> bool:
    moment = time.monotonic()
    mood.lately = [earlier for earlier in mood.lately if moment - earlier < 1]
    if len(mood.lately) >= mood.a_second:
        return True
    mood.lately.append(moment)
    return False


def _asset(symbol: str, artemis_id: str, title: str, coingecko_id: str | None) -> dict[str, Any]:
    return {"artemis_id": artemis_id, "symbol": symbol, "title": title, "coingecko_id": coingecko_id, "color": None}


def _facts(name: str, unit: str) -> dict[str, Any]:
    quarter = "2014-Q1" if name in QUARTERLY else None
    told = {"label": name.title(), "description": f"{name} as replayed.", "unit": unit, "accepts_date": True}
    return {**told, "earliest_fiscal_period": quarter, "cuts": [], "tags": []}


def _series(metrics: str, query: Query, today: date) -> Answer:
    """Both days inside. Too many symbols break it, and what is told by quarter is not told by the day."""
    symbols, names = query["symbols"].split(","), metrics.split(",")
    if len(symbols) > MOST_SYMBOLS:
        return 500, "Server Error (500)"
    quarterly = query.get("granularity") == "QUARTER"
    if not quarterly and QUARTERLY.intersection(names):
        return 400, {"detail": "granularity must be QUARTER"}
    last = min(date.fromisoformat(query["endDate"]), today)
    days = _days(date.fromisoformat(query["startDate"]), last, quarterly)
    told = {symbol: {name: _of(symbol, name, days) for name in names} for symbol in symbols}
    return 200, {"data": {"symbols": told}}


def _days(first: date, last: date, quarterly: bool) -> list[date]:
    days = [first + timedelta(days=number) for number in range(min((last - first).days + 1, MOST_POINTS))]
    return [day for day in days if not quarterly or ((day + timedelta(days=1)).day == 1 and day.month % 3 == 0)]


def is_told(symbol: str, metric: str) -> bool:
    """Whether it has this metric of this symbol; of one in five it has not, but prices of all."""
    return metric == "PRICE" or crc32(f"{symbol} {metric}".encode()) % 5 > 0


def value(symbol: str, metric: str, day: date) -> float:
    """What it tells of a day."""
    return (crc32(f"{symbol} {metric} {day}".encode()) % 1_000_000 + 1) / 8 * mood.revised.get(symbol, 1.0)


def _of(symbol: str, metric: str, days: list[date]) -> Any:
    if not is_told(symbol, metric):
        return "Metric not available for asset."
    return [{"date": day.isoformat(), "val": value(symbol, metric, day)} for day in days]
