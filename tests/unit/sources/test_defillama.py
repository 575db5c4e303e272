"""DefiLlama: every metric it is known to tell, from a body of the documented shape."""

from datetime import timedelta
from typing import Any

import pytest

from app.ingest.sources.defillama import metrics, naming
from app.records import SourceAsset
from tests.defillama import (
    ASSETS,
    CHANGES,
    DAY,
    FIELDS,
    NOW,
    PAST,
    SOURCE,
    SUMS,
    TODAY,
    bads,
    batch,
    market,
    overview,
    protocol,
    read,
    told,
    window,
)

FAMILIES = [
    ("fees", None, "FEES", "FEES", {}),
    ("fees", "dailyRevenue", "REVENUE", "REVENUE", {"EARNINGS": 24.5}),
    ("fees", "dailyHoldersRevenue", "HOLDERS_REVENUE", "HOLDERS_REVENUE", {}),
    ("fees", "dailySupplySideRevenue", "SUPPLY_SIDE_REVENUE", "SUPPLY_SIDE_REVENUE", {}),
    ("fees", "dailyProtocolRevenue", "PROTOCOL_REVENUE", "PROTOCOL_REVENUE", {}),
    ("fees", "dailyUserFees", "USER_FEES", "USER_FEES", {}),
    ("dexs", None, "DEX_VOLUME", "DEX", {}),
    ("derivatives", None, "DERIVATIVES_VOLUME", "DERIVATIVES", {}),
    ("options", "dailyNotionalVolume", "OPTIONS_VOLUME", "OPTIONS", {"OPTIONS_NOTIONAL_24H": 24.5}),
    ("options", "dailyPremiumVolume", "OPTIONS_PREMIUM", "OPTIONS_PREMIUM", {}),
    ("aggregators", None, "AGGREGATOR_VOLUME", "AGGREGATOR", {}),
]
CHAIN_FAMILIES = [
    ("CHAIN_FEES", "CHAIN_FEES"),
    ("CHAIN_REVENUE", "CHAIN_REVENUE"),
    ("CHAIN_DEX_VOLUME", "CHAIN_DEX"),
    ("CHAIN_PERPS_VOLUME", "CHAIN_PERPS"),
    ("CHAIN_OPTIONS_VOLUME", "CHAIN_OPTIONS"),
]


def named(name: str, changes: str) -> dict[str, float]:
    sums = {f"{name}_{suffix}": value for suffix, value in SUMS.items()}
    return sums | {f"{changes}_CHANGE_{suffix}": value for suffix, value in CHANGES.items()}


@pytest.mark.parametrize(("kind", "data_type", "name", "changes", "also"), FAMILIES)
def test_overviews_tell_all_fields_of_a_family(
    kind: str, data_type: str | None, name: str, changes: str, also: dict[str, float]
) -> None:
    feed = market(f"/overview/{kind}", data_type)
    items = read(feed, overview(protocol("foo", **FIELDS)), window())
    assert told(items) == named(name, changes) | also
    assert not bads(items)
    assert {(item.id_type, item.id, item.time) for item in items} == {("protocol_slug", "foo", TODAY)}


@pytest.mark.parametrize(("kind", "data_type", "name", "changes", "also"), FAMILIES[:6])
def test_what_a_chain_takes_is_never_a_series_of_what_a_protocol_takes(
    kind: str, data_type: str | None, name: str, changes: str, also: dict[str, float]
) -> None:
    """Hyperliquid and four others are both, and one entity: under one name the last that is told would win."""
    chain = {**protocol("hyperliquid-l1", **FIELDS), "displayName": "Hyperliquid L1", "protocolType": "chain"}
    of_protocol = protocol("hyperliquid-perps", parentProtocol="parent#hyperliquid", total24h=3.5)
    rows = overview({**chain, "parentProtocol": "parent#hyperliquid"}, of_protocol)
    items = read(market(f"/overview/{kind}", data_type), rows, window())
    assert told(items, "Hyperliquid L1") == named(f"CHAIN_GAS_{name}", f"CHAIN_GAS_{changes}")
    assert told(items, "hyperliquid") == {f"{name}_24H": 3.5} | dict.fromkeys(also, 3.5)


