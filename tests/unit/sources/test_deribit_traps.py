"""What Deribit does otherwise than one would think."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.ingest.plan import page
from app.ingest.sources.deribit import SOURCE
from app.ingest.sources.deribit.black76 import terms
from app.ingest.sources.deribit.reading import MaybePercent, MaybePrice, trade
from app.ingest.sources.deribit.trades import TRADES
from app.ingest.spec import Bad, Window
from app.records import OptionTrade
from tests.conftest import shared
from tests.deribit_rows import HOUR, MS, NOON, PERP, SOL, asked, contract, deal, feeds, future, option, read

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
