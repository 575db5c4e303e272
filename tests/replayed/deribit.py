"""Deribit, replayed over HTTP: JSON-RPC as GETs, errors with status 400, its credits, and its ways of leaving out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.replayed import deribit_contracts as ours
from tests.replayed import markets as world
from tests.replayed.bodies import Answer, Query
from tests.replayed.deribit_contracts import DAY, MINUTE, Contract
from tests.replayed.deribit_credits import Refusal, mood, pools
from tests.replayed.markets import HOUR, ms, time_of

NEVER = 32_503_708_800_000
BARS, SETTLEMENTS, VOLATILITIES, DELIVERIES = 5001, 744, 1000, 1000
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR")
RESOLUTIONS = {"1": MINUTE, "60": HOUR}


def answer(path: str, query: Query, body: Any, now: datetime) -> Answer:
    """Paid for first, then what was asked for, in the envelope."""
    method = path.removeprefix("/api/v2/public/")
    try:
        if not pools["instruments" if method == "get_instruments" else "credits"].pays() or mood.takes("spent"):
            raise Refusal(10028, "too_many_requests")
        if mood.takes("settling"):
            raise Refusal(10041, "settlement_in_progress")
        if method not in METHODS:
            raise Refusal(-32601, "Method not found")
        return 200, {"jsonrpc": "2.0", "result": METHODS[method](query, now), **_clock(now)}
    except Refusal as error:
        code, message, *data = error.args
        told = {"code": code, "message": message, **({"data": data[0]} if data else {})}
        return 400, {"jsonrpc": "2.0", "error": told, **_clock(now)}


def _clock(now: datetime) -> dict[str, Any]:
    return {"usIn": ms(now) * 1000, "usOut": ms(now) * 1000 + 42, "usDiff": 42, "testnet": False}


def _invalid(parameter: str, reason: str = "wrong format") -> Refusal:
    return Refusal(-32602, "Invalid params", {"reason": reason, "param": parameter})


def _needed(query: Query, name: str, among: Any = None) -> str:
    if name not in query or (among is not None and query[name] not in among):
        raise _invalid(name)
    return query[name]


def _contract(query: Query, now: datetime) -> Contract:
    name = _needed(query, "instrument_name")
    listed = {one.name: one for day in range(8) for one in ours.contracts(now - day * DAY)}
    if name not in listed:
        raise _invalid("instrument_name", "instrument not found")
    return listed[name]


def _of(query: Query, now: datetime) -> list[Contract]:
    currency = _needed(query, "currency", CURRENCIES)
    return [one for one in ours.contracts(now) if one.currency == currency and query.get("kind", one.kind) == one.kind]


def _instruments(query: Query, now: datetime) -> list[Any]:
    if query.get("expired", "false") != "false":
        raise _invalid("expired")
    combo = {"BTC": [_combo(now)]}.get(query["currency"], []) if "kind" not in query else []
    return [_listed(one, now) for one in _of(query, now)] + combo


def _listed(one: Contract, now: datetime) -> dict[str, Any]:
    inverse, option = one.of.inverse, one.kind == "option"
    terms = {"strike": one.strike, "option_type": "call" if one.call else "put"} if option else {}
    return {
        "instrument_name": one.name,
        "kind": one.kind,
        "base_currency": one.of.base,
        "quote_currency": (one.of.base if option else "USD") if inverse else "USDC",
        "counter_currency": "USD" if inverse else "USDC",
        "settlement_currency": one.currency,
        "settlement_period": "week" if one.expires else "perpetual",
        "instrument_type": "reversed" if inverse else "linear",
        "price_index": ours.index_of(one.of),
        "underlying_type": "equity" if one.of.base == "NVDA" else "crypto",
        "contract_size": 1 if option else ours.SIZES.get(one.of.symbol, 0.1),
        "min_trade_amount": 0.1,
        "tick_size": 0.0001 if option and inverse else 0.5,
        "tick_size_steps": [],
        "is_active": True,
        "state": "open",
        "creation_timestamp": ms((one.expires or now) - ours.CREATED),
        "expiration_timestamp": ms(one.expires) if one.expires else NEVER,
        **terms,
    }


def _combo(now: datetime) -> dict[str, Any]:
    option = next(one for one in ours.contracts(now) if one.kind == "option")
    return {**_listed(option, now), "kind": "option_combo", "instrument_name": "BTC-CS-19MAY26-70000_75000"}


def _summaries(query: Query, now: datetime) -> list[Any]:
    return [_summary(one, number, now) for number, one in enumerate(_of(query, now))]


def _summary(one: Contract, number: int, now: datetime) -> dict[str, Any]:
    """Rows of one reply differ by some milliseconds. Of some options a side of the book is empty."""
    price, quote = ours.mark(one, now), _listed(one, now)["quote_currency"]
    of_option = {
        "mark_iv": ours.volatility(one.of, one.name, now),
        "underlying_price": world.price(one.of, now),
        "underlying_index": f"SYN.{one.name[:3]}",
        "interest_rate": 0.0,
    }
    of_perpetual = {"current_funding": 8 * world.rate(one.of, now), "funding_8h": 0.00001}
    more = of_option if one.kind == "option" else {} if one.expires else of_perpetual
    return {
        "instrument_name": one.name,
        "base_currency": one.of.base,
        "quote_currency": quote,
        "creation_timestamp": ms(now) - number % 11,
        "mark_price": price,
        "bid_price": None if number % 5 == 4 else round(price * 0.99, 8),
        "ask_price": round(price * 1.01, 8) or None,
        "mid_price": None if number % 5 == 4 else price,
        "open_interest": ours.interest(one, now),
        "volume": 3.0,
        "volume_usd": 3002.5,
        "estimated_delivery_price": ours.index(one.of, now),
        "high": None,
        "low": None,
        "last": None,
        "price_change": None,
        **more,
    }


def _chart(query: Query, now: datetime) -> dict[str, Any]:
    """The newest bars of the window; what is too many before them is left out without a word."""
    step, contract = RESOLUTIONS[_needed(query, "resolution", RESOLUTIONS)], _contract(query, now)
    start, end = time_of(_needed(query, "start_timestamp")), min(time_of(_needed(query, "end_timestamp")), now)
    first = max(world.EPOCH + (start - world.EPOCH) // step * step, end - BARS * step)
    rows = list(ours.bars(contract, first, end, step))[-BARS:]
    names = ("volume", "ticks", "open", "low", "high", "cost", "close")
    return {"status": "ok" if rows else "no_data", **{name: [row[name] for row in rows] for name in names}}


def _settled(query: Query, now: datetime) -> list[Any]:
    """Hours after the start until the end; the hour stamped with the start is not among them."""
    contract = _contract(query, now)
    if contract.expires or contract.kind != "future":
        raise _invalid("instrument_name", "must be perpetual")
    start, end = time_of(_needed(query, "start_timestamp")), min(time_of(_needed(query, "end_timestamp")), now)
    rows = [
        {
            "timestamp": ms(hour),
            "interest_1h": world.rate(contract.of, hour),
            "interest_8h": sum(world.rate(contract.of, hour - n * HOUR) for n in range(8)),
            "index_price": ours.index(contract.of, hour),
            "prev_index_price": ours.index(contract.of, hour - HOUR),
        }
        for hour in world.settlements(contract.of, start, end)
        if hour > start
    ]
    return rows[-SETTLEMENTS:]


def _book(query: Query, now: datetime) -> dict[str, Any]:
    contract, depth = _contract(query, now), int(_needed(query, "depth", ("1", "5", "10", "20", "50", "100")))
    price = ours.mark(contract, now)
    sides = {side: [[round(price * (1 + sign * n / 1000), 6), 100.0 * n] for n in range(1, depth + 1)]
             for side, sign in (("bids", -1), ("asks", 1))}  # fmt: skip
    return {
        "instrument_name": contract.name,
        "timestamp": ms(now) - 250,
        "change_id": 174_959_286_421 + ms(now) // 1000,
        "state": "open",
        "mark_price": price,
        "index_price": ours.index(contract.of, now),
        **sides,
    }


def _index_price(query: Query, now: datetime) -> dict[str, Any]:
    price = ours.index(_on_index(query), now)
    return {"index_price": price, "estimated_delivery_price": price}


def _on_index(query: Query) -> world.Market:
    indexes = {ours.index_of(market): market for market in ours.PERPETUALS}
    return indexes[_needed(query, "index_name", indexes)]


def _volatility_index(query: Query, now: datetime) -> dict[str, Any]:
    """The newest rows of the window, in percent; `continuation` is where to end the next question."""
    market = {"BTC": ours.BTC, "ETH": ours.ETH}[_needed(query, "currency", ("BTC", "ETH"))]
    step = timedelta(seconds=int(_needed(query, "resolution", ("1", "60", "3600", "43200"))))
    start, end = time_of(_needed(query, "start_timestamp")), min(time_of(_needed(query, "end_timestamp")), now)
    times = list(world.grid(start, end, step))
    kept = times[-VOLATILITIES:]
    rows = [[ms(at), value - 0.5, value + 1, value - 1, value] for at in kept
            for value in [ours.volatility(market, "index", at)]]  # fmt: skip
    return {"data": rows, "continuation": ms(kept[0]) - 1 if len(times) > len(kept) else None}


def _deliveries(query: Query, now: datetime) -> dict[str, Any]:
    """Newest first, by the day; ten where it is not said how many."""
    market, offset = _on_index(query), int(query.get("offset", 0))
    newest = ours.expiries(now)[0] - DAY
    count = min(int(query.get("count", 10)), DELIVERIES)
    days = [newest - n * DAY for n in range(offset, min(offset + count, 400))]
    rows = [{"date": f"{day:%Y-%m-%d}", "delivery_price": ours.index(market, day)} for day in days]
    return {"data": rows, "records_total": 400}


METHODS: dict[str, Callable[[Query, datetime], Any]] = {
    "get_instruments": _instruments,
    "get_book_summary_by_currency": _summaries,
    "get_tradingview_chart_data": _chart,
    "get_funding_rate_history": _settled,
    "get_order_book": _book,
    "get_index_price": _index_price,
    "get_volatility_index_data": _volatility_index,
    "get_delivery_prices": _deliveries,
}
