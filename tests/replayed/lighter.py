"""Lighter, replayed: markets by number, the newest rows of a window that holds too many, so many requests a minute."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import STEPS, Answer, Query, candles, coming, recorded, text
from tests.replayed.markets import Market, ms, time_of

SETTLEMENTS, CANDLES = 750, 500
IDS = {
    0: Market("lighter", "ETH", "ETH", "USDC", 1, 2_503, 39_000),
    1: Market("lighter", "BTC", "BTC", "USDC", 1, 79_960, 1_600),
    4: Market("lighter", "1000PEPE", "1000PEPE", "USDC", 1, 0.00898, 90_000_000),
    96: Market("lighter", "EURUSD", "EURUSD", "USDC", 1, 1.08, 4_000_000),
    28: Market("lighter", "MKR", "MKR", "USDC", 1, 1_700, 10, active=False),
}
MARKETS = [market for market in IDS.values() if market.active]


@dataclass
class Mood:
    """What tests may change, and what came in: `allowed` requests in `a_period` of seconds, `refused` so far.

    The next `sulking` requests are refused whatever came in.
    """

    allowed: int = 60
    a_period: float = 60.0
    refused: int = 0
    sulking: int = 0
    lately: deque[float] = field(default_factory=deque)

    def is_too_often(self) -> bool:
        """Count a request that comes in now."""
        if self.sulking:
            self.sulking -= 1
            return True
        now = time.monotonic()
        self.lately.append(now)
        while self.lately[0] <= now - self.a_period:
            self.lately.popleft()
        return len(self.lately) > self.allowed


mood = Mood()


def calm() -> None:
    """As it was in the beginning."""
    mood.__dict__.update(Mood().__dict__)


def percent(market: Market, time: datetime) -> float:
    """What is paid at a settlement in percent of an hour, to the digits that are told; negative where shorts pay."""
    return round(world.rate(market, time) * 100, 4)


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """Not too often, then what was asked for; a market there is not is refused with HTTP 200."""
    if mood.is_too_often():
        mood.refused += 1
        return 429, {"code": 23000, "message": "Too Many Requests!"}
    market = IDS.get(int(query["market_id"])) if "market_id" in query else None
    if "market_id" in query and market is None:
        return 200, {"code": 21602, "message": "invalid market index"}
    return PATHS[path](market, query, now)


def _details(_: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("lighter", "orderBookDetails_ETH_2026-05-05.json", "instruments_market.json", "order_book_details")
    rows = [
        {
            **like,
            "symbol": market.symbol,
            "market_id": number,
            "market_type": "perp",
            "status": "active" if market.active else "inactive",
            "open_interest": world.coins(market, now),
            "last_trade_price": world.price(market, now),
        }
        for number, market in IDS.items()
    ]
    spot = {**rows[0], "symbol": "ETH/USDC", "market_id": 2048, "market_type": "spot"}
    return 200, {"code": 200, "order_book_details": [*rows, spot], "spot_order_book_details": [spot]}


def _rates(_: Market | None, query: Query, now: datetime) -> Answer:
    rows = [
        {"market_id": number, "exchange": exchange, "symbol": market.symbol, "rate": rate}
        for number, market in IDS.items()
        for exchange, rate in (
            ("binance", 0.0001),
            ("lighter", percent(market, coming(market, now)) / 100 * 8),
        )
        if market.active
    ]
    return 200, {"code": 200, "funding_rates": rows}


def _fundings(market: Market | None, query: Query, now: datetime) -> Answer:
    assert market
    if query["resolution"] != "1h":
        return 400, {"code": 20001, "message": "invalid param : resolution"}
    start, end = (time_of(int(query[name]) * 1000) for name in ("start_timestamp", "end_timestamp"))
    rows = [
        {
            "timestamp": ms(time) // 1000,
            "value": text(abs(percent(market, time)) / 100 * world.price(market, time)),
            "rate": f"{abs(percent(market, time)):.4f}",
            "direction": "short" if percent(market, time) < 0 else "long",
        }
        for time in world.settlements(market, start, min(end, now))
    ]
    return 200, {"code": 200, "resolution": "1h", "fundings": rows[-SETTLEMENTS:]}


def _candles(market: Market | None, query: Query, now: datetime) -> Answer:
    assert market
    start, end = (time_of(query[name]) for name in ("start_timestamp", "end_timestamp"))
    step: timedelta = STEPS[query["resolution"]]
    found = candles(market, start, end, step, now) if market.active else []
    rows = [
        {"t": ms(time), **{key: float(value) for key, value in zip("ohlcv", values, strict=True)}, "i": 7}
        for time, values in found
    ]
    whole = [{**row, "V": round(row["c"] * row["v"], 6)} for row in rows[-CANDLES:]]
    return 200, {"code": 200, "r": query["resolution"], "c": whole or None}


PATHS: dict[str, Callable[[Market | None, Query, datetime], Answer]] = {
    "/api/v1/orderBookDetails": _details,
    "/api/v1/funding-rates": _rates,
    "/api/v1/fundings": _fundings,
    "/api/v1/candles": _candles,
}
