"""Bybit's recorded answers, every value worked out anew from the JSON."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from app.ingest.spec import Bad


@pytest.mark.parametrize("name", ["instruments_linear_2026-08-09.json", "doc_example_instrument_prelaunch_bio.json"])
def test_contracts(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "instruments", "market")
    for row, item in zip(body["result"]["list"], items, strict=True):
        assert (item.symbol, item.base, item.quote) == (row["symbol"], row["baseCoin"], row["quoteCoin"])
        assert item.kind == ("future" if "-" in row["symbol"] else "perp")
        assert (item.funding_interval_hours or 0) * 60 == row["fundingInterval"]
        assert (item.funding_interval_hours is None) == (item.kind == "future")
        assert item.active == (row["status"] == "Trading")
        assert ms(item.listed_at) == int(row["launchTime"])
        assert (ms(item.delisted_at) if item.delisted_at else 0) == int(row["deliveryTime"])
        assert item.underlying == {"": "coin", "innovation": "coin", "stock": "equity"}.get(row["symbolType"], "other")
        assert (item.contract_size, item.multiplier, item.oi_sides, item.margin) == (1, 1, 1, "stable")
        assert (item.oi_sides_before, item.oi_sides_since) == (2, datetime(2026, 6, 11, tzinfo=UTC))


def test_settlements(recorded: Any, ms: Any) -> None:
    body = recorded.body("funding_history_btcusdt_2026-08-15.json")
    items = recorded.read(body, "funding", "instrument", symbol="BTCUSDT")
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        (row["symbol"], int(row["fundingRateTimestamp"]), float(row["fundingRate"]), None)
        for row in body["result"]["list"]
    ]


def test_estimates(recorded: Any, ms: Any) -> None:
    body = recorded.body("tickers_linear_2023-08-16.json")
    items = recorded.read(body, "predicted_funding", "market")
    for row, item in zip(body["result"]["list"], items, strict=True):
        if row["deliveryTime"] != "0":
            assert item is None
            continue
        assert (item.symbol, ms(item.time), item.rate) == (row["symbol"], body["time"], float(row["fundingRate"]))
        assert ms(item.for_time) == int(row["nextFundingTime"])
        assert item.interval_hours is None  # not told in 2023


def test_open_interest_is_halved(recorded: Any, ms: Any) -> None:
    body = recorded.body("tickers_linear_2023-08-16.json")
    items = recorded.read(body, "open_interest", "market")
    for row, item in zip(body["result"]["list"], items, strict=True):
        if row["deliveryTime"] != "0":
            assert item is None
            continue
        assert (item.symbol, ms(item.time)) == (row["symbol"], body["time"])
        assert item.oi_base * 2 == float(row["openInterest"])
        assert item.oi_usd * 2 == float(row["openInterestValue"])


def live_ticker(recorded: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """No answer of 2026 was recorded, but a frame of the socket was: its data is a row of the answer."""
    frame = next(f for f in recorded.lines("ws_misc_2026-08-13.jsonl") if f.get("type") == "snapshot")
    row = frame["data"]
    result = {"category": "linear", "list": [row]}
    return row, {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": frame["ts"]}


def test_the_single_side_is_taken_as_told(recorded: Any) -> None:
    row, body = live_ticker(recorded)
    [item] = recorded.read(body, "open_interest", "market")
    assert (item.oi_base, item.oi_usd) == (float(row["singleOpenInterest"]), float(row["singleOpenInterestValue"]))
    assert item.oi_base * 2 == pytest.approx(float(row["openInterest"]))
    assert item.oi_usd * 2 == pytest.approx(float(row["openInterestValue"]))


def test_an_estimate_tells_its_hours(recorded: Any) -> None:
    row, body = live_ticker(recorded)
    [item] = recorded.read(body, "predicted_funding", "market")
    assert (item.rate, item.interval_hours) == (float(row["fundingRate"]), float(row["fundingIntervalHour"]))


def test_past_open_interest(recorded: Any, ms: Any) -> None:
    body = recorded.body("open_interest_5min_btcusdt_2026-09-15.json")
    items = recorded.read(body, "open_interest", "instrument", symbol="BTCUSDT")
    for row, item in zip(body["result"]["list"], items, strict=True):
        assert (item.symbol, ms(item.time), item.oi_usd) == ("BTCUSDT", int(row["timestamp"]), None)
        assert item.oi_base == float(row["singleOpenInterest"])
        assert item.oi_base * 2 == pytest.approx(float(row["openInterest"]), abs=0.001)


def test_candles(recorded: Any, ms: Any) -> None:
    body = recorded.body("kline_60_btcusdt_2026-08-15.json")
    items = recorded.read(body, "candles_1h", "instrument", symbol="BTCUSDT")
    for row, item in zip(body["result"]["list"], items, strict=True):
        assert (item.symbol, ms(item.time)) == ("BTCUSDT", int(row[0]))
        assert [item.open, item.high, item.low, item.close] == [float(price) for price in row[1:5]]
        assert [item.volume_base, item.volume_usd] == [float(row[5]), float(row[6])]
        assert item.low <= item.volume_usd / item.volume_base <= item.high
        assert item.buy_volume_base is None
        assert item.trades is None


def test_candles_without_volume_are_none(recorded: Any) -> None:
    body = recorded.body("doc_example_mark_price_kline.json")
    [item] = recorded.read(body, "candles_1m", "instrument", symbol="BTCUSDT")
    assert isinstance(item, Bad)


@pytest.mark.parametrize(
    ("name", "dataset", "scope"),
    [
        ("tickers_inverse_2023-08-16.json", "open_interest", "market"),
        ("tickers_inverse_2023-08-16.json", "predicted_funding", "market"),
        ("doc_example_tickers_inverse_2025-10.json", "open_interest", "market"),
        ("doc_example_open_interest_1d_btcusd_inverse.json", "open_interest", "instrument"),
        ("doc_example_account_ratio_1h.json", "open_interest", "instrument"),
        ("doc_example_time.json", "open_interest", "market"),
    ],
)
def test_other_answers_are_refused(recorded: Any, name: str, dataset: str, scope: str) -> None:
    with pytest.raises(ValidationError):
        recorded.read(recorded.body(name), dataset, scope, symbol="BTCUSD" if scope == "instrument" else None)
