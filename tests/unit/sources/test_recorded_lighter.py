"""Lighter's recorded answers, every value worked out anew from the JSON."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from app.ingest.sources.lighter import underlying
from tests.unit.test_seed import ALIASES, ENTITIES

ASKED = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)  # the end of the window: the answers have no time
SIGN = {"long": 1, "short": -1}
KIND = {"equity": "equity", "index": "other"}


def test_contracts(recorded: Any) -> None:
    body = recorded.body("orderBookDetails_ETH_2026-05-05.json")
    items = recorded.read(body, "instruments", "market")
    for row, item in zip(body["order_book_details"], items, strict=True):
        assert (item.symbol, item.base, item.quote) == (row["symbol"], row["symbol"], "USDC")
        assert item.upstream_id == str(row["market_id"])
        assert item.active == (row["status"] == "active")
        assert (item.kind, item.margin, item.underlying, item.funding_interval_hours) == ("perp", "stable", "coin", 1)
        assert (item.contract_size, item.multiplier, item.oi_sides, item.listed_at) == (1, 1, None, None)


def test_open_interest(recorded: Any) -> None:
    body = recorded.body("orderBookDetails_ETH_2026-05-05.json")
    items = recorded.read(body, "open_interest", "market")
    for row, item in zip(body["order_book_details"], items, strict=True):
        assert (item.symbol, item.time, item.oi_base) == (row["symbol"], ASKED, row["open_interest"])
        assert item.oi_usd == pytest.approx(row["open_interest"] * row["last_trade_price"])


def test_open_interest_is_of_the_size_that_the_websocket_tells_in_usd(recorded: Any) -> None:
    """Half a year apart, but the same market: 64.6 million USD in coins, 122.7 million as told in USD."""
    told = recorded.body("ws_market_stats_ETH_2025-11-19.json")["market_stats"]
    [item] = recorded.read(recorded.body("orderBookDetails_ETH_2026-05-05.json"), "open_interest", "market")
    assert 1 / 3 < item.oi_usd / float(told["open_interest"]) < 3


def test_settlements(recorded: Any, ms: Any) -> None:
    body = recorded.body("fundings_ETH_2026-05-13.json")
    items = recorded.read(body, "funding", "instrument", symbol="ETH")
    assert [(item.symbol, ms(item.time), item.rate, item.interval_hours) for item in items] == [
        ("ETH", row["timestamp"] * 1000, float(Decimal(row["rate"]) / 100 * SIGN[row["direction"]]), None)
        for row in body["fundings"]
    ]


def test_the_rate_times_the_price_is_the_money_that_was_paid(recorded: Any) -> None:
    """That ETH was at 2,264 USD two days later shows the scale: a fraction of one hour."""
    body = recorded.body("fundings_ETH_2026-05-13.json")
    items = recorded.read(body, "funding", "instrument", symbol="ETH")
    prices = [float(row["value"]) / abs(item.rate) for row, item in zip(body["fundings"], items, strict=True)]
    assert prices == pytest.approx([2256.56, 2263.89], abs=0.005)


def test_estimates(recorded: Any) -> None:
    body = recorded.body("funding-rates_sample_2025.json")
    items = recorded.read(body, "predicted_funding", "market")
    for row, item in zip(body["funding_rates"], items, strict=True):
        assert (item.symbol, item.time, item.interval_hours) == (row["symbol"], ASKED, 1)
        assert item.rate == pytest.approx(row["rate"] / 8, rel=1e-15)
        assert item.for_time == ASKED + timedelta(minutes=30)


def test_an_estimate_is_of_the_scale_that_the_websocket_tells_in_percent(recorded: Any) -> None:
    [item] = recorded.read(recorded.body("funding-rates_sample_2025.json"), "predicted_funding", "market")
    told = recorded.body("ws_market_stats_ETH_2025-11-19.json")["market_stats"]
    assert item.rate == pytest.approx(float(told["current_funding_rate"]) / 100)


def test_what_was_paid_is_stamped_with_the_full_hour(recorded: Any) -> None:
    for name in ("ws_market_stats_ETH_2025-11-19.json", "ws_market_stats_BTC_2026-06-04.json"):
        stats = recorded.body(name)["market_stats"]
        assert stats["funding_timestamp"] % 3_600_000 < 1000
    for row in recorded.body("fundings_ETH_2026-05-13.json")["fundings"]:
        assert row["timestamp"] % 3600 == 0


def test_candles(recorded: Any, ms: Any) -> None:
    body = recorded.body("candles_ETH_1m_2026-01-06.json")
    items = recorded.read(body, "candles_1m", "instrument", symbol="ETH")
    for row, item in zip(body["c"], items, strict=True):
        assert (item.symbol, ms(item.time), item.interval) == ("ETH", row["t"], timedelta(minutes=1))
        assert [item.open, item.high, item.low, item.close] == [row[key] for key in "ohlc"]
        assert [item.volume_base, item.volume_usd] == [row["v"], row["V"]]
        assert item.low <= item.volume_usd / item.volume_base <= item.high


def test_no_candles_are_an_answer(recorded: Any) -> None:
    body = recorded.body("UNVERIFIED_candles_null.json")
    assert recorded.read(body, "candles_1m", "instrument", symbol="ETH") == []
    with pytest.raises(ValidationError):
        recorded.read(body, "candles_1h", "instrument", symbol="ETH")


@pytest.mark.parametrize("dataset", ["instruments", "open_interest", "predicted_funding"])
@pytest.mark.parametrize("name", ["orderBooks", "orderBookOrders", "recentTrades"])
def test_other_answers_are_refused(recorded: Any, name: str, dataset: str) -> None:
    with pytest.raises(ValidationError):
        recorded.read(recorded.body(f"{name}_ETH_2026-05-05.json"), dataset, "market")


@pytest.mark.parametrize("name", ["derived_hourly_funding_2026-02-03.csv", "derived_market_history_2026-01.csv"])
def test_every_market_that_was_seen_is_of_an_entity_of_its_kind(recorded: Any, name: str) -> None:
    symbols = set(column(recorded, name, "symbol"))
    assert len(symbols) > 80
    for symbol in symbols:
        entity = ENTITIES[ALIASES["lighter", "symbol", symbol]["canonical_id"]]
        assert underlying(symbol) == KIND.get(entity["type"], "coin"), symbol


def column(recorded: Any, name: str, column: str) -> list[str]:
    with (recorded.folder / name).open() as file:
        return [row[column] for row in csv.DictReader(file)]


def test_paid_rates_in_percent_are_of_the_scale_that_the_websocket_showed(recorded: Any) -> None:
    """The common value of a quiet market: 0.0012 percent there is 0.000012 here."""
    paid = column(recorded, "derived_hourly_funding_2026-02-03.csv", "rate_percent_per_hour_UNSIGNED")
    shown = column(recorded, "derived_market_history_2026-01.csv", "avg_funding_rate")
    assert min(map(float, paid)) == 0 > min(map(float, shown))
    [(percent, _)], [(fraction, _)] = (
        Counter(paid).most_common(1),
        Counter(round(float(r), 9) for r in shown).most_common(1),
    )
    assert (percent, fraction) == ("0.0012", 0.000012)