@pytest.mark.parametrize("what", ["FEES", "REVENUE"])
def test_history_of_a_chain_is_another_series_than_that_of_a_protocol(what: str) -> None:
    chart = {"totalDataChart": [[int((TODAY - DAY).timestamp()), 5.5]]}
    asked = window("Hyperliquid L1", column=f"CHAIN_GAS_{what}", live=False)
    feed = batch(f"CHAIN_GAS_{what}", "chain_name")
    assert feed.request(asked).path == "/summary/fees/hyperliquid-l1"
    assert told(read(feed, chart, asked)) == {f"CHAIN_GAS_{what}": 5.5}
    plan = [piece for each in SOURCE.feeds if each.pieces for piece in each.pieces(PAST)]
    assert {piece.subjects[0] for piece in plan if piece.columns == (what,)} == set(ASSETS["protocol_slug"])


@pytest.mark.parametrize(("name", "changes"), CHAIN_FAMILIES)
def test_an_overview_of_a_chain_tells_its_totals(name: str, changes: str) -> None:
    feed = batch(name, "chain_name", live=True)
    body = {**overview(protocol("foo", total24h=5)), "chain": "Hyperliquid L1", **FIELDS}
    asked = window("Hyperliquid L1", column=name)
    items = read(feed, body, asked)
    assert told(items) == named(name, changes)
    assert {(item.id_type, item.id, item.time) for item in items} == {("chain_name", "Hyperliquid L1", TODAY)}
    assert feed.request(asked).path.endswith("/Hyperliquid%20L1")
    assert dict(feed.request(asked).params)["excludeTotalDataChart"] == "true"


def test_protocols_tell_what_is_locked() -> None:
    row = {
        "slug": "foo",
        "name": "Foo",
        "symbol": "FOO",
        "gecko_id": "foo-coin",
        "tvl": 100.5,
        "chainTvls": {"Base": 100.5, "Base-borrowed": 9, "staking": 1.5, "pool2": 2.5, "borrowed": 9.5},
        "change_1h": 0.1,
        "change_1d": -0.2,
        "change_7d": 0.3,
        "mcap": 12345,
        "fdv": 23456,
    }
    items = read(market("/protocols"), [row], window())
    assert items[0] == SourceAsset("protocol_slug", "foo", "Foo", "FOO", "foo-coin")
    assert told(items) == {
        "TVL": 100.5,
        "STAKING": 1.5,
        "POOL2": 2.5,
        "BORROWED": 9.5,
        "CHANGE_1H": 0.1,
        "CHANGE_1D": -0.2,
        "CHANGE_7D": 0.3,
    }


def test_chains_tell_what_is_locked() -> None:
    row = {"name": "OP Mainnet", "tvl": 5.5, "tokenSymbol": "OP", "gecko_id": "optimism", "chainId": 10}
    items = read(market("/v2/chains"), [row], window())
    assert items[0] == SourceAsset("chain_name", "OP Mainnet", "OP Mainnet", "OP", "optimism")
    assert told(items) == {"CHAIN_TVL": 5.5}


def test_stablecoins_tell_supply_by_whatever_peg_and_price() -> None:
    row = {
        "id": "199",
        "name": "Celo Real",
        "symbol": "CREAL",
        "gecko_id": "celo-real-creal",
        "pegType": "peggedREAL",
        "circulating": {"peggedREAL": 10.5},
        "circulatingPrevDay": {"peggedREAL": 9.5},
        "circulatingPrevWeek": {"peggedREAL": 8.5},
        "circulatingPrevMonth": {"peggedREAL": 0},
        "price": 0.19,
    }
    items = read(market("/stablecoins"), {"peggedAssets": [row]}, window())
    assert items[0] == SourceAsset("stablecoin_id", "199", "Celo Real", "CREAL", "celo-real-creal")
    assert told(items) == {
        "STABLECOIN_SUPPLY": 10.5,
        "STABLECOIN_SUPPLY_PREV_DAY": 9.5,
        "STABLECOIN_SUPPLY_PREV_WEEK": 8.5,
        "STABLECOIN_SUPPLY_PREV_MONTH": 0,
        "STABLECOIN_PRICE": 0.19,
    }


