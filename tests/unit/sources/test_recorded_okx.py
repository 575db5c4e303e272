"""OKX's recorded answers, every value worked out anew from the JSON."""

from typing import Any

import pytest

from app.ingest.spec import Bad

HOUR = 3_600_000
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
