"""What a replayed Deribit answers over HTTP: its contracts, how they stand, and the trades there were."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.replayed.deribit_world import MOST_TRADES, Row, World, family, kind, last_trades

PUBLIC = "/api/v2/public/"
EXPIRES, LISTED, NEVER = (datetime(year, 12, 25, 8, tzinfo=UTC) for year in (2030, 2025, 3000))
Forgotten = Collection[tuple[str, int]]


def answer(world: World, path: str, query: Mapping[str, str], forgotten: Forgotten) -> tuple[int, Any]:
    """Status and body."""
    match path.removeprefix(PUBLIC):
        case "get_instruments":
            return _told([_contract(symbol) for symbol in world.instruments if family(symbol) == query["currency"]])
        case "get_book_summary_by_currency":
            of = [one for one in world.instruments if (family(one), kind(one)) == (query["currency"], query["kind"])]
            return _told([_summary(world, symbol, place) for place, symbol in enumerate(of)])
        case "get_last_trades_by_currency":
            return _told(_recent(world, query, forgotten))
        case "get_last_trades_by_instrument":
            status, body = last_trades(world, query)
            if status == 200:
                body["result"]["trades"] = [one for one in body["result"]["trades"] if _is_kept(one, forgotten)]
            return status, body
        case _:
            return 404, {"error": path}


def _told(result: Any) -> tuple[int, Any]:
    return 200, {"jsonrpc": "2.0", "result": result, "testnet": False}


def _is_kept(trade: Row, forgotten: Forgotten) -> bool:
    return (trade["instrument_name"], trade["trade_seq"]) not in forgotten


def _contract(symbol: str) -> Row:
    base, *terms = symbol.split("-")
    option = {"strike": float(terms[1]), "option_type": {"C": "call", "P": "put"}[terms[2]]} if len(terms) > 1 else {}
    return {
        "instrument_name": symbol,
        "kind": kind(symbol),
        "base_currency": base,
        "quote_currency": base if option else "USD",
        "settlement_period": "perpetual" if terms == ["PERPETUAL"] else "month",
        "instrument_type": "reversed",
        "contract_size": 1.0 if option else 10.0,
        "tick_size": 0.0001,
        "creation_timestamp": round(LISTED.timestamp() * 1000),
        "expiration_timestamp": round((NEVER if terms == ["PERPETUAL"] else EXPIRES).timestamp() * 1000),
        "is_active": True,
        "price_index": f"{base.lower()}_usd",
        **option,
    }


def _summary(world: World, symbol: str, place: int) -> Row:
    """The first of a kind is traded most."""
    return {
        "instrument_name": symbol,
        "base_currency": symbol.partition("-")[0],
        "creation_timestamp": world.quotes[symbol]["timestamp"],
        "underlying_price": 80_000.0,
        "underlying_index": "SYN.BTC-25DEC30",
        "mark_price": 0.05,
        "mark_iv": 61.5,
        "bid_price": 0.0495,
        "ask_price": None,
        "open_interest": 1000.0 - place,
        "volume": 100.0 - place,
        "estimated_delivery_price": 80_000.0,
        "interest_rate": 0.0,
    }


def _recent(world: World, query: Mapping[str, str], forgotten: Forgotten) -> Row:
    first, last = int(query["start_timestamp"]), int(query["end_timestamp"])
    found = [
        one
        for symbol, trades in world.trades.items()
        if (family(symbol), kind(symbol)) == (query["currency"], query["kind"])
        for one in trades
        if first <= one["timestamp"] <= last and _is_kept(one, forgotten)
    ]
    ordered = sorted(found, key=lambda one: one["timestamp"])
    count = min(int(query["count"]), MOST_TRADES)
    return {"trades": ordered[:count], "has_more": len(ordered) > count}