def test_bridges_tell_volume_of_complete_days() -> None:
    volumes = {"lastDailyVolume": 1.5, "weeklyVolume": 7.5, "monthlyVolume": 30.5, "currentDayVolume": 9}
    row = {"id": 77, "name": "wormhole", "displayName": "Wormhole", **volumes}
    items = read(market("/bridges"), {"bridges": [row]}, window())
    assert items[0] == SourceAsset("bridge_id", "77", "Wormhole")
    assert told(items) == {"BRIDGE_VOLUME_24H": 1.5, "BRIDGE_VOLUME_7D": 7.5, "BRIDGE_VOLUME_30D": 30.5}


def test_open_interest_stands_where_volumes_have_their_total() -> None:
    items = read(market("/overview/open-interest"), overview(protocol("foo", **FIELDS)), window())
    changes = {f"OPEN_INTEREST_CHANGE_{suffix}": value for suffix, value in CHANGES.items()}
    assert told(items) == {"OPEN_INTEREST": 24.5} | changes


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (-160.5, {"INFLOW": 0.0, "OUTFLOW": 160.5}),
        ("40.25", {"INFLOW": 40.25, "OUTFLOW": 0.0}),
        (0, {"INFLOW": 0.0, "OUTFLOW": 0.0}),
        (None, {}),
    ],
)
def test_outflows_upstream_are_the_net_flow(net: Any, expected: dict[str, float]) -> None:
    feed = batch("INFLOW", "protocol_slug", live=True)
    assert told(read(feed, {"outflows": net}, window("lido", column="INFLOW"))) == expected
    asked = feed.request(window("lido", column="INFLOW")).path
    assert asked == f"/inflows/lido/{int((NOW - DAY).timestamp())}"


HISTORY = [
    ("CHAIN_TVL", "chain_name", lambda points: [{"date": date, "tvl": n} for date, n in points]),
    *((name, "chain_name", None) for name, _ in CHAIN_FAMILIES),
    ("CHAIN_GAS_FEES", "chain_name", None),
    ("CHAIN_GAS_REVENUE", "chain_name", None),
    ("TVL", "protocol_slug", lambda points: {"tvl": [{"date": d, "totalLiquidityUSD": n} for d, n in points]}),
    *((name, "protocol_slug", None) for _, _, name, _, _ in FAMILIES),
    (
        "STABLECOIN_SUPPLY",
        "stablecoin_id",
        lambda points: [{"date": str(d), "totalCirculatingUSD": {"peggedVAR": n}} for d, n in points],
    ),
    (
        "BRIDGE_VOLUME",
        "bridge_id",
        lambda points: [{"date": str(d), "depositUSD": n * 2, "withdrawUSD": 0} for d, n in points],
    ),
]


@pytest.mark.parametrize(("column", "id_type", "body"), HISTORY)
def test_history_tells_whole_days(column: str, id_type: str, body: Any) -> None:
    days = [TODAY - n * DAY for n in (2, 1, 0)]
    points = [(int(day.timestamp()), n) for day, n in zip(days, (5.5, 0, 7.5), strict=True)]
    points.append((int(NOW.timestamp()), 8.5))
    feed = batch(column, id_type)
    [subject, *_] = ASSETS[id_type]
    chart = body(points) if body else {"totalDataChart": [list(point) for point in points]}
    items = [item for item in read(feed, chart, window(subject, column=column, live=False)) if item]
    expected = [(column, days[0], 5.5), (column, days[1], 0.0)]
    if column == "REVENUE":
        expected = [each for name, *rest in expected for each in ((name, *rest), ("EARNINGS", *rest))]
    assert [(item.metric.name, item.time, item.value) for item in items] == expected
    assert {(item.id_type, item.id) for item in items} == {(id_type, subject)}
    request = feed.request(window(subject, column=column, live=False))
    assert "excludeTotalDataChart" not in dict(request.params)


