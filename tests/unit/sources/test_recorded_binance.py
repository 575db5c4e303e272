"""Binance's recorded answers, every value worked out anew from the JSON."""

from typing import Any

import pytest

NEVER = 4133404800000


@pytest.mark.parametrize(
    "name",
    [
        "exchange_info_2021-07-22.json",
        "exchange_info_2026-10-07_5symbols.json",
        "exchange_info_symbol_btcusdt_2026-09-15.json",
    ],
)
def test_contracts(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    body = body if "symbols" in body else {"symbols": [body]}  # one recording is a single element of the list
    items = recorded.read(body, "instruments", "market")
    for row, item in zip(body["symbols"], items, strict=True):
        if row["contractType"] == "":
            assert item is None
            continue
        assert (item.symbol, item.base, item.quote) == (row["symbol"], row["baseAsset"], row["quoteAsset"])
        assert item.kind == ("future" if "_" in row["symbol"] else "perp")
        assert item.active == (row["status"] == "TRADING")
        assert ms(item.listed_at) == row["onboardDate"]
        assert (ms(item.delisted_at) if item.delisted_at else NEVER) == row["deliveryDate"]
        assert (item.underlying == "coin") == (row["underlyingType"] == "COIN")
        assert (item.contract_size, item.multiplier, item.oi_sides, item.margin) == (1, 1, 1, "stable")


def test_odd_contracts(recorded: Any) -> None:
    items = recorded.read(recorded.body("exchange_info_2026-10-07_5symbols.json"), "instruments", "market")
    odd = {item.symbol: (item.kind, item.active, item.underlying) for item in items}
    assert odd == {
        "BTCUSDT": ("perp", True, "coin"),
        "XAUUSDT": ("perp", True, "other"),
        "币安人生USDT": ("perp", True, "coin"),
        "OMGUSDT": ("perp", False, "coin"),
        "BTCUSDT_261225": ("future", True, "coin"),
    }


@pytest.mark.parametrize("name", ["funding_info_2025-08.json", "funding_info_rows_2026-09-15.json"])
def test_intervals(recorded: Any, name: str) -> None:
    body = recorded.body(name)
    known = {row["symbol"]: None for row in body[1:]}
    items = recorded.read(body, "instruments", "market", nth=1, instruments=known)
    assert items[0] is None  # not among the contracts we know
    assert [(item.symbol, item.hours) for item in items[1:]] == [
        (row["symbol"], row["fundingIntervalHours"]) for row in body[1:]
    ]


@pytest.mark.parametrize("scope", ["market", "instrument"])
@pytest.mark.parametrize(
    "name",
    [
        "funding_rate_btcusdt_2019_first_rows.json",
        "funding_rate_btcusdt_2020_100rows.json",
        "funding_rate_btcusdt_2026-09-15.json",
    ],
)
def test_settlements(recorded: Any, ms: Any, name: str, scope: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "funding", scope, symbol="BTCUSDT" if scope == "instrument" else None)
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        (row["symbol"], row["fundingTime"], float(row["fundingRate"]), None) for row in body
    ]


@pytest.mark.parametrize(
    "name",
    [
        "premium_index_all_2020-10_cut.json",
        "premium_index_all_2026-10-07_3rows.json",
        "premium_index_btcusdt_2026-09-15.json",
    ],
)
def test_estimates(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    body = body if isinstance(body, list) else [body]  # asked for one symbol it answers with a bare object
    items = recorded.read(body, "predicted_funding", "market")
    assert [(item.symbol, ms(item.time), item.rate, ms(item.for_time)) for item in items] == [
        (row["symbol"], row["time"], float(row["lastFundingRate"]), row["nextFundingTime"]) for row in body
    ]


@pytest.mark.parametrize(
    "name", ["open_interest_hist_1d_ltcusdt_2020-10.json", "open_interest_hist_5m_btcusdt_2026-09-07.json"]
)
def test_open_interest(recorded: Any, ms: Any, name: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, "open_interest", "instrument", symbol=body[0]["symbol"])
    assert [(item.symbol, ms(item.time), item.oi_base, item.oi_usd) for item in items] == [
        (r["symbol"], r["timestamp"], float(r["sumOpenInterest"]), float(r["sumOpenInterestValue"])) for r in body
    ]


# Candles of other intervals and of an index have the same columns.
@pytest.mark.parametrize(
    "name",
    [
        "klines_1m_btcusdt_2026-09-15.json",
        "klines_5m_ltcusdt_2020-10.json",
        "klines_1d_btcusdt_2019.json",
        "continuous_klines_1m_btcusdt_2026-09-15.json",
        "index_price_klines_1m_btcusdt_2026-09-15.json",
    ],
)
@pytest.mark.parametrize("dataset", ["candles_1m", "candles_1h"])
def test_candles(recorded: Any, ms: Any, name: str, dataset: str) -> None:
    body = recorded.body(name)
    items = recorded.read(body, dataset, "instrument", symbol="ABCUSDT")
    for row, item in zip(body, items, strict=True):
        assert (item.symbol, ms(item.time)) == ("ABCUSDT", row[0])
        assert [item.open, item.high, item.low, item.close] == [float(price) for price in row[1:5]]
        assert [item.volume_base, item.volume_usd] == [float(row[5]), float(row[7])]
        assert [item.trades, item.buy_volume_base] == [row[8], float(row[9])]
        # an average price between low and high tells that base and quote are not exchanged
        assert not item.volume_base or item.low * 0.999 <= item.volume_usd / item.volume_base <= item.high * 1.001


def test_errors_were_asked_wrongly(recorded: Any) -> None:
    for error in recorded.lines("errors.jsonl"):
        told = recorded.source.problem(error["http_status"], error["body"])
        assert (told.trouble, told.code, told.message) == ("refused", str(error["body"]["code"]), error["body"]["msg"])


def test_the_budget_is_what_the_exchange_says(recorded: Any) -> None:
    told = recorded.body("exchange_info_rate_limits_2026-09-15.json")
    [limit] = [row["limit"] for row in told if (row["rateLimitType"], row["interval"]) == ("REQUEST_WEIGHT", "MINUTE")]
    assert recorded.source.budgets["weight"].limit == limit
