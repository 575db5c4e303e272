"""What Deribit does otherwise than one would think, and what its settings make of the source."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from app.ingest.pages import Fetched, Line, fetch
from app.ingest.plan import Stretch, page, windows
from app.ingest.runner import Patience, Web
from app.ingest.sources import load
from app.ingest.sources.deribit import SOURCE
from app.ingest.sources.deribit.black76 import terms
from app.ingest.sources.deribit.listing import VOLATILITY_INDEX
from app.ingest.sources.deribit.reading import MaybePercent, MaybePrice, depth, trade
from app.ingest.sources.deribit.trades import TRADES
from app.ingest.spec import Bad, Feed, Source, Window
from app.records import Instrument, OptionTrade
from tests.conftest import shared

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


# Trap 1: what is linear is told by the type and the quote currency.


def test_what_is_inverse_is_told_by_its_quote() -> None:
    [linear] = read(SOL, "open_interest", [future("SOL-PERPETUAL")])
    [inverse] = read(SOL, "open_interest", [future("SOL_USDC-PERPETUAL", quote="USD")])
    assert (linear.oi_base, linear.oi_usd) == (5000, 1_000_000)
    assert (inverse.oi_base, inverse.oi_usd) == (25, 5000)


@pytest.mark.parametrize(
    ("told", "margin"),
    [
        ({"instrument_type": "reversed", "quote_currency": "USDC"}, "coin"),
        ({"instrument_type": "linear", "quote_currency": "USD"}, "stable"),
        ({"instrument_type": None, "quote_currency": "USD"}, "coin"),
        ({"instrument_type": None, "quote_currency": "SOL"}, "coin"),
        ({"instrument_type": None, "quote_currency": "USDC"}, "stable"),
    ],
)
def test_margin_is_told_by_the_type_and_else_by_the_quote(told: dict[str, Any], margin: str) -> None:
    [item, *_] = read(SOL, "instruments", [contract("SOL-PERPETUAL", **told)])
    assert (item.margin, item.quote) == (margin, told["quote_currency"])


# Trap 2: there is no currency SOL.


def test_coins_that_are_no_currency_are_asked_of_usdc_in_one_request() -> None:
    for dataset in ("instruments", "predicted_funding", "open_interest", "option_chain", "greeks"):
        [feed] = feeds(SOL, dataset)
        assert asked(feed)["currency"] == "USDC"
    assert [asked(feed)["index_name"] for feed in feeds(SOL, "index_price")] == ["sol_usdc", "xrp_usdc"]


def test_other_coins_of_usdc_are_left() -> None:
    rows = [future("SOL_USDC-PERPETUAL"), future("DOGE_USDC-PERPETUAL", "DOGE"), future("XRP_USDC-PERPETUAL", "XRP")]
    sol, doge, xrp = read(SOL, "predicted_funding", rows)
    assert (sol.symbol, doge, xrp.symbol) == ("SOL_USDC-PERPETUAL", None, "XRP_USDC-PERPETUAL")
    listed = [contract("SOL_USDC-PERPETUAL"), contract("DOGE_USDC-PERPETUAL", base_currency="DOGE")]
    sol, doge, *indexes = read(SOL, "instruments", listed)
    assert (sol.symbol, doge) == ("SOL_USDC-PERPETUAL", None)
    assert [(one.symbol, one.base, one.quote) for one in indexes] == [
        ("sol_usdc", "SOL", "USDC"),
        ("xrp_usdc", "XRP", "USDC"),
    ]


# Trap 3: strikes with a decimal point, days without a zero.


@pytest.mark.parametrize(
    ("name", "expiry", "strike", "kind"),
    [
        ("XRP_USDC-21SEP26-1d325-C", datetime(2026, 9, 21, 8, tzinfo=UTC), 1.325, "call"),
        ("BTC-2MAY26-77500-P", datetime(2026, 5, 2, 8, tzinfo=UTC), 77500.0, "put"),
        ("1000BONK_USDC-31DEC27-0d01-P", datetime(2027, 12, 31, 8, tzinfo=UTC), 0.01, "put"),
    ],
)
def test_a_name_tells_the_terms(name: str, expiry: datetime, strike: float, kind: str) -> None:
    told = terms(name)
    assert (told.expires_at, told.strike, told.option_type) == (expiry, strike, kind)


def test_names_tell_what_the_lists_tell() -> None:
    checked = 0
    for path in shared("fixtures/deribit").glob("get_instruments__*.json"):
        told = json.loads(path.read_text())
        for row in told if isinstance(told, list) else told["result"]:
            if row["kind"] == "option":
                of = terms(row["instrument_name"])
                expiry = round(of.expires_at.timestamp() * 1000)
                there = (row["expiration_timestamp"], row["strike"], row["option_type"])
                assert (expiry, of.strike, of.option_type) == there
                checked += 1
    assert checked == 268 + 88 + 34 + 112 + 274 + 32 + 172 + 10


# Trap 5: nothing is 0.0 in tickers and books, null in summaries.


@pytest.mark.parametrize("nothing", [0, 0.0, None])
def test_nothing_is_null(nothing: float | None) -> None:
    [item] = read(SOURCE, "option_chain", [option("BTC-2MAY26-77500-P", bid_price=nothing, mark_iv=nothing)])
    assert (item.bid, item.mark_iv, item.ask) == (None, None, 0.0235)
    assert trade(deal(iv=nothing)).iv is None
    assert TypeAdapter(MaybePercent).validate_python(nothing) is None
    assert TypeAdapter(MaybePrice).validate_python(nothing) is None


def test_no_volume_is_a_volume() -> None:
    [item] = read(SOURCE, "option_chain", [option("BTC-2MAY26-77500-P", volume=0.0, open_interest=0, mark_price=0.0)])
    assert (item.volume_24h, item.open_interest, item.mark_price) == (0, 0, 0)
    [item] = read(SOURCE, "option_chain", [option("BTC-2MAY26-77500-P", volume=None)])
    assert (item.volume_24h, item.open_interest) == (None, None)


def test_volatilities_are_percent() -> None:
    assert TypeAdapter(MaybePercent).validate_python(61.57) == 0.6157
    assert trade(deal(iv=31.75)).iv == 0.3175


# Trap 6: marks with all their digits are in the summary alone.


def test_marks_are_taken_from_the_summary() -> None:
    assert {feed.request(Window(NOON, NOON)).path.rpartition("/")[2] for feed in feeds(SOURCE, "option_chain")} == {
        "get_book_summary_by_currency"
    }
    [item] = read(SOURCE, "option_chain", [option("BTC-2MAY26-77500-P")])
    assert item.mark_price == 0.02214434


# Trap 7: charts. An answer keeps the newest 5,001 bars without a word.

KEPT = 5001


def chart(request: httpx.Request) -> httpx.Response:
    """Bars of every minute there was, anchored at the end, as a reply of the chart."""
    asked = {name: int(told) for name, told in request.url.params.items() if told.isdigit()}
    step = asked["resolution"] * 60_000
    first = -(-asked["start_timestamp"] // step) * step
    ticks = list(range(first, asked["end_timestamp"] + 1, step))[-KEPT:]
    return answered(columns(ticks))


def columns(ticks: list[int]) -> dict[str, Any]:
    """In the order of the wire; a filler where the minute is even."""
    traded = [float(tick // 60_000 % 2) for tick in ticks]
    flat = [100.0] * len(ticks)
    return {
        "volume": traded,
        "ticks": ticks,
        "status": "ok" if ticks else "no_data",
        "open": flat,
        "low": flat,
        "high": flat,
        "cost": [100.0 * volume for volume in traded],
        "close": flat,
    }


def answered(result: Any) -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "result": result, "usIn": 1, "usOut": 2, "testnet": False})


async def fetched(feed: Feed, handler: Callable[[httpx.Request], httpx.Response], *asked: Window) -> list[Fetched]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        line = Line(Web(client, limiters={}, patience=Patience(tries=1)), SOURCE)
        return [await fetch(line, feed, window, live=False) for window in asked]


async def test_four_days_of_minutes_come_without_a_hole() -> None:
    [feed] = feeds(SOURCE, "candles_1m")
    start, end = NOON - timedelta(days=4), NOON
    pieces = list(windows(Stretch(feed, start, end, PERP), {}))
    found = await fetched(feed, chart, *pieces)
    times = [record.time for one in found for record in one.records]  # type: ignore[union-attr]
    assert times == [start + n * MINUTE for n in range(4 * 1440)]
    assert not any(one.bad for one in found)
    assert len(pieces) == 2
    assert all(piece.end - piece.start <= 4000 * MINUTE for piece in pieces)


async def test_a_window_too_long_would_have_a_hole() -> None:
    """What the test before would not notice, if this answered like an upstream that tells all."""
    [feed] = feeds(SOURCE, "candles_1m")
    whole = replace(feed, limit=10_000)
    [found] = await fetched(whole, chart, Window(NOON - timedelta(days=4), NOON, PERP))
    assert len(found.records) == KEPT


def test_a_page_is_of_bars_that_an_answer_holds() -> None:
    for dataset, step in (("candles_1m", MINUTE), ("candles_1h", HOUR)):
        [feed] = feeds(SOURCE, dataset)
        assert page(feed, PERP) == 4000 * step
        assert feed.kinds == ("perp", "future")
        assert asked(feed)["resolution"] == {MINUTE: "1", HOUR: "60"}[step]  # `1D` opens at 08:00
        assert asked(feed)["start_timestamp"] == str(MS - 3_600_001)


def test_fillers_are_candles_without_volume() -> None:
    filler, traded = read(SOURCE, "candles_1m", columns([MS, MS + 60_000]), PERP)
    assert (filler.volume_base, filler.volume_usd, filler.close) == (0, 0, 100)
    assert (traded.volume_base, traded.volume_usd) == (1, 100)


def test_bars_before_the_window_are_left() -> None:
    items = read(SOURCE, "candles_1m", columns([MS - 3_660_000, MS - 3_600_000]), PERP)
    assert [item.time for item in items] == [NOON - HOUR]


def test_no_data_is_an_answer() -> None:
    assert read(SOURCE, "candles_1m", columns([]), PERP) == []


def test_columns_of_different_length_are_no_answer() -> None:
    with pytest.raises(ValueError, match="columns of different length"):
        read(SOURCE, "candles_1m", {**columns([MS, MS + 60_000]), "open": [1.0]}, PERP)


# Trap 8: three things are called funding of 8 hours.


def test_what_is_stored_of_funding() -> None:
    row = {"timestamp": MS, "index_price": 80000.0, "interest_8h": 0.0002, "interest_1h": 0.000025}
    [settled] = read(SOURCE, "funding", [row], PERP)
    assert (settled.rate, settled.interval_hours, settled.time) == (0.000025, 1, NOON)
    [estimate] = read(SOL, "predicted_funding", [future("SOL_USDC-PERPETUAL")])
    assert (estimate.rate, estimate.interval_hours) == (0.0001, 1)  # of 0.0008 in 8 hours; what was paid is not read


def test_the_first_settlement_is_asked_for() -> None:
    [feed] = feeds(SOURCE, "funding")
    assert asked(feed)["start_timestamp"] == str(MS - 3_600_001)
    assert page(feed, PERP) == timedelta(days=30)


def test_no_funding_for_hours_is_funding() -> None:
    row = {"timestamp": MS, "index_price": 80000.0, "interest_8h": 0, "interest_1h": 0}
    assert [item.rate for item in read(SOURCE, "funding", [row], PERP)] == [0]


# Trap 9: what may be a text.


@pytest.mark.parametrize("data", ["invalid json", {"reason": "bad", "param": "x"}, {}, None, 5, ["x"]])
def test_an_error_may_say_more_in_any_shape(data: Any) -> None:
    told = SOURCE.problem(400, {"error": {"code": 11050, "message": "bad_request", "data": data}, "testnet": False})
    assert told
    assert (told.trouble, told.code) == ("refused", "11050")
    assert told.message.startswith("bad_request")


def test_a_delivery_price_that_has_expired_is_none() -> None:
    [item] = read(SOURCE, "option_chain", [option("BTC-2MAY26-77500-P", estimated_delivery_price="expired")])
    assert (item.index_price, item.underlying_price) == (None, 76090.65)
    [item] = read(SOURCE, "option_chain", [option("BTC-2MAY26-77500-P", estimated_delivery_price="gone")])
    assert isinstance(item, Bad)


# Traps 10, 11: trades.


@pytest.mark.parametrize("name", ["445682190", "ETH-284830839", "BTC_USDT-1097032"])
def test_the_id_of_a_trade_is_text(name: str) -> None:
    assert trade(deal(trade_id=name)).id == name
    with pytest.raises(ValueError, match="trade_id"):
        trade(deal(trade_id=445682190))


def test_integers_past_what_a_double_holds_harm_nothing() -> None:
    starbase = {"starbase_match_id": 227538549002481664, "starbase_timestamp": 1789939017544100459}
    assert trade(deal(**starbase)) == trade(deal())


def test_combos_blocks_and_liquidations_are_marked() -> None:
    assert (trade(deal()).is_combo, trade(deal()).is_block, trade(deal()).liquidation) == (False, False, None)
    assert trade(deal(combo_id="BTC-FS-25DEC26_PERP", combo_trade_id="1")).is_combo
    assert trade(deal(block_trade_id="BLOCK-1", block_trade_leg_count=2)).is_block
    assert trade(deal(liquidation="MT")).liquidation == "MT"
    with pytest.raises(ValueError, match="liquidation"):
        trade(deal(liquidation="X"))


def test_combos_and_spot_are_not_listed() -> None:
    rows = [contract(f"SOL-{kind}", kind) for kind in ("spot", "future_combo", "option_combo", "future")]
    assert [item and item.symbol for item in read(SOL, "instruments", rows)][:4] == [None, None, None, "SOL-future"]


def test_trades_are_asked_for_by_number_and_no_time_is_too_long_ago() -> None:
    """Trap 13: by currency and time they are told for 24 hours, and an empty list after that."""
    request = TRADES.request("BTC-2MAY26-77500-P", 10, 1009)
    assert request.path == "/api/v2/public/get_last_trades_by_instrument"
    told = {"instrument_name": "BTC-2MAY26-77500-P", "start_seq": "10", "end_seq": "1009"}
    assert dict(request.params) == {**told, "sorting": "asc", "count": "1000"}
    assert dict(request.costs) == {"credits": 500}
    assert SOURCE.trades is TRADES


def test_trades_that_cannot_be_read_do_not_cost_the_others() -> None:
    found = list(TRADES.rows({"result": {"trades": [deal(), deal(price=-1), deal(trade_seq=135)], "has_more": False}}))
    assert [item.seq if isinstance(item, OptionTrade) else item.code for item in found] == [134, "negative", 135]
    with pytest.raises(ValueError, match="trades"):
        list(TRADES.rows({"result": {}}))
    assert list(TRADES.rows({"result": {"trades": [], "has_more": False}})) == []


# Trap 14: realised volatility comes with its first row twice. And which methods there are requests of, at all.


def test_what_is_asked_for_at_all() -> None:
    methods = {feed.request(Window(NOON - HOUR, NOON, PERP)).path for feed in SOURCE.feeds}
    assert {path.removeprefix("/api/v2/public/") for path in methods} == {
        "get_instruments",
        "get_book_summary_by_currency",
        "get_funding_rate_history",
        "get_tradingview_chart_data",
        "get_order_book",
        "get_index_price",
        "get_volatility_index_data",
        "get_delivery_prices",
    }


# Traps 16, 17: contracts change, and not all are of coins.


def test_sizes_are_as_listed_and_new_fields_are_passed_over() -> None:
    old, new = contract("SOL_USDC-PERPETUAL"), contract("SOL_USDC-PERPETUAL", contract_size=1, tick_size=0.001)
    [before, *_] = read(SOL, "instruments", [old])
    [after, *_] = read(SOL, "instruments", [{**new, "something_new": {"of": ["any", "shape"]}, "lot_size": 5}])
    assert (before.contract_size, before.tick_size) == (0.1, 0.01)
    assert (after.contract_size, after.tick_size) == (1, 0.001)
    assert replace(after, contract_size=0.1, tick_size=0.01) == before


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("crypto", "coin"),
        (None, "coin"),
        ("equity", "equity"),
        ("equity_etf", "equity"),
        ("commodity", "other"),
        ("crypto_index", "other"),
        ("preipo", "other"),
        ("of a new kind", "other"),
    ],
)
def test_what_is_no_coin_says_so(told: str | None, kind: str) -> None:
    [item, *_] = read(SOL, "instruments", [contract("SOL_USDC-PERPETUAL", underlying_type=told)])
    assert item.underlying == kind


# The test system.


def test_what_the_test_system_tells_is_refused() -> None:
    for body in ({"result": [], "testnet": True}, {"error": {"code": 10028, "message": "too_many"}, "testnet": True}):
        told = SOURCE.problem(200, body)
        assert told
        assert (told.trouble, told.code) == ("refused", "testnet")
    for feed in SOURCE.feeds:
        with pytest.raises(ValueError, match="testnet"):
            TypeAdapter(feed.answer).validate_python({"result": [], "testnet": True})


# The volatility index.


def volatility(request: httpx.Request) -> httpx.Response:
    """The newest 1,000 minutes of what is asked for, and until when to ask on."""
    start, end = (int(request.url.params[name]) for name in ("start_timestamp", "end_timestamp"))
    ticks = list(range(-(-start // 60_000) * 60_000, end + 1, 60_000))
    kept = ticks[-1000:]
    more = kept[0] - 60_000 if len(ticks) > len(kept) else None
    return answered({"data": [[tick, 47.5, 47.6, 47.4, 47.55] for tick in kept], "continuation": more})


async def test_pages_of_the_volatility_index_go_backwards() -> None:
    [feed] = feeds(SOURCE, "volatility_index")
    [found] = await fetched(feed, volatility, Window(NOON - 50 * HOUR, NOON + MINUTE / 2, DVOL))
    times = sorted(record.time for record in found.records)  # type: ignore[union-attr]
    assert times == [NOON - 50 * HOUR + n * MINUTE for n in range(3000)]  # the minute that still grows is left
    assert found.bad == []


def test_volatilities_are_told_as_fractions() -> None:
    told = {"data": [[MS, 47.5, 47.6, 47.4, 47.55]], "continuation": None}
    [item] = read(SOURCE, "volatility_index", told, DVOL)
    assert (item.open, item.high, item.low, item.close) == (0.475, 0.476, 0.474, 0.4755)


def test_of_which_indexes_a_feed_tells() -> None:
    of = {name: Instrument(name, "BTC", "USD", "index") for name in ("btc_usd", "eth_usd", "BTC-DVOL")}
    [volatilities] = feeds(SOURCE, "volatility_index")
    bitcoin, ether = feeds(SOURCE, "index_price")
    assert [name for name, one in of.items() if volatilities.is_about(one)] == [f"BTC{VOLATILITY_INDEX}"]
    assert [name for name, one in of.items() if bitcoin.is_about(one)] == ["btc_usd"]
    assert [name for name, one in of.items() if ether.is_about(one)] == ["eth_usd"]
    assert [name for name, one in of.items() if feeds(SOURCE, "delivery_prices")[0].is_about(one)] == ["btc_usd"]


# Order books.


def test_an_empty_side_is_a_side() -> None:
    told = {"instrument_name": "BTC-PERPETUAL", "timestamp": MS, "change_id": 7, "bids": [], "asks": [[1.5, 2]]}
    assert depth(told).bids == ()
    [item] = read(SOURCE, "depth", told, PERP)
    assert (item.bids, item.asks, item.time, item.change_id) == ((), ((1.5, 2.0),), NOON, 7)


# The settings.


def every(source: Source) -> dict[str, float]:
    return {feed.dataset: feed.every.total_seconds() for feed in source.feeds}


def test_without_settings_there_are_bitcoin_and_ether() -> None:
    assert load(["deribit"])["deribit"].feeds == SOURCE.configured(SOURCE, {"currencies": " "}).feeds != ()
    assert [asked(feed)["currency"] for feed in feeds(SOURCE, "instruments")] == ["BTC", "ETH"]
    assert len(SOURCE.feeds) == 20


def test_currencies_are_asked_by_themselves_or_together() -> None:
    source = SOURCE.configured(SOURCE, {"currencies": "eth,SOL,XRP,eth"})
    assert [asked(feed)["currency"] for feed in feeds(source, "instruments")] == ["ETH", "USDC"]
    assert [asked(feed)["index_name"] for feed in feeds(source, "delivery_prices")] == [
        "eth_usd",
        "sol_usdc",
        "xrp_usdc",
    ]


def test_intervals_are_set() -> None:
    assert {**every(SOURCE)} == {
        "instruments": 3600,
        "funding": 600,
        "predicted_funding": 60,
        "open_interest": 60,
        "candles_1m": 60,
        "candles_1h": 3600,
        "depth": 300,
        "option_chain": 60,
        "greeks": 3600,
        "index_price": 60,
        "volatility_index": 60,
        "delivery_prices": 3600,
    }
    words = {"perpetual_interval": "30", "option_interval": "10", "greeks_interval": "900", "index_interval": "5"}
    words |= {"volatility_index_interval": "120", "depth_interval": "600", "some_other": "x"}
    changed = every(SOURCE.configured(SOURCE, words))
    assert {name: seconds for name, seconds in changed.items() if seconds != every(SOURCE)[name]} == {
        "predicted_funding": 30,
        "open_interest": 30,
        "candles_1m": 30,
        "option_chain": 10,
        "greeks": 900,
        "index_price": 5,
        "volatility_index": 120,
        "depth": 600,
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CURRENCIES", "BTC,USDC"),
        ("CURRENCIES", "any"),
        ("CURRENCIES", "BTC ETH"),
        ("CURRENCIES", "B"),
        ("PERPETUAL_INTERVAL", "4"),
        ("OPTION_INTERVAL", "1m"),
        ("GREEKS_INTERVAL", "-60"),
        ("INDEX_INTERVAL", "0"),
        ("VOLATILITY_INDEX_INTERVAL", "60.5"),
        ("DEPTH_INTERVAL", "1e3"),
    ],
)
def test_a_bad_word_names_its_setting(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"PERPSTORE_DERIBIT_{name}: "):
        SOURCE.configured(SOURCE, {name.lower(): told})