@pytest.mark.parametrize(("column", "id_type", "body"), HISTORY)
def test_history_keeps_the_times_that_are_told(column: str, id_type: str, body: Any) -> None:
    """Two of one day are two, and what was last updated in the running day is not of a whole one."""
    yesterday = TODAY - DAY
    times = [yesterday, yesterday + timedelta(hours=13, seconds=5), TODAY + timedelta(seconds=1)]
    points = [(int(time.timestamp()), n) for time, n in zip(times, (5.5, 6.5, 7.5), strict=True)]
    chart = body(points) if body else {"totalDataChart": [list(point) for point in points]}
    items = read(batch(column, id_type), chart, window(ASSETS[id_type][0], column=column, live=False))
    found = [(item.time, item.value) for item in items if item.metric.name == column]
    assert found == [(times[0], 5.5), (times[1], 6.5)]


def test_all_that_is_told_is_in_the_catalogue_with_its_meaning() -> None:
    catalogue = {metric.name: metric for metric in SOURCE.metrics}
    assert len(catalogue) == len(SOURCE.metrics)
    for family in (*metrics.PROTOCOLS, *metrics.CHAIN_GAS.values(), *metrics.CHAINS):
        for metric in (family.day, *(each.metric for each in naming.numbers_of(family, FIELDS))):
            assert catalogue[metric.name] == metric
    for name, canonical, unit, covers, signed in (
        ("FEES_24H", "FEES", "USD", "24h", False),
        ("FEES", "FEES", "USD", "day", False),
        ("CHAIN_GAS_FEES", "CHAIN_GAS_FEES", "USD", "day", False),
        ("CHAIN_GAS_FEES_24H", "CHAIN_GAS_FEES", "USD", "24h", False),
        ("CHAIN_GAS_REVENUE", "CHAIN_GAS_REVENUE", "USD", "day", True),
        ("REVENUE_24H", "REVENUE", "USD", "24h", True),
        ("FEES_ALL_TIME", "FEES_ALL_TIME", "USD", "all", False),
        ("DEX_CHANGE_7D_OVER_7D", "DEX_VOLUME_CHANGE_7D_OVER_7D", "percent", "7d", True),
        ("DERIVATIVES_VOLUME_30D", "PERP_VOLUME_30D", "USD", "30d", False),
        ("FEES_48H_TO_24H", "FEES_48H_TO_24H", "USD", "24h", False),
        ("FEES_AVERAGE_1Y", "FEES_AVERAGE_1Y", "USD", "1y", False),
        ("FEES_CHANGE_1M", "FEES_CHANGE_1M", "percent", "30d", True),
        ("CHANGE_1H", "TVL_CHANGE_1H", "percent", "1h", True),
        ("TVL", "TVL", "USD", "instant", False),
        ("EARNINGS", "EARNINGS", "USD", "24h", True),
        ("INFLOW", "INFLOW", "USD", "24h", False),
        ("STABLECOIN_SUPPLY", "STABLECOIN_SUPPLY", "USD", "instant", False),
        ("BRIDGE_VOLUME_24H", "BRIDGE_VOLUME", "USD", "24h", False),
    ):
        metric = catalogue[name]
        assert (metric.canonical, metric.unit, metric.covers, metric.signed) == (canonical, unit, covers, signed)
    assert "token incentives are not taken off" in catalogue["EARNINGS"].about
    assert "CHAIN_GAS_FEES" in catalogue["CHAIN_FEES"].about
    assert "gas" in catalogue["CHAIN_GAS_FEES"].about
    domains = {"DEX_VOLUME_7D": "trading", "OPEN_INTEREST": "derivative", "OPTIONS_PREMIUM_24H": "options"}
    assert {name: catalogue[name].domain for name in domains} == domains
