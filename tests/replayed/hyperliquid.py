"""Hyperliquid's main market, replayed: one path, told apart by the type in the body."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import STEPS, Answer, Query, candles, recorded, text
from tests.replayed.markets import HOUR, Market, ms, time_of

PAGE, KEPT_CANDLES = 500, 5000
RECORDED = ("hyperliquid", "meta_and_asset_ctxs_cut_2026-09-27.json", "instruments_market.json")


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """Ascending, both ends inside, the first rows of a window where it holds more than a page."""
    match body:
        case {"type": "metaAndAssetCtxs"}:
            return 200, _state(now)
        case {"type": "fundingHistory", "coin": coin, "startTime": int()}:
            market = world.find("hyperliquid", coin)
            return 200, _settlements(market, body, now) if market else None
        case {"type": "candleSnapshot", "req": {"coin": coin, "interval": _, "startTime": int()} as asked}:
            market = world.find("hyperliquid", coin)
            return 200, _candles(market, asked, now) if market else None
        case _:
            return 422, "Failed to deserialize the JSON body into the target type"


def _state(now: datetime) -> list[Any]:
    coin, context = recorded(*RECORDED, 0, "universe"), recorded(*RECORDED, 1)
    universe, contexts = [], []
    for market in world.of("hyperliquid"):
        universe.append({**coin, "name": market.symbol, **({} if market.active else {"isDelisted": True})})
        hour = now.replace(minute=0, second=0, microsecond=0) + HOUR
        contexts.append(
            {
                **context,
                "funding": text(world.rate(market, hour)),
                "openInterest": text(world.coins(market, now)),
                "markPx": text(world.price(market, now)),
                "oraclePx": text(world.price(market, now)),
            }
        )
    return [{"universe": universe, "marginTables": [], "collateralToken": 0}, contexts]


def _settlements(market: Market, asked: Mapping[str, Any], now: datetime) -> list[Any]:
    start, end = asked["startTime"], min(asked.get("endTime", ms(now)), ms(now))
    times = world.settlements(market, time_of(start) - timedelta(seconds=1), time_of(end))
    rows = [
        {
            "coin": market.symbol,
            "fundingRate": text(world.rate(market, time)),
            "premium": "0.0001",
            "time": ms(time) + market.late_ms,
        }
        for time in times
        if start <= ms(time) + market.late_ms <= end
    ]
    return rows[:PAGE]


def _candles(market: Market, asked: Mapping[str, Any], now: datetime) -> list[Any]:
    step = STEPS[asked["interval"]]
    start, end = time_of(asked["startTime"]), time_of(asked.get("endTime", ms(now)))
    if not market.active:
        return []
    growing = start - step + timedelta(milliseconds=1)  # the one that had not closed by then is sent too
    found = candles(market, max(growing, now - KEPT_CANDLES * step), end, step, now)
    rows = [
        {
            "t": ms(time),
            "T": ms(time + step) - 1,
            "s": market.symbol,
            "i": asked["interval"],
            **dict(zip("ohlcv", values, strict=True)),
            "n": 9,
        }
        for time, values in found
    ]
    return rows[:PAGE]
