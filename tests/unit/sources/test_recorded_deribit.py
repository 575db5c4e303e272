"""Deribit's recorded answers, every value worked out anew from the JSON; a file in no table is an error."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.ingest.sources.deribit import SOURCE, listing
from app.ingest.sources.deribit.reading import depth
from app.ingest.sources.deribit.trades import TRADES
from app.ingest.sources.deribit.words import Family
from app.ingest.spec import Bad, Feed, Window
from app.records import Instrument
from tests.conftest import shared

BTC, ETH = Family("BTC", frozenset({"BTC"})), Family("ETH", frozenset({"ETH"}))
ALL_TIME = (datetime(2017, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, 12, 30, tzinfo=UTC))
NEVER = 32503708800000

UNUSED = {
    "get_currencies__2026-09.result.json": "lists collateral, not what there are contracts on",
    "get_expirations__btc_option_2026-05.json": "expiries come with the instruments",
    "get_funding_chart_data__btc_perpetual_8h_2026-09.result.json": "its interest_8h is the rate of an instant",
    "get_historical_volatility__2022-01.json": "realised volatility is worked out from prices",
    "get_historical_volatility__btc_2026-09.result.json": "realised volatility is worked out from prices",
    "get_index_price_names__2026-09.result.json": "the indexes follow from the currencies wanted",
    "get_mark_price_history__option_2026-09.result.json": "only of the options that DVOL is made of",
    "get_time__2026-09.result.json": "times come with what they are of",
    "status__2026-09.result.json": "that books are locked is told by the errors of the calls themselves",
    "ticker__btc_option_2023-11.json": "a summary tells of all options at once; its greeks are checked elsewhere",
    "ticker__btc_perpetual_2026-09.result.json": "a summary tells of all perpetuals at once",
    "ticker__options_2026-09.result.json": "a summary tells of all options at once; its greeks are checked elsewhere",
}
SOCKETS = {"ws__misc_frames.jsonl", "ws__options_raw_capture_2021-07.jsonl"}


@pytest.fixture(scope="module")
def folder() -> Path:
    return shared("fixtures/deribit")


def body_of(folder: Path, name: str, **how: Any) -> Any:
    """A whole answer; those of which only the result was kept get their envelope back."""
    told = json.loads((folder / name).read_text(), **how)
    return told if name.count(".") == 1 else {"jsonrpc": "2.0", "result": told, "testnet": False}


def exact(folder: Path, name: str) -> Any:
    """The result with its decimals as they are written."""
    return body_of(folder, name, parse_float=Decimal)["result"]


def feed_of(dataset: str, of: str) -> Feed:
    """The feed of a dataset that asks for this currency or index."""
    return next(
        feed
        for feed in SOURCE.feeds
        if feed.dataset == dataset
        and (feed.scope == "instrument" or of in dict(feed.request(window()).params).values())
    )


def window(instrument: Instrument | None = None) -> Window:
    return Window(*ALL_TIME, instrument)


def read(feed: Feed, body: Any, instrument: Instrument | None = None) -> list[Any]:
    assert SOURCE.problem(200, body) is None
    return list(feed.rows(TypeAdapter(feed.answer).validate_python(body), window(instrument)))


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def fraction(percent: Decimal | int | None) -> float | None:
    return None if not percent else float(Decimal(percent) / 100)


def number(told: Any) -> float | None:
    return None if told is None else float(told)


def price(told: Any) -> float | None:
    return number(told) or None


# Instruments.


def listed(family: Family, count: int) -> Callable[[Path, str], None]:
    def check(folder: Path, name: str) -> None:
        rows = exact(folder, name)
        items = read(listing.instruments(family), body_of(folder, name))
        assert sum(row["base_currency"] in family.coins for row in rows) == count
        for row, item in zip(rows, items, strict=False):
            assert_listed(row, item) if row["base_currency"] in family.coins else None
        indexes = {item.symbol for item in items[len(rows) :]}
        told = {row["price_index"] for row in rows if row["base_currency"] in family.coins and "price_index" in row}
        assert told - {"sol_usd"} <= indexes  # which settled inverse contracts that are gone

    return check


def assert_listed(row: Any, item: Instrument) -> None:
    perp, option = row["settlement_period"] == "perpetual", row["kind"] == "option"
    assert item.kind == ("perp" if perp else row["kind"])
    assert (item.symbol, item.base, item.quote) == (row["instrument_name"], row["base_currency"], row["quote_currency"])
    assert item.margin == ("stable" if row["quote_currency"] == "USDC" else "coin")
    assert item.margin == {"reversed": "coin", "linear": "stable", None: item.margin}[row.get("instrument_type")]
    assert item.underlying == "coin"
    assert (item.contract_size, item.tick_size) == (float(row["contract_size"]), float(row["tick_size"]))
    assert ms(item.listed_at or ALL_TIME[0]) == row["creation_timestamp"]
    assert (row["expiration_timestamp"] == NEVER) == perp
    expiry = None if perp else datetime.fromtimestamp(row["expiration_timestamp"] / 1000, UTC)
    assert (item.expires_at, item.delisted_at) == (expiry, expiry)
    assert (item.strike, item.option_type) == ((float(row["strike"]), row["option_type"]) if option else (None, None))
    assert (item.price_index, item.active) == (row.get("price_index"), row["is_active"])
    assert item.funding_interval_hours == (1.0 if perp else None)


def one_of_the_test_system(folder: Path, name: str) -> None:
    body = body_of(folder, name)
    refused(body)
    row = exact(folder, name)
    [item, *_] = read(listing.instruments(BTC), {**body, "testnet": False, "result": [body["result"]]})
    assert_listed(row, item)


def refused(body: Any) -> None:
    told = SOURCE.problem(200, body)
    assert told
    assert (told.trouble, told.code) == ("refused", "testnet")
    for feed in SOURCE.feeds:
        with pytest.raises(ValidationError):
            TypeAdapter(feed.answer).validate_python(body)


def combos(folder: Path, name: str) -> None:
    body = body_of(folder, name)
    refused(body)
    assert {row["kind"] for row in body["result"]} == {"option_combo"}
    assert read(listing.instruments(BTC), {**body, "testnet": False}) == [None] * 6


# Summaries.


def futures(count: int) -> Callable[[Path, str], None]:
    def check(folder: Path, name: str) -> None:
        rows, body = exact(folder, name), body_of(folder, name)
        estimates = read(feed_of("predicted_funding", "BTC"), body)
        interests = read(feed_of("open_interest", "BTC"), body)
        assert len(rows) == count
        for row, estimate, interest in zip(rows, estimates, interests, strict=True):
            if row["instrument_name"] != "BTC-PERPETUAL":
                assert (estimate, interest) == (None, None)
                continue
            of = ("BTC-PERPETUAL", row["creation_timestamp"])
            assert (estimate.symbol, ms(estimate.time)) == (interest.symbol, ms(interest.time)) == of
            assert (estimate.rate, estimate.interval_hours) == (float(row["current_funding"] / 8), 1)
            assert estimate.for_time is None
            assert interest.oi_usd == row["open_interest"]
            assert interest.oi_base == pytest.approx(float(row["open_interest"] / row["mark_price"]), rel=1e-15)

    return check


def options(family: Family, count: int) -> Callable[[Path, str], None]:
    def check(folder: Path, name: str) -> None:
        rows = exact(folder, name)
        items = read(feed_of("option_chain", family.currency), body_of(folder, name))
        assert len(items) == count
        for row, item in zip(rows, items, strict=True):
            assert (item.symbol, ms(item.time)) == (row["instrument_name"], row["creation_timestamp"])
            assert (item.bid, item.ask) == (price(row["bid_price"]), price(row["ask_price"]))
            assert item.mark_price == float(row["mark_price"])
            assert item.mark_iv == fraction(row.get("mark_iv"))
            assert item.underlying_price == float(row["underlying_price"])
            assert item.index_price == float(row["estimated_delivery_price"])
            assert (item.open_interest, item.volume_24h) == (float(row["open_interest"]), float(row["volume"]))

    return check


# What is told of one instrument or index.


def settlements(folder: Path, name: str) -> None:
    rows = exact(folder, name)
    items = read(feed_of("funding", ""), body_of(folder, name), Instrument("BTC-PERPETUAL", "BTC", "USD"))
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        ("BTC-PERPETUAL", row["timestamp"], float(row["interest_1h"]), 1) for row in rows
    ]
    assert len(items) == 16


def candles(count: int) -> Callable[[Path, str], None]:
    def check(folder: Path, name: str) -> None:
        told = exact(folder, name)
        contract = Instrument("BTC-PERPETUAL", "BTC", "USD", margin="coin")
        items = read(feed_of("candles_1m", ""), body_of(folder, name), contract)
        assert len(items) == len(told["ticks"]) == count
        for at, item in enumerate(items):
            assert (item.symbol, ms(item.time), item.interval) == (
                "BTC-PERPETUAL",
                told["ticks"][at],
                timedelta(minutes=1),
            )
            for column in ("open", "high", "low", "close"):
                assert getattr(item, column) == float(told[column][at])
            assert (item.volume_base, item.volume_usd) == (float(told["volume"][at]), float(told["cost"][at]))
            assert item.volume_usd / item.volume_base == pytest.approx(item.close, rel=0.0002)

    return check


def books(folder: Path, name: str) -> None:
    told, body = exact(folder, name), body_of(folder, name)
    if isinstance(told, dict):
        [item] = read(feed_of("depth", ""), body, Instrument(told["instrument_name"], "BTC", "USD"))
        assert_book(told, item)
        assert (item.bids[0][0], item.asks[0][0]) == (float(told["best_bid_price"]), float(told["best_ask_price"]))


def many_books(folder: Path, name: str) -> None:
    rows = json.loads((folder / name).read_text())
    assert len(rows) == 15
    for row in rows:
        assert_book(row, depth(row))


def assert_book(told: Any, item: Any) -> None:
    assert (item.symbol, ms(item.time)) == (told["instrument_name"], told["timestamp"])
    assert item.change_id == told["change_id"]
    assert item.bids == tuple((float(at), float(amount)) for at, amount in told["bids"])
    assert item.asks == tuple((float(at), float(amount)) for at, amount in told["asks"])
    assert [at for at, _ in item.bids] == sorted((at for at, _ in item.bids), reverse=True)


def index_price(folder: Path, name: str) -> None:
    [item] = read(feed_of("index_price", "btc_usd"), body_of(folder, name))
    assert (item.symbol, item.time, item.close) == ("btc_usd", ALL_TIME[0], 80814.47)
    assert item.close == float(exact(folder, name)["index_price"])


def volatility_index(folder: Path, name: str) -> None:
    feed, body, told = feed_of("volatility_index", ""), body_of(folder, name), exact(folder, name)
    items = read(feed, body, Instrument("BTC-DVOL", "BTC", "USD", "index"))
    assert [(ms(item.time), item.open, item.high, item.low, item.close) for item in items] == [
        (time, *map(fraction, prices)) for time, *prices in told["data"]
    ]
    assert {item.symbol for item in items} == {"BTC-DVOL"}
    assert all(0.3 < item.close < 0.5 for item in items)
    assert feed.next_cursor
    assert feed.next_cursor(TypeAdapter(feed.answer).validate_python(body)) is None


def delivery_prices(folder: Path, name: str) -> None:
    items = read(feed_of("delivery_prices", "btc_usd"), body_of(folder, name))
    rows = exact(folder, name)["data"]
    assert [(item.symbol, item.time.isoformat(), item.price) for item in items] == [
        ("btc_usd", f"{row['date']}T08:00:00+00:00", float(row["delivery_price"])) for row in rows
    ]
    assert len(items) == 5


def trades(count: int, combo: int = 0, testnet: bool = False) -> Callable[[Path, str], None]:
    def check(folder: Path, name: str) -> None:
        rows, body = exact(folder, name)["trades"], body_of(folder, name)
        if testnet:
            refused(body)
            with pytest.raises(ValueError, match="testnet"):
                list(TRADES.rows(body))
        items = list(TRADES.rows({**body, "testnet": False}))
        assert len(items) == count
        assert sum(item.is_combo for item in items if not isinstance(item, Bad)) == combo
        for row, item in zip(rows, items, strict=True):
            assert_trade(row, item)

    return check


def assert_trade(row: Any, item: Any) -> None:
    assert (item.symbol, ms(item.time)) == (row["instrument_name"], row["timestamp"])
    assert (item.seq, item.id, item.side) == (row["trade_seq"], row["trade_id"], row["direction"])
    assert (item.price, item.amount) == (float(row["price"]), float(row["amount"]))
    assert item.iv == fraction(row.get("iv"))
    assert (item.mark_price, item.index_price) == (number(row.get("mark_price")), number(row.get("index_price")))
    assert item.liquidation == row.get("liquidation")
    assert (item.is_block, item.is_combo) == ("block_trade_id" in row, "combo_id" in row)


def an_error(folder: Path, name: str) -> None:
    told = SOURCE.problem(400, body_of(folder, name))
    assert told
    assert (told.trouble, told.code) == ("absent", "-32602")
    assert told.message == "Invalid params: instrument not found"


CHECKS: dict[str, Callable[[Path, str], None]] = {
    "error__instrument_not_found_2026-08.json": an_error,
    "get_book_summary_by_currency__btc_future_2026-09.result.json": futures(8),
    "get_book_summary_by_currency__btc_option_2026-04.json": options(BTC, 636),
    "get_book_summary_by_instrument__btc_perpetual_2022-06.json": futures(1),
    "get_book_summary_by_instrument__eth_option_2022-06.json": options(ETH, 1),
    "get_delivery_prices__btc_usd_2026-09.result.json": delivery_prices,
    "get_funding_rate_history__btc_perpetual_2026-09.result.json": settlements,
    "get_index_price__btc_usd_2026-09.result.json": index_price,
    "get_instrument__btc_perpetual_testnet_2025-12.json": one_of_the_test_system,
    "get_instruments__btc_2021-07.json": listed(BTC, 398),
    "get_instruments__btc_future_2026-09.result.json": listed(BTC, 9),
    "get_instruments__btc_option_combo_testnet_2026-05.json": combos,
    "get_instruments__eth_2021-07.json": listed(ETH, 426),
    "get_instruments__sol_2022-05.json": listed(Family("SOL", frozenset({"SOL"})), 177),
    "get_instruments__usdc_2022-05.json": listed(Family("USDC", frozenset({"SOL", "XRP", "DOGE"})), 3),
    "get_instruments__xrp_usdc_option_2026-09.result.json": listed(Family("USDC", frozenset({"XRP"})), 10),
    "get_last_trades_by_currency__btc_option_2026-09.result.json": trades(5),
    "get_last_trades_by_instrument__btc_perpetual_combo_tags_testnet_2026-05.json": trades(7, 7, testnet=True),
    "get_last_trades_by_instrument__eth_perpetual_2025-12.json": trades(10),
    "get_order_book__btc_future_2022-06.json": books,
    "get_order_book__btc_options_2020-05.reassembled.json": many_books,
    "get_order_book__btc_perpetual_depth20_2025-12.json": books,
    "get_order_book__btc_perpetual_depth5_2026-09.result.json": books,
    "get_order_book__eth_option_2022-06.json": books,
    "get_tradingview_chart_data__btc_perpetual_1m_2025-12.json": candles(5),
    "get_tradingview_chart_data__no_data_2026-08.json": candles(0),
    "get_volatility_index_data__60s_2026-10.json": volatility_index,
    "get_volatility_index_data__btc_43200s_2026-09.result.json": volatility_index,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_recorded_answer(folder: Path, name: str) -> None:
    CHECKS[name](folder, name)


def test_every_file_is_checked_or_there_is_a_reason(folder: Path) -> None:
    there = {path.name for path in folder.iterdir()} - {"PROVENANCE.md"}
    assert there == {*CHECKS, *UNUSED, *SOCKETS}
    assert not set(CHECKS) & set(UNUSED)


@pytest.mark.parametrize("name", UNUSED)
def test_what_is_not_asked_for_is_no_answer(folder: Path, name: str) -> None:
    """No feed asks for it, and none takes it for an answer to its own question."""
    method = name.partition("__")[0]
    symbol = Instrument("BTC-PERPETUAL", "BTC", "USD")
    asked = {feed.request(window(symbol)).path.rpartition("/")[2] for feed in SOURCE.feeds}
    assert method not in asked
    for feed in SOURCE.feeds:
        try:
            items = read(feed, body_of(folder, name), None if feed.scope == "market" else symbol)
        except ValidationError:
            continue
        has_one = feed.dataset == "index_price" and method == "ticker"  # a ticker tells the index too
        assert has_one or all(isinstance(item, Bad) for item in items)
