"""Extended's recorded answers, every value worked out anew from the JSON."""

import csv
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.ingest.spec import Window
from app.records import Instrument
from tests.unit.test_seed import ALIASES

MARKETS = "info_markets_BTC-USD_2026-04-29.json"
SAMPLED = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)  # the end of the window: the answer has no time


def test_contracts(recorded: Any, ms: Any) -> None:
    body = recorded.body(MARKETS)
    [item], [row] = recorded.read(body, "instruments", "market"), body["data"]
    assert (item.symbol, item.base, item.quote) == (row["name"], row["assetName"], row["collateralAssetName"])
    assert (item.kind, item.margin, item.underlying, item.funding_interval_hours) == ("perp", "stable", "coin", 1)
    assert (item.contract_size, item.multiplier, item.oi_sides, item.active) == (1, 1, None, row["active"])
    assert ms(item.listed_at) == row["createdAt"]


def test_estimates(recorded: Any, ms: Any) -> None:
    body = recorded.body(MARKETS)
    [item], told = recorded.read(body, "predicted_funding", "market"), body["data"][0]["marketStats"]
    assert (item.symbol, item.time, item.rate) == ("BTC-USD", SAMPLED, float(told["fundingRate"]))
    assert (ms(item.for_time), item.interval_hours) == (told["nextFundingRate"], 1)


def test_open_interest(recorded: Any) -> None:
    body = recorded.body(MARKETS)
    [item], told = recorded.read(body, "open_interest", "market"), body["data"][0]["marketStats"]
    assert (item.symbol, item.time) == ("BTC-USD", SAMPLED)
    assert (item.oi_base, item.oi_usd) == (float(told["openInterestBase"]), float(told["openInterest"]))
    assert item.oi_usd / item.oi_base == pytest.approx(float(told["markPrice"]), rel=1e-3)


def test_the_statistics_of_a_market_are_those_of_the_list(recorded: Any) -> None:
    stats = recorded.body("info_markets_BTC-USD_stats_2026-04-29.json")["data"]
    body = recorded.body(MARKETS)
    body["data"][0]["marketStats"] = stats
    [rate], [held] = (recorded.read(body, dataset, "market") for dataset in ("predicted_funding", "open_interest"))
    assert (rate.rate, held.oi_usd) == (float(stats["fundingRate"]), float(stats["openInterest"]))


def test_settlements(recorded: Any, ms: Any) -> None:
    body = recorded.body("info_BTC-USD_funding_2026-04-30.json")
    items = recorded.read(body, "funding", "instrument", symbol="BTC-USD")
    for row, item in zip(body["data"], items, strict=True):
        assert (item.symbol, item.rate, item.interval_hours) == (row["m"], float(row["f"]), None)
        assert ms(item.time) == row["T"] - row["T"] % 3_600_000 == row["T"] - 1028


def test_a_settlement_is_of_the_window_that_holds_its_hour(recorded: Any) -> None:
    body = recorded.body("info_BTC-USD_funding_2026-04-30.json")
    feed = recorded.source.feed("funding")
    answer, hour = TypeAdapter(feed.answer).validate_python(body), datetime(2026, 4, 30, tzinfo=UTC)
    paid, second = body["data"][0]["T"], timedelta(seconds=1)
    cut = hour + second  # between the hour and the payment
    before, after = (btc_from(start, end) for start, end in ((hour - 9 * second, cut), (cut, cut + 9 * second)))
    assert int(dict(feed.request(before).params)["endTime"]) > paid
    assert [item.time for item in feed.rows(answer, before)] == [hour]
    assert list(feed.rows(answer, after)) == [None]


def btc_from(start: datetime, end: datetime) -> Window:
    return Window(start, end, Instrument("BTC-USD", "BTC", "USD"))


@pytest.mark.parametrize(
    "name", ["info_BTC-USD_open-interests_2026-04-29.json", "docs_open-interests_P1D_2025-06.json"]
)
def test_past_open_interest(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "open_interest", "instrument", symbol="BTC-USD")
    for row, item in zip(body["data"], items, strict=True):
        assert (item.symbol, ms(item.time)) == ("BTC-USD", row["t"])
        assert (item.oi_base, item.oi_usd) == (float(row["I"]), float(row["i"]))


@pytest.mark.parametrize(("dataset", "seconds"), [("candles_1m", 60), ("candles_1h", 3600)])
def test_candles(recorded: Any, ms: Any, dataset: str, seconds: int) -> None:
    body = recorded.body("info_candles_BTC-USD_trades_2026-04-30.json")
    items = recorded.read(body, dataset, "instrument", symbol="BTC-USD")
    for row, item in zip(body["data"], items, strict=True):
        assert (item.symbol, ms(item.time), item.interval) == ("BTC-USD", row["T"], timedelta(seconds=seconds))
        assert [item.open, item.high, item.low, item.close] == [float(row[key]) for key in "ohlc"]
        assert (item.volume_base, item.volume_usd, item.trades) == (float(row["v"]), None, None)


@pytest.mark.parametrize("dataset", ["instruments", "predicted_funding", "open_interest"])
@pytest.mark.parametrize(
    "name", ["info_markets_BTC-USD_stats_2026-04-29.json", "info_markets_BTC-USD_orderbook_2026-04-30.json"]
)
def test_other_answers_are_refused(recorded: Any, name: str, dataset: str) -> None:
    with pytest.raises(ValidationError):
        recorded.read(recorded.body(name), dataset, "market")


def test_every_market_seen_is_mapped_with_its_count(recorded: Any) -> None:
    with (recorded.folder / "derived_market_history_2026-01.csv").open() as file:
        symbols = {row["symbol"] for row in csv.DictReader(file)}
    assert len(symbols) == 76
    counts = {symbol: ALIASES["extended", "market", symbol]["multiplier"] for symbol in symbols}
    assert {symbol for symbol, count in counts.items() if count != "1"} == {
        *("1000PEPE-USD", "1000BONK-USD", "1000SHIB-USD")
    }
