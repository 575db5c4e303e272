"""Recorded answers of DefiLlama, checked value by value."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from app.records import MetricValue, SourceAsset
from tests.defillama import (
    DAY,
    LIVE,
    PAST,
    SOURCE,
    TODAY,
    bads,
    batch,
    market,
    read,
    told,
    window,
)


def test_recorded_chains(recorded: Any) -> None:
    body = recorded.body("v2_chains_2026-10-08_part1.json")
    items = read(market("/v2/chains"), body, window())
    assert {i.id: i.value for i in items if isinstance(i, MetricValue)} == {row["name"]: row["tvl"] for row in body}
    listed = {i.id: (i.ticker, i.coingecko_id) for i in items if isinstance(i, SourceAsset)}
    assert listed == {
        row["name"]: (None if row["tokenSymbol"] == "-" else row["tokenSymbol"], row["gecko_id"]) for row in body
    }
    assert len(items) == 2 * 58


def test_recorded_protocols(recorded: Any) -> None:
    body = recorded.body("protocols_2026-10-08_okx_lido_aave-v3.json")
    items = read(market("/protocols"), body, window())
    for row in body:
        expected = {"TVL": row["tvl"], **{f"CHANGE_{s.upper()}": row[f"change_{s}"] for s in ("1h", "1d", "7d")}}
        extra = {"BORROWED": row["chainTvls"]["borrowed"]} if "borrowed" in row["chainTvls"] else {}
        assert told(items, row["slug"]) == expected | extra
        plain = [n for key, n in row["chainTvls"].items() if key != "borrowed" and "-" not in key]
        assert sum(plain) == pytest.approx(told(items, row["slug"])["TVL"])
    assert told(items, "aave") == {"TVL": body[2]["tvl"], "BORROWED": body[2]["chainTvls"]["borrowed"]}
    listed = {i.id: i.coingecko_id for i in items if isinstance(i, SourceAsset)}
    assert listed == {"okx": "okb", "lido": "lido-dao", "aave-v3": None, "aave": None}


def test_recorded_overview_of_a_chain(recorded: Any) -> None:
    body = recorded.body("overview_fees_Arc_2026-10-08.json")
    now = told(read(batch("CHAIN_FEES", "chain_name", live=True), body, window("Arc", column="CHAIN_FEES")))
    numbers = {key: value for key, value in body.items() if isinstance(value, int | float)}
    assert sorted(now.values()) == sorted(numbers.values())
    assert now["CHAIN_FEES_24H"] == 161595.44
    assert now["CHAIN_FEES_CHANGE_1M"] == 1584.13
    asked = window("Arc", column="CHAIN_FEES", live=False)
    past = [item for item in read(batch("CHAIN_FEES", "chain_name"), body, asked) if item]
    assert [(int(i.time.timestamp()), i.value) for i in past] == [tuple(p) for p in body["totalDataChart"][:-1]]
    assert past[-1].value == body["total48hto24h"]
    assert past[-1].time == TODAY - DAY


def test_recorded_rows_of_an_overview(recorded: Any) -> None:
    body = recorded.body("overview_fees_Arc_2026-10-08.json")
    items = read(market("/overview/fees"), body, window())
    _, row = body["protocols"]
    uniswap = told(items, "uniswap-v2")
    assert uniswap["FEES_24H"] == row["total24h"]
    assert uniswap["FEES_ANNUALIZED_1Y"] == row["annualized1y"]
    assert uniswap["FEES_MONTHLY_AVERAGE_1Y"] == row["monthlyAverage1y"]
    assert uniswap["FEES_CHANGE_7D_OVER_7D"] == row["change_7dover7d"]
    assert told(items, "uniswap")["FEES_30D"] == row["total30d"]
    assert told(items, "sushiswap")["FEES_24H"] == 0
    assert not bads(items)
    perpetuals = recorded.body("oas_2025-07_overview_derivatives.json")
    traded = read(market("/overview/derivatives"), perpetuals, window())
    assert told(traded, "synthetix-v1+v2")["DERIVATIVES_VOLUME_24H"] == perpetuals["protocols"][0]["total24h"]
    assert told(traded, "synthetix")["DERIVATIVES_VOLUME_ALL_TIME"] == 55654843707


@pytest.mark.parametrize(("kind", "column"), [("derivatives", "DERIVATIVES_VOLUME"), ("fees", "FEES")])
def test_recorded_summary(recorded: Any, kind: str, column: str) -> None:
    body = recorded.body(f"oas_2025-07_summary_{kind}_hyperliquid.json")
    asked = window("hyperliquid", column=column, live=False)
    items = read(batch(column, "protocol_slug"), body, asked)
    assert [[int(i.time.timestamp()), i.value] for i in items] == body["totalDataChart"]
    assert {i.metric.name for i in items} == {column}


def test_recorded_history_of_a_protocol(recorded: Any) -> None:
    """The recording was cut to one chain, without the sum over chains: here that chain stands for the sum."""
    body = recorded.body("protocol_aevo-perps_2026-10-08.json")
    with pytest.raises(ValidationError):
        read(batch("TVL", "protocol_slug"), body, window("aevo-perps", column="TVL", live=False))
    points = body["chainTvls"]["Arbitrum"]["tvl"]
    items = read(batch("TVL", "protocol_slug"), {**body, "tvl": points}, window("aevo-perps", column="TVL", live=False))
    assert [(int(i.time.timestamp()), i.value) for i in items] == [(p["date"], p["totalLiquidityUSD"]) for p in points]
    assert len(items) == 110


def test_recorded_history_of_what_is_locked(recorded: Any) -> None:
    body = recorded.body("v2_historicalChainTvl_2018_on.json")
    items = read(batch("CHAIN_TVL", "chain_name"), body, window("Ethereum", column="CHAIN_TVL", live=False))
    assert [(int(i.time.timestamp()), i.value) for i in items] == [(row["date"], row["tvl"]) for row in body]
    assert all(b.time - a.time == DAY for a, b in pairwise(items[:500]))


def test_recorded_stablecoins_and_bridges(recorded: Any) -> None:
    tether = recorded.body("stablecoins_2026-10-08_tether.json")
    items = read(market("/stablecoins"), tether, window())
    assert told(items)["STABLECOIN_SUPPLY"] == tether["peggedAssets"][0]["circulating"]["peggedUSD"]
    assert told(items)["STABLECOIN_SUPPLY_PREV_MONTH"] == 183330310312.5871
    synapse = read(market("/bridges"), recorded.body("bridges_2024_synapse.json"), window())
    assert told(synapse, "11") == {
        "BRIDGE_VOLUME_24H": 86447533.5,
        "BRIDGE_VOLUME_7D": 270726860.5,
        "BRIDGE_VOLUME_30D": 1043383077,
    }
    volume = recorded.body("bridgevolume_Ethereum_id5_2022-10-22.json")
    [day] = read(batch("BRIDGE_VOLUME", "bridge_id"), volume, window("5", column="BRIDGE_VOLUME", live=False))
    assert (day.time, day.value) == (datetime(2022, 10, 22, tzinfo=UTC), (2769237 + 4515497) / 2)


def test_recorded_flows(recorded: Any) -> None:
    body = recorded.body("oas_2025-07_inflows_compound-v3.json")
    items = read(batch("INFLOW", "protocol_slug", live=True), body, window("compound-v3", column="INFLOW"))
    assert told(items) == {"INFLOW": 0, "OUTFLOW": 160563462.23474675}


@pytest.mark.parametrize(
    "name",
    [
        "bridge_1_polygon_2024.json",
        "oas_2025-07_bridge_id.json",
        "coins_batchHistorical.json",
        "coins_percentage.json",
        "coins_prices_historical_1648680149.json",
        "oas_2025-07_yields_perps.json",
        "stablecoinchains_2024.json",
    ],
)
def test_answers_of_endpoints_that_are_not_asked_pass_for_nothing_else(recorded: Any, name: str) -> None:
    """Prices come from elsewhere, one bridge has what the list has, perpetuals tell no unit, chains no id of a coin.

    Of a bridge and of perpetuals the numbers are those of the lists, so nothing is lost; here none of these bodies may
    pass for an answer that is asked for.
    """
    body = recorded.body(name)
    for feed in SOURCE.feeds:
        pieces = feed.pieces(LIVE if not feed.history else PAST) if feed.pieces else [window()]
        try:
            items = read(feed, body, next(iter(pieces)))
        except ValidationError:
            continue
        assert not [item for item in items if isinstance(item, MetricValue)], feed
