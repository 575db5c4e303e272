"""Extended, replayed: newest first, both ends inside, a payment a second or more after its hour; its limit a minute."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import Answer, Query, candles, recorded, text
from tests.replayed.markets import HOUR, Market, ms, time_of

MARKETS = (
    Market("extended", "BTC-USD", "BTC", "USD", 1, 79_960, 1_500, late_ms=1_028),
    Market("extended", "ETH-USD", "ETH", "USD", 1, 2_503, 12_000, late_ms=772),
    Market("extended", "1000PEPE-USD", "1000PEPE", "USD", 1, 0.00898, 104_000_000, late_ms=559_000),
    Market("extended", "SPX500m-USD", "SPX500m", "USD", 1, 7_600, 480, late_ms=1_693),
    Market("extended", "OLD-USD", "OLD", "USD", 1, 1, 0, active=False),
)
MOST_IN_A_MINUTE = 1000
SETTLEMENTS, INTERESTS, CANDLES = 1000, 300, 10_000
STEPS = {"PT1M": timedelta(minutes=1), "PT1H": HOUR}
CURSOR = 1784963886257016833

_recent: deque[float] = deque()


class Refusal(ValueError):
    """Asked wrongly: the code, and the words."""


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """Not too often, then what was asked for."""
    if _too_many():
        return 429, {"status": "ERROR"}
    if path == "/api/v1/info/markets":
        return 200, {"status": "OK", "data": [*_markets(now), _spot()]}
    try:
        return 200, _of_market(path.removeprefix("/api/v1/info/").split("/"), query, now)
    except Refusal as error:
        code, message = error.args
        return 400, {"status": "ERROR", "error": {"code": code, "message": message}}


def _too_many() -> bool:
    at = time.monotonic()
    _recent.append(at)
    while _recent[0] <= at - 60:
        _recent.popleft()
    return len(_recent) > MOST_IN_A_MINUTE


def _of_market(parts: list[str], query: Query, now: datetime) -> Any:
    """`BTC-USD/funding`, `BTC-USD/open-interests` or `candles/BTC-USD/trades`."""
    kind = parts.pop(0) if parts[0] == "candles" else parts[-1]
    if (market := next((one for one in MARKETS if one.symbol == parts[0]), None)) is None:
        raise Refusal(1001, "Market not found")
    needed = {"candles": ("interval", "limit")}.get(kind, ("startTime", "endTime"))
    if missing := [name for name in needed if name not in query]:
        raise Refusal(1006, f"Request parameter {missing[0]} is missing")
    return {"status": "OK", **KINDS[kind](market, query, now)}


def _markets(now: datetime) -> list[Any]:
    like = recorded("extended", "info_markets_BTC-USD_2026-04-29.json", "predicted_funding_market.json", "data")
    hour = now.replace(minute=0, second=0, microsecond=0) + HOUR
    return [
        {
            **like,
            "name": market.symbol,
            "type": "PERPETUAL",
            "category": "RWA" if "SPX" in market.symbol else "Crypto",
            "subCategory": "ETF/Index" if "SPX" in market.symbol else "L1",
            "assetName": market.base,
            "collateralAssetName": market.quote,
            "active": True,
            "status": "ACTIVE" if market.active else "DELISTED",
            "createdAt": ms(world.LISTED),
            "marketStats": {
                **like["marketStats"],
                "fundingRate": text(world.rate(market, hour)) if market.active else "0",
                "nextFundingRate": ms(hour),
                "openInterest": text(world.usd(market, now)),
                "openInterestBase": text(world.coins(market, now)),
            },
        }
        for market in MARKETS
    ]


def _spot() -> Any:
    return {"name": "BTCSPOT-USD", "type": "SPOT", "assetName": "BTCSPOT", "collateralAssetName": "USD", "active": True,
            "status": "ACTIVE", "marketStats": {"fundingRate": "0", "nextFundingRate": 0, "openInterest": "0",
                                                "openInterestBase": "0"}}  # fmt: skip


def _funding(market: Market, query: Query, now: datetime) -> Any:
    start, end = time_of(query["startTime"]), min(time_of(query["endTime"]), now)
    late = timedelta(milliseconds=market.late_ms)
    rows = [
        {"m": market.symbol, "f": text(world.rate(market, hour)), "T": ms(hour + late)}
        for hour in world.settlements(market, start - HOUR, end)
        if start <= hour + late <= end
    ]
    newest = rows[::-1][: min(int(query.get("limit", 1000)), SETTLEMENTS)]
    return {"data": newest, "pagination": {"cursor": CURSOR, "count": len(newest)}}


def _interests(market: Market, query: Query, now: datetime) -> Any:
    if query.get("interval") != "P1H":
        raise Refusal(1005, "Not supported interval")
    times = list(world.grid(time_of(query["startTime"]), min(time_of(query["endTime"]), now), HOUR))
    rows = [{"i": text(world.usd(market, t)), "I": text(world.coins(market, t)), "t": ms(t)} for t in times]
    return {"data": rows[::-1][: min(int(query.get("limit", 300)), INTERESTS)]}


def _candles(market: Market, query: Query, now: datetime) -> Any:
    """Up to the end so many, but for those in which nobody traded: the others reach back the further."""
    step, end = STEPS[query["interval"]], min(time_of(query.get("endTime", ms(now))), now)
    most = min(int(query["limit"]), CANDLES)
    found = candles(market, end - 2 * most * step, end, step, now) if market.active else []
    rows = [{**dict(zip("ohlcv", values, strict=True)), "T": ms(opens)} for opens, values in found if traded(opens)]
    return {"data": rows[::-1][:most]}


def traded(opens: datetime) -> bool:
    """Whether there is a candle: in the last of ten minutes nobody trades."""
    return opens.minute % 10 != 9


KINDS: dict[str, Callable[[Market, Query, datetime], Any]] = {
    "funding": _funding,
    "open-interests": _interests,
    "candles": _candles,
}
