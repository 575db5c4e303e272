"""OKX's recorded answers and frames, every value worked out anew from the JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.ingest.spec import Bad, Known, Said, Window
from app.records import Instrument

HOUR = 3_600_000
ALL_TIME = (datetime(2017, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
CATEGORIES = {"1": "coin", "3": "equity", "4": "other"}


@pytest.mark.parametrize("name", ["instruments_swap_2022-05-13.json", "instruments_swap_2026-04-27.json"])
def test_contracts(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "instruments", "market")
    for row, item in zip(body["data"], items, strict=True):
        if row["instId"] == "TEST01-USDT-SWAP":
            assert item is None
            continue
        inverse = row["ctType"] == "inverse"
        assert item.symbol == row["instId"]
        assert item.base == (row["settleCcy"] if inverse else row["ctValCcy"])
        assert item.quote == (row["ctValCcy"] if inverse else row["settleCcy"])
        assert (item.kind, item.margin) == ("perp", "coin" if inverse else "stable")
        assert item.contract_size == float(row["ctVal"]) * float(row["ctMult"])
        assert item.underlying == CATEGORIES[row.get("instCategory", "1")]
        assert ms(item.listed_at) == int(row["listTime"])
        assert (item.active, item.delisted_at, item.multiplier, item.oi_sides) == (True, None, 1, 1)


def bodies_of_funding(recorded: Any) -> list[dict[str, Any]]:
    """One answer, and frames of the socket, whose data are rows of the same answer."""
    frames = recorded.lines("ws_funding_rate_ltc_2025-12-08.jsonl")
    frames += recorded.lines("ws_funding_rate_index_xperp_2026-08-04.jsonl")
    rows = [row for frame in frames if frame["arg"]["channel"] == "funding-rate" for row in frame["data"]]
    return [recorded.body("funding_rate_any_2026-04-27.json"), {"code": "0", "msg": "", "data": rows}]


def is_swap(row: dict[str, str]) -> bool:
    return row["instType"] == "SWAP" and row["instId"] != "TEST01-USDT-SWAP"


def hours(row: dict[str, str]) -> float:
    if "prevFundingTime" in row:
        return (int(row["fundingTime"]) - int(row["prevFundingTime"])) / HOUR
    return (int(row["nextFundingTime"]) - int(row["fundingTime"])) / HOUR


def test_intervals(recorded: Any) -> None:
    for body in bodies_of_funding(recorded):
        items = recorded.read(body, "instruments", "market", nth=1)
        assert [item and (item.symbol, item.hours) for item in items] == [
            (row["instId"], hours(row)) if is_swap(row) else None for row in body["data"]
        ]


def test_one_swap_settles_every_two_hours(recorded: Any) -> None:
    items = recorded.read(bodies_of_funding(recorded)[0], "instruments", "market", nth=1)
    assert [item.symbol for item in items if item and item.hours == 2] == ["ENSO-USDT-SWAP"]


def test_estimates(recorded: Any, ms: Any) -> None:
    for body in bodies_of_funding(recorded):
        items = recorded.read(body, "predicted_funding", "market")
        for row, item in zip(body["data"], items, strict=True):
            if not is_swap(row):
                assert item is None
                continue
            assert (item.symbol, ms(item.time)) == (row["instId"], int(row["ts"]))
            assert (item.rate, ms(item.for_time)) == (float(row["fundingRate"]), int(row["fundingTime"]))
            assert item.interval_hours == hours(row)


def test_last_settlements(recorded: Any, ms: Any) -> None:
    for body in bodies_of_funding(recorded):
        items = recorded.read(body, "funding", "market")
        for row, item in zip(body["data"], items, strict=True):
            if not is_swap(row) or "prevFundingTime" not in row:
                assert item is None
                continue
            assert (item.symbol, ms(item.time)) == (row["instId"], int(row["prevFundingTime"]))
            assert (item.rate, item.interval_hours) == (float(row["settFundingRate"]), None)


def test_a_five_year_future_is_kept_where_it_is_known(recorded: Any) -> None:
    body = bodies_of_funding(recorded)[1]
    known = {row["instId"]: None for row in body["data"]}
    items = recorded.read(body, "predicted_funding", "market", instruments=known)
    assert [item.symbol for item in items] == ["LTC-USDT-SWAP", "BTC-USD_UM_XPERP-310404"]


def test_settlements(recorded: Any, ms: Any) -> None:
    body = recorded.body("funding_rate_history_xperp_ada_2026-04-27.json")
    items = recorded.read(body, "funding", "instrument", symbol="ADA-USD_UM_XPERP-310404")
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        (row["instId"], int(row["fundingTime"]), float(row["realizedRate"]), None) for row in body["data"]
    ]


def test_what_was_predicted_is_not_taken_for_what_was_paid(recorded: Any) -> None:
    body = recorded.body("funding_rate_history_btc_2026-08-15.json")  # its recorder left realizedRate out
    items = recorded.read(body, "funding", "instrument", symbol="BTC-USDT-SWAP")
    assert items
    assert all(isinstance(item, Bad) and item.symbol == "BTC-USDT-SWAP" for item in items)


@pytest.mark.parametrize("name", ["open_interest_swap_2022-06.jsonl", "open_interest_btc_usdt_swap_2026-04-27.json"])
def test_open_interest(recorded: Any, ms: Any, name: str) -> None:
    for body in recorded.lines(name):
        items = recorded.read(body, "open_interest", "market")
        assert [(item.symbol, ms(item.time), item.oi_base, item.oi_usd) for item in items] == [
            (row["instId"], int(row["ts"]), float(row["oiCcy"]), float(row["oiUsd"]) if "oiUsd" in row else None)
            for row in body["data"]
        ]


def test_past_open_interest(recorded: Any, ms: Any) -> None:
    body = recorded.body("contract_open_interest_history_1d_btc_2026-04-27.json")
    items = recorded.read(body, "open_interest", "instrument", symbol="BTC-USDT-SWAP")
    for row, item in zip(body["data"], items, strict=True):
        assert (item.symbol, ms(item.time)) == ("BTC-USDT-SWAP", int(row[0]))
        assert (item.oi_base, item.oi_usd) == (float(row[2]), float(row[3]))
        assert item.oi_base == pytest.approx(float(row[1]) * 0.01)  # a contract is 0.01 BTC


def test_candles(recorded: Any, ms: Any) -> None:
    frame = recorded.lines("ws_candle1m_btc_2026-03-31.jsonl")[0]  # its data are rows of the answer
    bodies = [recorded.body(name) for name in ("candles_1h_btc_2026-08-15.json", "candles_1m_btc_2025-05-13.json")]
    for body in [*bodies, {"code": "0", "msg": "", "data": frame["data"]}]:
        items = recorded.read(body, "candles_1m", "instrument", symbol="BTC-USDT-SWAP")
        for row, item in zip(body["data"], items, strict=True):
            if row[8] == "0":
                assert item is None
                continue
            assert (item.symbol, ms(item.time)) == ("BTC-USDT-SWAP", int(row[0]))
            assert [item.open, item.high, item.low, item.close] == [float(price) for price in row[1:5]]
            assert [item.volume_base, item.volume_usd] == [float(row[6]), float(row[7])]
            assert item.volume_base == pytest.approx(float(row[5]) * 0.01)
            assert item.low <= item.volume_usd / item.volume_base <= item.high


def test_errors_were_asked_wrongly(recorded: Any) -> None:
    for error in recorded.lines("errors.jsonl"):
        told = recorded.source.problem(error["http_status"], error["body"])
        assert (told.trouble, told.code, told.message) == ("refused", error["body"]["code"], error["body"]["msg"])


def test_mark_prices(recorded: Any, ms: Any) -> None:
    frames = recorded.lines("ws_misc_swap_2021-12.jsonl")  # of the channel that is not subscribed: rows of the answer
    [frame] = [frame for frame in frames if frame["arg"]["channel"] == "mark-price"]
    for body in (recorded.body("mark_price_btc_2026-06-04.json"), {"code": "0", "msg": "", "data": frame["data"]}):
        [row], [item] = body["data"], recorded.read(body, "mark_price", "market")
        assert (item.symbol, item.values) == (row["instId"], {"mark_price": float(row["markPx"])})
        assert ms(item.time) == int(row["ts"]) // 60_000 * 60_000


def test_ratios_of_accounts(recorded: Any, ms: Any) -> None:
    body = recorded.body("contract_long_short_account_ratio_1d_btc_2026-04-27.json")
    items = recorded.read(body, "long_short", "instrument", symbol="BTC-USDT-SWAP")
    assert [(item.symbol, ms(item.time), item.values) for item in items] == [
        ("BTC-USDT-SWAP", int(time), {"long_short_ratio": float(ratio)}) for time, ratio in body["data"]
    ]


# Liquidations and the sockets: contracts are counted in coins.


def contracts(recorded: Any, *names: str) -> Known:
    listed = [
        contract
        for name in names or ("instruments_swap_2026-04-27.json",)
        for contract in recorded.read(recorded.body(name), "instruments", "market")
    ]
    known = {contract.symbol: contract for contract in listed if contract}
    return Known(known, known.keys())


def closed(row: dict[str, str], symbol: str, size: float, ms: Any) -> tuple[Any, ...]:
    """A liquidation of a linear swap, of so many coins a contract, with the side of its position."""
    side = row.get("posSide") or {"sell": "long", "buy": "short"}[row["side"]]
    return symbol, int(row["ts"]), side, float(row["bkPx"]), float(row["sz"]) * size


def plain(item: Any, ms: Any) -> tuple[Any, ...]:
    return item.symbol, ms(item.time), item.side, item.price, item.quantity


def test_past_liquidations(recorded: Any, ms: Any) -> None:
    body = recorded.body("liquidation_orders_btc_2026-08-15.json")
    contract = Instrument("BTC-USDT-SWAP", "BTC", "USDT", contract_size=0.01)
    [feed] = [feed for feed in recorded.source.polls if feed.dataset == "liquidations"]
    items = list(feed.rows(feed.answer.model_validate(body), Window(*ALL_TIME, contract)))
    [orders] = body["data"]
    assert [plain(item, ms) for item in items] == [closed(row, "BTC-USDT-SWAP", 0.01, ms) for row in orders["details"]]


def test_liquidations_of_the_socket(recorded: Any, ms: Any) -> None:
    _, socket = recorded.source.sockets
    known = contracts(recorded)
    sizes = {
        row["instId"]: float(row["ctVal"]) * float(row["ctMult"])
        for row in recorded.body("instruments_swap_2026-04-27.json")["data"]
    }
    for frame in recorded.lines("ws_liquidation_orders_2026.jsonl"):
        assert socket.said(frame) is Said.DATA
        items, [orders] = list(socket.rows(frame, known)), frame["data"]
        size = sizes.get(orders["instId"])
        assert [plain(item, ms) if item else None for item in items] == [
            closed(row, orders["instId"], size, ms) if size else None for row in orders["details"]
        ]
    assert sizes["BTC-USDT-SWAP"] == 0.01


def test_trades_of_the_socket(recorded: Any, ms: Any) -> None:
    _, socket = recorded.source.sockets
    known = contracts(recorded, "instruments_swap_2022-05-13.json")
    found = 0
    for frame in recorded.lines("ws_tickers_trades_2022-05-13.jsonl"):
        if frame["arg"]["channel"] != "trades":
            assert socket.said(frame) is Said.NOTHING
            continue
        for row, item in zip(frame["data"], socket.rows(frame, known), strict=True):
            if row["instId"] != "UNI-USD-SWAP":
                assert item is None  # a dated future
                continue
            coins = float(row["sz"]) * 10 / float(row["px"])  # inverse: a contract is 10 USD
            assert plain(item, ms) == (row["instId"], int(row["ts"]), row["side"], float(row["px"]), coins)
            assert item.id == row["tradeId"]
            found += 1
    assert found


def test_estimates_of_the_socket(recorded: Any, ms: Any) -> None:
    _, socket = recorded.source.sockets
    [frame] = recorded.lines("ws_funding_rate_ltc_2025-12-08.jsonl")
    contract = Instrument("LTC-USDT-SWAP", "LTC", "USDT")
    [row], [item] = frame["data"], socket.rows(frame, Known({contract.symbol: contract}, {contract.symbol}))
    assert (item.symbol, ms(item.time), item.rate) == (row["instId"], int(row["ts"]), float(row["fundingRate"]))
    assert (ms(item.for_time), item.interval_hours) == (int(row["fundingTime"]), hours(row))
    for frame in recorded.lines("ws_funding_rate_index_xperp_2026-08-04.jsonl"):
        assert [item for item in socket.rows(frame, contracts(recorded)) if item] == []  # a future: not listed


def test_candles_of_the_socket(recorded: Any, ms: Any) -> None:
    socket, _ = recorded.source.sockets
    [frame] = recorded.lines("ws_candle1m_btc_2026-03-31.jsonl")
    assert list(socket.rows(frame, contracts(recorded))) == [None]  # not confirmed
    frame["data"][0][8] = "1"
    [row], [item] = frame["data"], socket.rows(frame, contracts(recorded))
    assert (item.symbol, ms(item.time)) == ("BTC-USDT-SWAP", int(row[0]))
    assert [item.open, item.high, item.low, item.close] == [float(price) for price in row[1:5]]
    assert [item.volume_base, item.volume_usd] == [float(row[6]), float(row[7])]


def test_what_else_the_sockets_say(recorded: Any) -> None:
    for socket in recorded.source.sockets:
        events = [socket.said(frame) for frame in recorded.lines("ws_events_2025.jsonl")]
        assert events == [Said.REFUSED, Said.CLOSING, Said.DONE]
        abouts = [socket.about(frame) for frame in recorded.lines("ws_events_2025.jsonl")]
        assert abouts == [None, None, {"channel": "funding-rate", "instId": "BTC-USD-SWAP"}]
        assert {socket.said(frame) for frame in recorded.lines("ws_subscribe_2022-05-13.jsonl")} == {Said.DONE}
        for name in ("ws_misc_swap_2021-12", "ws_tickers_swap_2022-06", "ws_books5_bbo_swap_2022-06"):
            frames = recorded.lines(f"{name}.jsonl")
            assert {socket.said(frame) for frame in frames} == {Said.NOTHING}, name
            assert [list(socket.rows(frame, Known({}, ()))) for frame in frames] == [[]] * len(frames)


def test_the_longest_topics_fit_a_connection(recorded: Any) -> None:
    for socket in recorded.source.sockets:
        each = [channel for channel in socket.channels if channel.scope == "instrument"]
        topics = [channel.topic(one) for one in contracts(recorded).instruments.values() for channel in each]
        longest = max(len(json.dumps(topic, separators=(",", ":"))) + 1 for topic in topics)
        assert longest * socket.topics_a_connection <= 64_000
        assert socket.topics_a_connection / socket.topics_a_frame < 480 / 10
