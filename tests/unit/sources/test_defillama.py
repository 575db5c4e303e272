"""DefiLlama: every metric of the notes from a body of its shape, recorded answers, parents, and where the key goes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.ingest.sources import load
from app.ingest.sources.defillama import PRO, metrics, naming
from app.ingest.spec import Aim, Bad, Feed, Window, get
from app.records import MetricValue, SourceAsset
from tests.conftest import shared

SOURCE = load(["defillama"])["defillama"]
NOW = datetime(2026, 10, 8, 14, 5, tzinfo=UTC)
TODAY, DAY = datetime(2026, 10, 8, tzinfo=UTC), timedelta(days=1)
BEGIN = datetime(2017, 1, 1, tzinfo=UTC)
ASSETS = {
    "chain_name": ("Ethereum", "Hyperliquid L1"),
    "protocol_slug": ("aave", "lido"),
    "stablecoin_id": ("1", "52"),
    "bridge_id": ("11",),
}
PAST = Aim(BEGIN, TODAY, live=False, assets=ASSETS, keyed=True)
LIVE = Aim(NOW, NOW, live=True, assets=ASSETS, keyed=True)


def window(*subjects: str, column: str = "", live: bool = True) -> Window:
    start, end = (NOW, NOW) if live else (BEGIN, TODAY)
    return Window(start, end, subjects=subjects, columns=(column,) if column else ())


def market(path: str, data_type: str | None = None) -> Feed:
    """The feed that asks for this of all."""
    [feed] = [
        feed
        for feed in SOURCE.feeds
        if feed.scope == "market"
        and (request := feed.request(window())).path == path
        and dict(request.params).get("dataType") == data_type
    ]
    return feed


def batch(column: str, id_type: str, *, live: bool = False) -> Feed:
    """The feed that asks for this of one thing."""
    aim = LIVE if live else PAST
    asked = [(feed, piece) for feed in SOURCE.feeds if feed.pieces for piece in feed.pieces(aim)]
    ours = [feed for feed, piece in asked if piece.columns == (column,) and piece.subjects[0] in ASSETS[id_type]]
    assert ours
    assert all(feed is ours[0] for feed in ours)
    return ours[0]


def read(feed: Feed, body: Any, asked: Window) -> list[Any]:
    return list(feed.rows(TypeAdapter(feed.answer).validate_python(body), asked))


def told(items: list[Any], id: str | None = None) -> dict[str, float]:
    """Values by name of metric; each only once."""
    values = [item for item in items if isinstance(item, MetricValue) and id in (None, item.id)]
    named = {item.metric.name: item.value for item in values}
    assert len(named) == len(values)
    return named


def bads(items: list[Any]) -> list[tuple[str | None, str]]:
    return [(item.symbol, item.code) for item in items if isinstance(item, Bad)]


# The table of the notes, metric by metric.

FIELDS = {
    "total24h": 24.5,
    "total48hto24h": 48.5,
    "total7d": 7.5,
    "total14dto7d": 14.5,
    "total30d": 30.5,
    "total60dto30d": 60.5,
    "total1y": 1.5,
    "totalAllTime": 99.5,
    "total7DaysAgo": 77.5,
    "total30DaysAgo": 33.5,
    "average1y": 2.5,
    "monthlyAverage1y": 3.5,
    "annualized1y": 4.5,
    "change_1d": -1.25,
    "change_7d": -7.25,
    "change_1m": -30.25,
    "change_7dover7d": 7.25,
    "change_30dover30d": 30.25,
}
SUMS = {
    "24H": 24.5,
    "48H_TO_24H": 48.5,
    "7D": 7.5,
    "14D_TO_7D": 14.5,
    "30D": 30.5,
    "60D_TO_30D": 60.5,
    "1Y": 1.5,
    "ALL_TIME": 99.5,
    "7_DAYS_AGO": 77.5,
    "30_DAYS_AGO": 33.5,
    "AVERAGE_1Y": 2.5,
    "MONTHLY_AVERAGE_1Y": 3.5,
    "ANNUALIZED_1Y": 4.5,
}
CHANGES = {"1D": -1.25, "7D": -7.25, "1M": -30.25, "7D_OVER_7D": 7.25, "30D_OVER_30D": 30.25}
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


def overview(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return {"chain": None, "allChains": ["Ethereum"], "total24h": 1, "totalDataChart": [], "protocols": list(rows)}


def protocol(slug: str, **numbers: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug, "displayName": slug.title(), "protocolType": "protocol", **numbers}


@pytest.mark.parametrize(("kind", "data_type", "name", "changes", "also"), FAMILIES)
def test_overviews_tell_all_fields_of_a_family(
    kind: str, data_type: str | None, name: str, changes: str, also: dict[str, float]
) -> None:
    feed = market(f"/overview/{kind}", data_type)
    items = read(feed, overview(protocol("foo", **FIELDS)), window())
    assert told(items) == named(name, changes) | also
    assert not bads(items)
    assert {(item.id_type, item.id, item.time) for item in items} == {("protocol_slug", "foo", TODAY)}


@pytest.mark.parametrize(("name", "changes"), CHAIN_FAMILIES)
def test_an_overview_of_a_chain_tells_its_totals(name: str, changes: str) -> None:
    feed = batch(name, "chain_name", live=True)
    body = {**overview(protocol("foo", total24h=5)), "chain": "Hyperliquid L1", **FIELDS}
    items = read(feed, body, window("Hyperliquid L1", column=name))
    assert told(items) == named(name, changes)
    assert {(item.id_type, item.id, item.time) for item in items} == {("chain_name", "Hyperliquid L1", TODAY)}
    request = feed.request(window("Hyperliquid L1", column=name))
    assert request.path.endswith("/Hyperliquid%20L1")
    assert dict(request.params)["excludeTotalDataChart"] == "true"


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
    row = {"id": 77, "name": "wormhole", "displayName": "Wormhole", "currentDayVolume": 9}
    volumes = {"lastDailyVolume": 1.5, "weeklyVolume": 7.5, "monthlyVolume": 30.5}
    items = read(market("/bridges"), {"bridges": [row | volumes]}, window())
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
    ("FEES", "chain_name", None),
    ("REVENUE", "chain_name", None),
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


def test_all_that_is_told_is_in_the_catalogue_with_its_meaning() -> None:
    catalogue = {metric.name: metric for metric in SOURCE.metrics}
    assert len(catalogue) == len(SOURCE.metrics)
    for family in (*metrics.PROTOCOLS, *metrics.CHAINS):
        for told in (family.day, *(each.metric for each in naming.numbers_of(family, FIELDS))):
            assert catalogue[told.name] == told
    for name, canonical, unit, covers, signed in (
        ("FEES_24H", "FEES", "USD", "24h", False),
        ("FEES", "FEES", "USD", "day", False),
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
    assert "gas" in catalogue["CHAIN_FEES"].about
    assert catalogue["DEX_VOLUME_7D"].domain == "trading"
    assert catalogue["OPEN_INTEREST"].domain == "derivative"
    assert catalogue["OPTIONS_PREMIUM_24H"].domain == "options"


@pytest.mark.parametrize(
    ("key", "name", "covers"),
    [
        ("total90d", "FEES_90D", "90d"),
        ("total12h", "FEES_12H", "12h"),
        ("average30d", "FEES_AVERAGE_30D", "30d"),
        ("annualized30d", "FEES_ANNUALIZED_30D", "30d"),
        ("change_90dover90d", "FEES_CHANGE_90D_OVER_90D", "90d"),
        ("total2yto1y", "FEES_2Y_TO_1Y", "1y"),
    ],
)
def test_a_field_that_is_new_upstream_is_a_metric_at_once(key: str, name: str, covers: str) -> None:
    assert name not in {metric.name for metric in SOURCE.metrics}
    items = read(market("/overview/fees"), overview(protocol("foo", **{key: 12.5})), window())
    assert told(items) == {name: 12.5}
    assert items[0].metric.covers == covers


def test_what_is_no_number_of_a_family_makes_no_metric() -> None:
    others = {"totalDataChart": [], "total": 4, "breakdown24h": {"a": 1}, "defillamaId": "119", "changes": 3}
    assert read(market("/overview/fees"), overview(protocol("foo", **others)), window()) == []


# Bad fields and rows.


@pytest.mark.parametrize(
    ("raw", "code"),
    [("NaN", "not_finite"), ("n/a", "unreadable"), (True, "unreadable"), ([1], "unreadable"), (-1, "negative")],
)
def test_a_bad_field_costs_only_itself(raw: Any, code: str) -> None:
    items = read(market("/overview/fees"), overview(protocol("foo", total24h=raw, total7d="7.5", total30d=0)), window())
    assert told(items) == {"FEES_7D": 7.5, "FEES_30D": 0}
    assert bads(items) == [("foo", code)]


def test_what_is_missing_is_nothing() -> None:
    rows = [protocol("foo", total24h=None, total7d=""), protocol("bar")]
    assert read(market("/overview/fees"), overview(*rows), window()) == []
    row = {"slug": "foo", "name": "Foo", "tvl": None, "change_1d": None}
    assert told(read(market("/protocols"), [row], window())) == {}


@pytest.mark.parametrize("row", [None, "row", [], {}, {"slug": 7}, {"slug": None, "name": "Foo", "tvl": 5}])
def test_a_bad_row_costs_only_itself(row: Any) -> None:
    good = {"slug": "foo-v1", "name": "Foo V1", "tvl": 1.5, "parentProtocolSlug": "foo"}
    items = read(market("/protocols"), [good, row], window())
    assert told(items, "foo-v1") == told(items, "foo") == {"TVL": 1.5}


def test_a_label_that_cannot_be_read_costs_no_number() -> None:
    items = read(market("/protocols"), [{"slug": "foo", "name": ["Foo"], "tvl": 1.5}], window())
    assert told(items) == {"TVL": 1.5}
    assert bads(items) == [("foo", "unreadable")]


def test_extras_of_chains_are_not_locked() -> None:
    amounts = {"Base": 1.5, "Base-borrowed": "NaN", "Base-staking": -4, "Base-pool2": "x"}
    items = read(market("/protocols"), [{"slug": "foo", "name": "Foo", "tvl": 1.5, "chainTvls": amounts}], window())
    assert told(items) == {"TVL": 1.5}
    assert not bads(items)


# Parents and chains.


def child(slug: str, parent: Any = "aave", **more: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug, "parentProtocol": f"parent#{parent}", "parentProtocolSlug": parent, **more}


def test_a_parent_is_the_sum_of_its_children() -> None:
    rows = [
        child("aave-v2", tvl=100.25, change_1d=5, chainTvls={"borrowed": 10, "staking": 3.5}),
        child("aave-v3", tvl="200.5", change_1d=6, chainTvls={"borrowed": 20, "pool2": 0}),
        child("aave-arc", tvl=None, chainTvls={}),
    ]
    items = read(market("/protocols"), rows, window())
    assert told(items, "aave") == {"TVL": 300.75, "BORROWED": 30, "STAKING": 3.5, "POOL2": 0}
    assert told(items, "aave-v2")["CHANGE_1D"] == 5
    assert [item for item in items if isinstance(item, SourceAsset)][-1] == SourceAsset("protocol_slug", "aave", "aave")


def test_averages_and_changes_of_children_make_no_parent() -> None:
    rows = [protocol(f"uniswap-v{n}", parentProtocol="parent#uniswap", **FIELDS) for n in (2, 3)]
    items = read(market("/overview/dexs"), overview(*rows), window())
    totals = {key: value for key, value in SUMS.items() if "1Y" not in key or key == "1Y"}
    assert told(items, "uniswap") == {f"DEX_VOLUME_{key}": 2 * value for key, value in totals.items()}


def test_a_child_that_cannot_be_read_leaves_its_parent_without_a_sum() -> None:
    rows = [
        child("aave-v2", tvl=100.5, chainTvls={"staking": 1}),
        child("aave-v3", tvl="NaN"),
        child("foo", "bar", tvl=1),
    ]
    items = read(market("/protocols"), rows, window())
    assert told(items, "aave") == {"STAKING": 1}
    assert ("aave", "part_unreadable") in bads(items)
    assert told(items, "bar") == {"TVL": 1}


def test_a_child_without_a_slug_leaves_its_parent_without_sums() -> None:
    rows = [child("aave-v2", tvl=100.5), {**child("", tvl=5), "slug": None}, child("foo", "bar", tvl=1)]
    items = read(market("/protocols"), rows, window())
    assert told(items, "aave") == {}
    assert told(items, "bar") == {"TVL": 1}


def test_a_child_that_bears_the_name_of_its_parent_is_told_once() -> None:
    rows = [child("pendle", "pendle", tvl=5, change_1d=1), child("pendle-v2", "pendle", tvl=6)]
    items = read(market("/protocols"), rows, window())
    assert told(items, "pendle") == {"TVL": 11}
    assert [item.id for item in items if isinstance(item, SourceAsset)] == ["pendle", "pendle-v2"]


def test_chains_among_protocols_go_by_their_display_names() -> None:
    rows = [
        protocol("lido", total24h=1),
        {**protocol("op-mainnet", total24h=2), "displayName": "OP Mainnet", "protocolType": "chain"},
        {**protocol("ronin", total24h=3), "displayName": "Ronin"},
    ]
    items = read(market("/overview/fees"), overview(*rows), window())
    ids = {(item.id_type, item.id): item.value for item in items}
    assert ids == {("chain_name", "OP Mainnet"): 2, ("chain_name", "Ronin"): 3, ("protocol_slug", "lido"): 1}


# What is asked, by whom, and where the key is.


def test_pieces_cover_what_the_aim_names_and_nothing_else() -> None:
    for feed in SOURCE.feeds:
        assert (feed.pieces is not None) == (feed.scope == "batch")
        for aim in (PAST, LIVE) if feed.pieces else ():
            pieces = list(feed.pieces(aim)) if feed.pieces else []
            assert bool(pieces) == (aim.live is not feed.history)
            assert {subject for piece in pieces for subject in piece.subjects} <= {
                s for ids in ASSETS.values() for s in ids
            }
            assert all(piece.start == aim.start and piece.end == aim.end for piece in pieces)
            assert list(feed.pieces(replace(aim, assets={}))) == [] if feed.pieces else True


def test_perpetuals_and_flows_are_asked_for_with_a_key_only() -> None:
    def paths(aim: Aim, *, keyed: bool) -> set[str]:
        feeds = [feed for feed in SOURCE.feeds if keyed or not feed.needs_key]
        windows = [(feed, piece) for feed in feeds for piece in (feed.pieces(aim) if feed.pieces else [window()])]
        return {feed.request(piece).path for feed, piece in windows}

    for aim in (PAST, LIVE):
        with_key, without = paths(aim, keyed=True), paths(replace(aim, keyed=False), keyed=False)
        assert without < with_key
        assert all("derivatives" in path or "inflows" in path for path in with_key - without)
        assert not any("derivatives" in path or "inflows" in path for path in without)


def test_a_key_is_a_part_of_the_path_of_another_host() -> None:
    key = "se/cret key"
    for path, base, signed in (
        ("/protocols", "https://api.llama.fi", "/se%2Fcret%20key/api/protocols"),
        ("/stablecoins", "https://stablecoins.llama.fi", "/se%2Fcret%20key/stablecoins/stablecoins"),
        ("/bridges", "https://bridges.llama.fi", "/se%2Fcret%20key/bridges/bridges"),
    ):
        feed = market(path)
        asked = feed.request(window())
        assert (asked.base, asked.path) == (base, path)
        assert SOURCE.signed(asked, None) == asked
        assert (SOURCE.signed(asked, key).base, SOURCE.signed(asked, key).path) == (PRO, signed)
    assert SOURCE.signed(get("/x", costs={"requests": 1}), "k").path == "/k/api/x"


def test_an_error_does_not_repeat_the_path() -> None:
    told = SOURCE.problem(404, "Cannot GET /sesame-key/api/protocols?x=1")
    assert told
    assert told.message == "Cannot GET …"


def test_a_schedule_is_hourly_and_stays_below_the_budget() -> None:
    assert {(feed.every, feed.ready_after) for feed in SOURCE.feeds} == {(timedelta(hours=1), timedelta(minutes=5))}
    [budget] = SOURCE.budgets.values()
    assert budget.limit / budget.period.total_seconds() * 60 < 500


# Recorded answers.


def recorded(name: str) -> Any:
    return json.loads((shared("fixtures/defillama") / name).read_text())


def test_recorded_chains() -> None:
    body = recorded("v2_chains_2026-10-08_part1.json")
    items = read(market("/v2/chains"), body, window())
    assert {i.id: i.value for i in items if isinstance(i, MetricValue)} == {row["name"]: row["tvl"] for row in body}
    listed = {i.id: (i.ticker, i.coingecko_id) for i in items if isinstance(i, SourceAsset)}
    assert listed == {row["name"]: (row["tokenSymbol"], row["gecko_id"]) for row in body}
    assert len(items) == 2 * 58


def test_recorded_protocols() -> None:
    body = recorded("protocols_2026-10-08_okx_lido_aave-v3.json")
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


def test_recorded_overview_of_a_chain() -> None:
    body = recorded("overview_fees_Arc_2026-10-08.json")
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


def test_recorded_rows_of_an_overview() -> None:
    body = recorded("overview_fees_Arc_2026-10-08.json")
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
    perpetuals = recorded("oas_2025-07_overview_derivatives.json")
    traded = read(market("/overview/derivatives"), perpetuals, window())
    assert told(traded, "synthetix-v1+v2")["DERIVATIVES_VOLUME_24H"] == perpetuals["protocols"][0]["total24h"]
    assert told(traded, "synthetix")["DERIVATIVES_VOLUME_ALL_TIME"] == 55654843707


@pytest.mark.parametrize(("kind", "column"), [("derivatives", "DERIVATIVES_VOLUME"), ("fees", "FEES")])
def test_recorded_summary(kind: str, column: str) -> None:
    body = recorded(f"oas_2025-07_summary_{kind}_hyperliquid.json")
    asked = window("hyperliquid", column=column, live=False)
    items = read(batch(column, "protocol_slug"), body, asked)
    assert [[int(i.time.timestamp()), i.value] for i in items] == body["totalDataChart"]
    assert {i.metric.name for i in items} == {column}


def test_recorded_history_of_a_protocol() -> None:
    """The recording was cut to one chain, without the sum over chains: here that chain stands for the sum."""
    body = recorded("protocol_aevo-perps_2026-10-08.json")
    with pytest.raises(ValidationError):
        read(batch("TVL", "protocol_slug"), body, window("aevo-perps", column="TVL", live=False))
    points = body["chainTvls"]["Arbitrum"]["tvl"]
    items = read(batch("TVL", "protocol_slug"), {**body, "tvl": points}, window("aevo-perps", column="TVL", live=False))
    assert [(int(i.time.timestamp()), i.value) for i in items] == [(p["date"], p["totalLiquidityUSD"]) for p in points]
    assert len(items) == 110


def test_recorded_history_of_what_is_locked() -> None:
    body = recorded("v2_historicalChainTvl_2018_on.json")
    items = read(batch("CHAIN_TVL", "chain_name"), body, window("Ethereum", column="CHAIN_TVL", live=False))
    assert [(int(i.time.timestamp()), i.value) for i in items] == [(row["date"], row["tvl"]) for row in body]
    assert all(b.time - a.time == DAY for a, b in pairwise(items[:500]))


def test_recorded_stablecoins_and_bridges() -> None:
    tether = recorded("stablecoins_2026-10-08_tether.json")
    items = read(market("/stablecoins"), tether, window())
    assert told(items)["STABLECOIN_SUPPLY"] == tether["peggedAssets"][0]["circulating"]["peggedUSD"]
    assert told(items)["STABLECOIN_SUPPLY_PREV_MONTH"] == 183330310312.5871
    synapse = read(market("/bridges"), recorded("bridges_2024_synapse.json"), window())
    assert told(synapse, "11") == {
        "BRIDGE_VOLUME_24H": 86447533.5,
        "BRIDGE_VOLUME_7D": 270726860.5,
        "BRIDGE_VOLUME_30D": 1043383077,
    }
    volume = recorded("bridgevolume_Ethereum_id5_2022-10-22.json")
    [day] = read(batch("BRIDGE_VOLUME", "bridge_id"), volume, window("5", column="BRIDGE_VOLUME", live=False))
    assert (day.time, day.value) == (datetime(2022, 10, 22, tzinfo=UTC), (2769237 + 4515497) / 2)


def test_recorded_flows() -> None:
    body = recorded("oas_2025-07_inflows_compound-v3.json")
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
def test_answers_of_endpoints_that_are_not_asked_pass_for_nothing_else(name: str) -> None:
    """Prices come from elsewhere, one bridge has what the list has, perpetuals tell no unit, chains no id of a coin.

    Of a bridge and of perpetuals the numbers are those of the lists, so nothing is lost; here none of these bodies may
    pass for an answer that is asked for.
    """
    body = recorded(name)
    for feed in SOURCE.feeds:
        pieces = feed.pieces(LIVE if not feed.history else PAST) if feed.pieces else [window()]
        try:
            items = read(feed, body, next(iter(pieces)))
        except ValidationError:
            continue
        assert not [item for item in items if isinstance(item, MetricValue)], feed
