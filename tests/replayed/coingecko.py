"""CoinGecko's derivatives, replayed: exchanges of ours and others, percent for fractions, so many calls a minute."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import Answer, Query

PATH = "/api/v3/derivatives"
PERCENT = 0.004308
OTHERS = {  # symbol there, base, CoinGecko's id of the coin
    "phemex_futures": (("XBTUSD", "XBT", "bitcoin"), ("ETHUSD", "ETH", "ethereum")),
    "gate_futures": (("BTC_USDT", "BTC", "bitcoin"), ("1000PEPE_USDT", "1000PEPE", "pepe")),
    "murky_dex": (("BTC-USD", "BTC", "bitcoin"), ("NEVER-USD", "NEVER", "never-heard-of"), ("SUI-USD", "SUI", None)),
}
NAMES = {
    "binance_futures": "Binance (Futures)",
    "bybit": "Bybit (Futures)",
    "okex_swap": "OKX (Futures)",
    "hyperliquid": "Hyperliquid (Futures)",
    "phemex_futures": "Phemex (Futures)",
    "gate_futures": "Gate (Futures)",
    "murky_dex": "Murky DEX",
}
OURS = {"binance": "binance_futures", "bybit": "bybit", "okx": "okex_swap", "hyperliquid": "hyperliquid"}


@dataclass
class Mood:
    """What tests may change: calls allowed in `a_period` of seconds, more rows, percent by (exchange's id, symbol)."""

    allowed: int = 30
    a_period: float = 60.0
    more: list[dict[str, Any]] = field(default_factory=list)
    percent: dict[tuple[str, str], float] = field(default_factory=dict)
    lately: deque[float] = field(default_factory=deque)

    def is_too_often(self) -> bool:
        """Count a call that comes in now."""
        now = time.monotonic()
        self.lately.append(now)
        while self.lately[0] <= now - self.a_period:
            self.lately.popleft()
        return len(self.lately) > self.allowed


mood = Mood()


def calm() -> None:
    """As it was in the beginning."""
    mood.__dict__.update(Mood().__dict__)


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """Not too often first, then what was asked for."""
    if mood.is_too_often():
        return 429, {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}
    if path == f"{PATH}/exchanges/list":
        return 200, [{"id": venue, "name": name} for venue, name in NAMES.items()]
    if path == PATH:
        return 200, [*_derivatives(now), *mood.more]
    venue = path.removeprefix(f"{PATH}/exchanges/")
    if venue in NAMES and query.get("include_tickers") == "unexpired":
        return 200, {"name": NAMES[venue], "open_interest_btc": 1.5, "tickers": _tickers(venue, now)}
    return 404, {"error": "exchange not found"}


def row(venue: str, symbol: str, base: str, now: datetime, **more: Any) -> dict[str, Any]:
    """A row of all derivatives."""
    return {
        "market": NAMES[venue],
        "symbol": symbol,
        "index_id": base,
        "price": "80000.5",
        "contract_type": "perpetual",
        "funding_rate": mood.percent.get((venue, symbol), PERCENT),
        "open_interest": 1_000_000.5,
        "volume_24h": 5_000_000.25,
        "last_traded_at": round((now - timedelta(minutes=1)).timestamp()),
        "expired_at": None,
        **more,
    }


def _derivatives(now: datetime) -> list[dict[str, Any]]:
    ours = [row(OURS[m.exchange], m.symbol, m.base, now, open_interest=world.usd(m, now)) for m in world.MARKETS]
    others = [row(venue, symbol, base, now) for venue, all in OTHERS.items() for symbol, base, _ in all]
    dated = row("binance_futures", "BTCUSDT_270326", "BTC", now, contract_type="futures", funding_rate=0.0)
    return [*ours, *others, dated]


def _tickers(venue: str, now: datetime) -> list[Mapping[str, Any]]:
    return [
        {"symbol": symbol, "base": base, "target": "USD", "coin_id": coin, "contract_type": "perpetual"}
        for symbol, base, coin in [*OTHERS.get(venue, ()), *_ours(venue)]
    ]


def _ours(venue: str) -> list[tuple[str, str, str | None]]:
    """What trades on an exchange that is a source itself; no coin is told of it."""
    return [(m.symbol, m.base, None) for m in world.MARKETS if OURS[m.exchange] == venue]
