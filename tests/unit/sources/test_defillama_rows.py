"""DefiLlama: fields and rows that cannot be read, parents and their parts, what is asked and where the key goes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.ingest.sources.defillama import PRO
from app.ingest.spec import Aim, get
from app.records import SourceAsset
from tests.defillama import (
    ASSETS,
    FIELDS,
    LIVE,
    PAST,
    SOURCE,
    SUMS,
    bads,
    child,
    market,
    overview,
    protocol,
    read,
    told,
    window,
)


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
