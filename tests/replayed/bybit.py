"""Bybit v5 linear, replayed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import STEPS, Answer, Query, candles, coming, recorded, text
from tests.replayed.markets import HOUR, MINUTES_5, Market, ms, time_of


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """v5 linear: newest first, both ends inside, the newest rows of a window where it holds more than a page."""
    market = world.find("bybit", query.get("symbol"))
    if query.get("category") != "linear" or ("symbol" in query and market is None):
        return 200, {"retCode": 10001, "retMsg": "params error: symbol invalid", "result": {}, "time": ms(now)}
    rows, cursor = PATHS[path](market, query, now)
    if rows is None:
        return 200, {"retCode": 10001, "retMsg": "params error: the end is missing", "result": {}, "time": ms(now)}
    result = {"category": "linear", "list": rows, "nextPageCursor": cursor}
    return 200, {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": ms(now)}


Page = tuple[list[Any] | None, str]


def _bybit_contracts(_: Market | None, query: Query, now: datetime) -> Page:
    like = recorded("bybit", "instruments_linear_2026-08-09.json", "instruments_market.json", "result", "list")
    rows = [
        {
            **like,
            "symbol": market.symbol,
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": market.base,
            "quoteCoin": market.quote,
            "launchTime": str(ms(world.LISTED)),
            "deliveryTime": "0",
            "fundingInterval": market.hours * 60,
            "symbolType": "",
        }
        for market in world.of("bybit")
    ]
    start = int(query.get("cursor", "page=0").removeprefix("page="))
    end = start + min(int(query.get("limit", 500)), 3)  # a page far smaller than asked for, so that there are several
    return rows[start:end], f"page%3D{end}" if end < len(rows) else ""


def _bybit_tickers(_: Market | None, query: Query, now: datetime) -> Page:
    like = recorded("bybit", "tickers_linear_2023-08-16.json", "open_interest_market.json", "result", "list")
    return [
        {
            **like,
            "symbol": market.symbol,
            "markPrice": text(world.price(market, now)),
            "indexPrice": text(world.price(market, now)),
            "fundingRate": text(world.rate(market, coming(market, now))),
            "nextFundingTime": str(ms(coming(market, now))),
            "fundingIntervalHour": str(market.hours),
            "openInterest": text(2 * world.coins(market, now)),
            "openInterestValue": text(2 * world.usd(market, now)),
            "singleOpenInterest": text(world.coins(market, now)),
            "singleOpenInterestValue": text(world.usd(market, now)),
        }
        for market in world.of("bybit")
    ], ""


def _bybit_funding(market: Market | None, query: Query, now: datetime) -> Page:
    if market is None or ("startTime" in query and "endTime" not in query):
        return None, ""
    times = world.settlements(market, time_of(query["startTime"]), min(time_of(query["endTime"]), now))
    rows = [
        {"symbol": market.symbol, "fundingRate": text(world.rate(market, t)), "fundingRateTimestamp": str(ms(t))}
        for t in times
    ]
    return rows[::-1][: min(int(query.get("limit", 200)), 200)], ""


def _bybit_interest(market: Market | None, query: Query, now: datetime) -> Page:
    assert market
    assert query["intervalTime"] == "1h"
    times = world.grid(time_of(query["startTime"]), min(time_of(query["endTime"]), now), HOUR)
    rows = [{"openInterest": text(2 * world.coins(market, t)), "timestamp": str(ms(t))} for t in times]
    return rows[::-1][: min(int(query.get("limit", 50)), 200)], ""


def _bybit_klines(market: Market | None, query: Query, now: datetime) -> Page:
    assert market
    found = candles(market, time_of(query["start"]), time_of(query["end"]), STEPS[query["interval"]], now)
    rows = [[str(ms(t)), *v, text(float(v[3]) * float(v[4]))] for t, v in found]
    return rows[::-1][: min(int(query.get("limit", 200)), 1000)], ""


def _bybit_ratios(market: Market | None, query: Query, now: datetime) -> Page:
    assert market
    assert query["period"] == "5min"
    times = world.grid(time_of(query["startTime"]), min(time_of(query["endTime"]), now), MINUTES_5)
    shares = [(str(ms(time)), world.long_share(market, time)) for time in times]
    rows = [
        {"symbol": market.symbol, "buyRatio": text(share), "sellRatio": text(1 - share), "timestamp": time}
        for time, share in shares
    ]
    return rows[::-1][: min(int(query.get("limit", 50)), 500)], ""


PATHS: dict[str, Callable[[Market | None, Query, datetime], Page]] = {
    "/v5/market/instruments-info": _bybit_contracts,
    "/v5/market/tickers": _bybit_tickers,
    "/v5/market/funding/history": _bybit_funding,
    "/v5/market/open-interest": _bybit_interest,
    "/v5/market/kline": _bybit_klines,
    "/v5/market/account-ratio": _bybit_ratios,
}
