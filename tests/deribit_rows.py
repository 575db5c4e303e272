"""Rows of Deribit's answers as they are documented, and what its source makes of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from app.ingest.sources.deribit import SOURCE
from app.ingest.spec import Feed, Source, Window
from app.records import Instrument

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PERP = Instrument("BTC-PERPETUAL", "BTC", "USD", margin="coin", contract_size=10, funding_interval_hours=1)
DVOL = Instrument("BTC-DVOL", "BTC", "USD", "index")
MS = 1773144000000  # noon
SOL = SOURCE.configured(SOURCE, {"currencies": "SOL, xrp"})


def feeds(source: Source, dataset: str) -> list[Feed]:
    return [feed for feed in source.feeds if feed.dataset == dataset]


def asked(feed: Feed, of: Instrument = PERP) -> dict[str, str]:
    return dict(feed.request(Window(NOON - HOUR, NOON, of)).params)


def read(source: Source, dataset: str, result: Any, of: Instrument | None = None) -> list[Any]:
    [feed, *_] = feeds(source, dataset)
    answer = TypeAdapter(feed.answer).validate_python({"jsonrpc": "2.0", "result": result, "testnet": False})
    return list(feed.rows(answer, Window(NOON - HOUR, NOON + HOUR, of)))


def future(name: str, base: str = "SOL", quote: str = "USDC", **told: Any) -> dict[str, Any]:
    row = {"instrument_name": name, "base_currency": base, "quote_currency": quote, "creation_timestamp": MS}
    return {**row, "mark_price": 200.0, "open_interest": 5000.0, "current_funding": 0.0008, "funding_8h": 0.5, **told}


def option(name: str, **told: Any) -> dict[str, Any]:
    row = {"instrument_name": name, "base_currency": "BTC", "quote_currency": "BTC", "creation_timestamp": MS}
    prices = {"bid_price": 0.0205, "ask_price": 0.0235, "mark_price": 0.02214434, "mark_iv": 38.43}
    return {**row, **prices, "underlying_price": 76090.65, "estimated_delivery_price": 76090.54, **told}


def contract(name: str, kind: str = "future", **told: Any) -> dict[str, Any]:
    row = {"instrument_name": name, "kind": kind, "base_currency": "SOL", "quote_currency": "USDC"}
    facts = {"settlement_period": "perpetual", "instrument_type": "linear", "contract_size": 0.1, "tick_size": 0.01}
    times = {"creation_timestamp": MS, "expiration_timestamp": 32503708800000, "is_active": True}
    return {**row, **facts, **times, "price_index": "sol_usdc", "underlying_type": "crypto", **told}


def deal(**told: Any) -> dict[str, Any]:
    row = {"instrument_name": "BTC-2MAY26-77500-P", "trade_id": "445682190", "trade_seq": 134, "timestamp": MS}
    return {**row, "direction": "sell", "price": 0.0011, "amount": 0.1, "iv": 31.75, "contracts": 0.1, **told}
