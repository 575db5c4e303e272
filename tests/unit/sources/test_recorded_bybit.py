"""Bybit's recorded answers and frames, every value worked out anew from the JSON."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from app.ingest.spec import Bad, Known, Said
from app.records import Candle, Liquidation, Trade
from tests.conftest import shared


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


def test_mark_prices(recorded: Any, ms: Any) -> None:
    body = recorded.body("tickers_linear_2023-08-16.json")
    rows = body["result"]["list"]
    items = recorded.read(body, "perp_snapshot", "market")
    estimates, interests, marks = (items[at : at + len(rows)] for at in range(0, len(items), len(rows)))
    assert estimates == recorded.read(body, "predicted_funding", "market")
    assert interests == recorded.read(body, "open_interest", "market")
    for row, item in zip(rows, marks, strict=True):
        if row["deliveryTime"] != "0":
            assert item is None
            continue
        told = {"mark_price": float(row["markPrice"]), "index_price": float(row["indexPrice"])}
        assert (item.symbol, item.values) == (row["symbol"], told)
        assert ms(item.time) == body["time"] // 60_000 * 60_000


@pytest.mark.parametrize("name", ["account_ratio_5min_btcusdt_2026-08-22.json", "doc_example_account_ratio_1h.json"])
def test_ratios_of_accounts(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "long_short", "instrument", symbol="BTCUSDT")
    for row, item in zip(body["result"]["list"], items, strict=True):
        assert (item.symbol, ms(item.time)) == ("BTCUSDT", int(row["timestamp"]))
        assert item.values == {"long_short_ratio": float(row["buyRatio"]) / float(row["sellRatio"])}
        assert float(row["buyRatio"]) + float(row["sellRatio"]) == pytest.approx(1)


# The socket.

OF_KIND = {"kline.1": Candle, "publicTrade": Trade, "allLiquidation": Liquidation}


def contracts(recorded: Any) -> Known:
    listed = recorded.read(recorded.body("instruments_linear_2026-08-09.json"), "instruments", "market")
    known = {contract.symbol: contract for contract in listed}
    return Known(known, known.keys())


def expected(kind: str, row: dict[str, Any]) -> dict[str, Any] | None:
    """What a row holds, but for its symbol and time."""
    if kind == "kline.1":
        told = {name: float(row[name]) for name in ("open", "high", "low", "close")}
        return (
            {**told, "volume_base": float(row["volume"]), "volume_usd": float(row["turnover"])}
            if row["confirm"]
            else None
        )
    told = {"price": float(row["p"]), "quantity": float(row["v"])}
    if kind == "publicTrade":
        return None if row["BT"] else {**told, "id": row["i"], "side": row["S"].lower()}
    return {**told, "side": "long" if row["S"] == "Buy" else "short"}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ws_kline_1m_btc_eth_2026-08-09.jsonl", 2),
        ("ws_public_trade_btc_eth_2026-08-09.jsonl", 20),
        ("ws_all_liquidation_2026.jsonl", 2),
    ],
)
def test_rows_of_the_socket(recorded: Any, ms: Any, name: str, count: int) -> None:
    [socket], known, found = recorded.source.sockets, contracts(recorded), 0
    for frame in recorded.lines(name):
        kind, _, symbol = frame["topic"].rpartition(".")
        assert socket.said(frame) is Said.DATA
        for row, item in zip(frame["data"], socket.rows(frame, known), strict=True):
            told = expected(kind, row)
            if told is None:
                assert item is None
                continue
            assert isinstance(item, OF_KIND[kind])
            assert (item.symbol, ms(item.time)) == (symbol, row["start"] if kind == "kline.1" else row["T"])
            assert {name: getattr(item, name) for name in told} == told
            found += 1
    assert found >= count


def test_what_else_the_socket_says(recorded: Any) -> None:
    [socket] = recorded.source.sockets
    said = {
        "ws_subscribe_ack_2026-08-09.jsonl": {Said.DONE},
        "ws_subscribe_error_2026.jsonl": {Said.REFUSED},
        "ws_misc_2026-08-13.jsonl": {Said.DONE, Said.ALIVE, Said.NOTHING},
        "ws_tickers_btc_eth_2026-08-09.jsonl": {Said.NOTHING},
        "ws_tickers_2024-05.jsonl": {Said.NOTHING},
        "ws_orderbook1_small_coins_2025-06-13.jsonl": {Said.NOTHING},
        "ws_orderbook200_btc_eth_2026-08-09.jsonl": {Said.NOTHING},
    }
    for name, expected in said.items():
        frames = recorded.lines(name)
        assert {socket.said(frame) for frame in frames} == expected, name
        assert [list(socket.rows(frame, Known({}, ()))) for frame in frames] == [[]] * len(frames)


def test_what_was_subscribed_then_is_subscribed_now(recorded: Any) -> None:
    [socket], known = recorded.source.sockets, contracts(recorded)
    sent = [topic for frame in recorded.lines("ws_subscribe_sent_2026-08-09.jsonl") for topic in frame["args"]]
    topics = [channel.topic(known.instruments["ETHUSDT"]) for channel in socket.channels]
    assert set(topics) <= set(sent)
    assert socket.subscribe(topics) == {"op": "subscribe", "args": topics}
    assert socket.unsubscribe(topics) == {"op": "unsubscribe", "args": topics}


def test_the_longest_topics_fit_a_connection(recorded: Any) -> None:
    [socket], known = recorded.source.sockets, contracts(recorded)
    topics = [channel.topic(contract) for channel in socket.channels for contract in known.instruments.values()]
    longest = sorted(topics, key=len)[-socket.topics_a_connection :]
    assert len(longest) == socket.topics_a_connection
    assert len(json.dumps(longest)) <= 21_000


def test_frames_of_an_older_version_say_nothing(recorded: Any) -> None:
    [socket], known = recorded.source.sockets, contracts(recorded)
    for name in ("BYBIT.ws.25.0.gz", "BYBIT.ws.26.0.gz"):
        lines = gzip.decompress((shared("datasets/ws_captures") / name).read_bytes()).decode().splitlines()
        frames = [json.loads(line.partition(": ")[2]) for line in lines if line[:1].isdigit()]
        assert len(frames) > 1000
        assert {socket.said(frame) for frame in frames} == {Said.NOTHING}
        assert not any(list(socket.rows(frame, known)) for frame in frames)
