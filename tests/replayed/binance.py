"""Binance USD-M futures, replayed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import STEPS, Answer, Query, candles, coming, recorded, text
from tests.replayed.markets import MINUTES_5, Market, ms, time_of


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """USD-M futures: ascending, both ends inside, the first rows of a window where it holds more than a page."""
    market = world.find("binance", query.get("symbol"))
    if "symbol" in query and market is None:
        return 400, {"code": -1121, "msg": "Invalid symbol."}
    return PATHS[path](market, query, now)


def _binance_info(_: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("binance", "exchange_info_2026-10-07_5symbols.json", "instruments_market.json", "symbols")
    rows = [
        {
            **like,
            "symbol": market.symbol,
            "pair": market.symbol,
            "contractType": "PERPETUAL",
            "status": "TRADING" if market.active else "SETTLING",
            "baseAsset": market.base,
            "quoteAsset": market.quote,
            "marginAsset": market.quote,
            "onboardDate": ms(world.LISTED),
            "deliveryDate": 4133404800000 if market.active else ms(world.LISTED + timedelta(days=400)),
        }
        for market in world.of("binance")
    ]
    dated = {**rows[0], "symbol": "BTCUSDT_301227", "contractType": "CURRENT_QUARTER", "deliveryDate": 1924588800000}
    return 200, {"timezone": "UTC", "serverTime": ms(now), "rateLimits": [], "symbols": [*rows, dated]}


def _binance_intervals(_: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("binance", "funding_info_rows_2026-09-15.json", "instruments_market_2.json")
    return 200, [{**like, "symbol": m.symbol, "fundingIntervalHours": m.hours} for m in world.of("binance")]


def _binance_funding(market: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("binance", "funding_rate_btcusdt_2026-09-15.json", "funding_market.json")
    limit = min(int(query.get("limit", 100)), 1000)
    start = time_of(query["startTime"]) if "startTime" in query else world.LISTED
    end = min(time_of(query["endTime"]) if "endTime" in query else now, now)
    rows = sorted(
        (ms(time) + one.late_ms, one.symbol, text(world.rate(one, time)))
        for one in ([market] if market else world.of("binance"))
        for time in world.settlements(one, start - timedelta(seconds=1), end)
        if ms(start) <= ms(time) + one.late_ms <= ms(end)
    )
    page = rows[:limit] if "startTime" in query else rows[-limit:]
    return 200, [{**like, "symbol": s, "fundingTime": t, "fundingRate": r, "rateType": "Regular"} for t, s, r in page]


def _binance_premium(_: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("binance", "premium_index_all_2026-10-07_3rows.json", "predicted_funding_market.json")
    return 200, [
        {
            **like,
            "symbol": market.symbol,
            "lastFundingRate": text(world.rate(market, coming(market, now))),
            "nextFundingTime": ms(coming(market, now)),
            "time": ms(now),
        }
        for market in world.of("binance")
    ]


def _binance_interest(market: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("binance", "open_interest_hist_5m_btcusdt_2026-09-07.json", "open_interest_instrument.json")
    start = time_of(query["startTime"])
    if start < now - timedelta(days=30):
        return 400, {"code": -1130, "msg": "Data sent for parameter 'startTime' is not valid."}
    assert market
    times = world.grid(start, min(time_of(query["endTime"]), now), MINUTES_5) if market.active else ()
    rows = [
        {
            **like,
            "symbol": market.symbol,
            "sumOpenInterest": text(world.coins(market, time)),
            "sumOpenInterestValue": text(world.usd(market, time)),
            "timestamp": ms(time),
        }
        for time in times
    ]
    return 200, rows[: min(int(query.get("limit", 30)), 500)]


def _binance_interest_now(market: Market | None, query: Query, now: datetime) -> Answer:
    assert market
    return 200, {"symbol": market.symbol, "openInterest": text(world.coins(market, now)), "time": ms(now)}


def _binance_accounts(market: Market | None, query: Query, now: datetime) -> Answer:
    like = recorded("binance", "global_long_short_account_ratio_5m_btcusdt_2020.json", "long_short_instrument.json")
    start = time_of(query["startTime"])
    if start < now - timedelta(days=30):
        return 400, {"code": -1130, "msg": "Data sent for parameter 'startTime' is not valid."}
    assert market
    times = world.grid(start, min(time_of(query["endTime"]), now), MINUTES_5) if market.active else ()
    rows = [
        {
            **like,
            "symbol": market.symbol,
            "longAccount": text(share),
            "shortAccount": text(1 - share),
            "longShortRatio": f"{share / (1 - share):.4f}",
            "timestamp": ms(time),
        }
        for time in times
        for share in [world.long_share(market, time)]
    ]
    return 200, rows[: min(int(query.get("limit", 30)), 500)]


def _binance_klines(market: Market | None, query: Query, now: datetime) -> Answer:
    assert market
    step, limit = STEPS[query["interval"]], min(int(query.get("limit", 500)), 1500)
    rows = candles(market, time_of(query["startTime"]), time_of(query["endTime"]), step, now)[:limit]
    return 200, [
        [ms(t), *v, ms(t + step) - 1, text(float(v[3]) * float(v[4])), 7, text(float(v[4]) / 2), "1", "0"]
        for t, v in rows
    ]


PATHS: dict[str, Callable[[Market | None, Query, datetime], Answer]] = {
    "/fapi/v1/exchangeInfo": _binance_info,
    "/fapi/v1/fundingInfo": _binance_intervals,
    "/fapi/v1/fundingRate": _binance_funding,
    "/fapi/v1/premiumIndex": _binance_premium,
    "/futures/data/openInterestHist": _binance_interest,
    "/fapi/v1/openInterest": _binance_interest_now,
    "/futures/data/globalLongShortAccountRatio": _binance_accounts,
    "/fapi/v1/klines": _binance_klines,
}
