"""OKX v5 swaps, replayed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import markets as world
from tests.replayed.bodies import STEPS, Answer, Query, candles, coming, recorded, text
from tests.replayed.markets import HOUR, MINUTES_5, Market, ms, time_of

PAGE = 100
KEPT_SETTLEMENTS, KEPT_INTERESTS, KEPT_RATIOS = timedelta(days=90), 1440, 1440


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """Newest first; `after` is older than, `before` newer than; of a window that holds more than a page the newest."""
    symbol = query.get("instId", "ANY")
    market = world.find("okx", symbol)
    if symbol != "ANY" and market is None:
        return 200, {"code": "51000", "data": [], "msg": "Parameter instId error"}
    return 200, {"code": "0", "msg": "", "data": PATHS[path](market, query, now)}


def _swaps(_: Market | None, query: Query, now: datetime) -> list[Any]:
    like = recorded("okx", "instruments_swap_2026-04-27.json", "instruments_market.json", "data")
    rows = [
        {
            **like,
            "instId": market.symbol,
            "uly": f"{market.base}-{market.quote}",
            "instFamily": f"{market.base}-{market.quote}",
            "ctType": "inverse" if market.inverse else "linear",
            "ctVal": "100" if market.inverse else "0.01",
            "ctMult": "1",
            "ctValCcy": market.quote if market.inverse else market.base,
            "settleCcy": market.base if market.inverse else market.quote,
            "listTime": str(ms(world.LISTED)),
            "expTime": "",
            "instCategory": "1",
            "state": "live",
        }
        for market in world.of("okx")
    ]
    return [*rows, {**rows[0], "instId": "TEST01-USDT-SWAP", "uly": "TEST01-USDT"}]


def _funding_now(_: Market | None, query: Query, now: datetime) -> list[Any]:
    like = recorded("okx", "funding_rate_any_2026-04-27.json", "funding_market.json", "data")
    return [
        {
            **like,
            "instId": market.symbol,
            "instType": "SWAP",
            "fundingRate": text(world.rate(market, coming(market, now))),
            "fundingTime": str(ms(coming(market, now))),
            "nextFundingTime": str(ms(coming(market, now) + market.hours * HOUR)),
            "prevFundingTime": str(ms(coming(market, now) - market.hours * HOUR)),
            "settFundingRate": text(world.rate(market, coming(market, now) - market.hours * HOUR)),
            "settState": "settled",
            "ts": str(ms(now)),
        }
        for market in world.of("okx")
    ]


def _bounds(query: Query, now: datetime, newer: str = "before", older: str = "after") -> tuple[datetime, datetime]:
    """First and last millisecond inside."""
    one = timedelta(milliseconds=1)
    start = time_of(query[newer]) + one if newer in query else world.LISTED
    return start, min(time_of(query[older]) - one if older in query else now, now)


def _page(rows: list[Any], query: Query) -> list[Any]:
    return rows[::-1][: min(int(query.get("limit", PAGE)), PAGE)]


def _settlements(market: Market | None, query: Query, now: datetime) -> list[Any]:
    assert market
    start, end = _bounds(query, now)
    like = {"formulaType": "withRate", "instType": "SWAP", "method": "current_period", "instId": market.symbol}
    rows = [
        {
            **like,
            "fundingRate": text(world.rate(market, time) + 0.00001),
            "realizedRate": text(world.rate(market, time)),
            "fundingTime": str(ms(time)),
        }
        for time in world.settlements(market, max(start, now - KEPT_SETTLEMENTS), end)
    ]
    return _page(rows, query)


def _interest_now(_: Market | None, query: Query, now: datetime) -> list[Any]:
    like = recorded("okx", "open_interest_btc_usdt_swap_2026-04-27.json", "open_interest_market.json", "data")
    return [
        {
            **like,
            "instId": market.symbol,
            "oi": text(world.coins(market, now) * 100),
            "oiCcy": text(world.coins(market, now)),
            "oiUsd": text(world.usd(market, now)),
            "ts": str(ms(now)),
        }
        for market in world.of("okx")
    ]


def _interest(market: Market | None, query: Query, now: datetime) -> list[Any]:
    assert market
    step = STEPS[query["period"]]
    start, end = _bounds(query, now, "begin", "end")
    times = world.grid(max(start, now - KEPT_INTERESTS * step), end, step)
    coins = [(str(ms(t)), world.coins(market, t), world.usd(market, t)) for t in times]
    return _page([[t, text(held * 100), text(held), text(usd)] for t, held, usd in coins], query)


def _klines(market: Market | None, query: Query, now: datetime) -> list[Any]:
    assert market
    start, end = _bounds(query, now)
    step = STEPS[query["bar"]]
    rows = [
        [
            *(str(ms(t)), *v[:4], text(float(v[4]) * 100), v[4], text(float(v[3]) * float(v[4]))),
            "1" if t + step <= now else "0",
        ]
        for t, v in candles(market, start, end, step, now)
    ]
    return _page(rows, query)


def _marks(_: Market | None, query: Query, now: datetime) -> list[Any]:
    like = {"instType": query["instType"], "ts": str(ms(now))}
    return [{**like, "instId": market.symbol, "markPx": text(world.price(market, now))} for market in world.of("okx")]


def _ratios(market: Market | None, query: Query, now: datetime) -> list[Any]:
    assert market
    assert query["period"] == "5m"
    start, end = _bounds(query, now, "begin", "end")
    times = world.grid(max(start, now - KEPT_RATIOS * MINUTES_5), end, MINUTES_5)
    shares = [(str(ms(time)), world.long_share(market, time)) for time in times]
    return _page([[time, text(share / (1 - share))] for time, share in shares], query)


def _liquidations(_: Market | None, query: Query, now: datetime) -> list[Any]:
    """One every ten minutes, of the past day."""
    assert query["state"] == "filled"
    market = world.find("okx", f"{query['instFamily']}-{query['instType']}")
    assert market
    start, end = _bounds(query, now)
    found = world.liquidations(market, max(start, now - timedelta(days=1)), end)
    details = [
        {
            "bkPx": text(price),
            "sz": text(contracts),
            "posSide": side,
            "side": "sell" if side == "long" else "buy",
            "ts": str(ms(time)),
        }
        for time, side, price, contracts in found
    ]
    like = {"instFamily": query["instFamily"], "instId": market.symbol, "instType": "SWAP"}
    return [{**like, "details": _page(details, query)}] if details else []


PATHS: dict[str, Callable[[Market | None, Query, datetime], list[Any]]] = {
    "/api/v5/public/instruments": _swaps,
    "/api/v5/public/funding-rate": _funding_now,
    "/api/v5/public/funding-rate-history": _settlements,
    "/api/v5/public/open-interest": _interest_now,
    "/api/v5/rubik/stat/contracts/open-interest-history": _interest,
    "/api/v5/market/history-candles": _klines,
    "/api/v5/public/mark-price": _marks,
    "/api/v5/public/liquidation-orders": _liquidations,
    "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract": _ratios,
}
