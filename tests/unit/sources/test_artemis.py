"""Artemis: its metrics and the shapes it may answer in. No recorded answer exists; over sockets a stand-in answers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app import settings
from app.ingest.errors import Refused, Throttled, Unavailable
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.runner import Patience, opened
from app.ingest.sources import load
from app.ingest.spec import Aim, Bad, Feed, Window
from app.records import Metric, MetricValue, SourceAsset
from tests.conftest import shared
from tests.replay import Replay
from tests.replayed import artemis as replayed

SOURCE = load(["artemis"])["artemis"]
ASSETS, *SUPPORTED, SERIES = SOURCE.feeds
METRICS = {metric.name: metric for metric in SOURCE.metrics}
DAY = timedelta(days=1)
NOW = datetime(2026, 3, 10, 0, 5, tzinfo=UTC)
TODAY = NOW.replace(minute=0)
EXCLUDED = {"VOLATILITY_90D_ANN", "STABLECOIN_AVG_DAU", "TOKENIZED_SHARES_TRADING_VOLUME", "FDMV_NAV_RATIO"}
COINS = tuple(f"coin{number}" for number in range(326))
EQUITIES = tuple(f"eq-{number}" for number in range(60))

# The table of the documents. What is told of equities stands apart.
OF_COINS = {
    *("PRICE", "MC", "FDMC", "FEES", "REVENUE", "DAU", "NEW_USERS", "TXNS", "24H_VOLUME", "AVG_TXN_FEE"),
    *("PERP_VOLUME", "PERP_FEES", "PERP_TXNS", "PERP_LIQUIDATION", "OPEN_INTEREST", "SPOT_VOLUME", "SPOT_FEES"),
    *("LENDING_DEPOSITS", "LENDING_BORROWS", "LENDING_LOANS", "CIRCULATING_SUPPLY_NATIVE", "TOTAL_SUPPLY_NATIVE"),
    *("GROSS_EMISSIONS", "FDMC_FEES_RATIO", "FDMC_REVENUE_RATIO", "TVL", "FDV"),
    *("24H_VOLUME_MC_RATIO", "24H_VOLUME_FDMC_RATIO", "ETHEREUM_FDMC_RATIO"),
    *("STABLECOIN_MC", "STABLECOIN_SUPPLY", "STABLECOIN_TRANSFER_VOLUME", "STABLECOIN_DAILY_TXNS", "STABLECOIN_DAU"),
    *("AVERAGE_TRANSACTION_VALUE", "ARTEMIS_STABLECOIN_TRANSFER_VOLUME", "ARTEMIS_STABLECOIN_DAILY_TXNS"),
    *("P2P_STABLECOIN_TRANSFER_VOLUME", "P2P_STABLECOIN_DAILY_TXNS"),
}
BY_QUARTER = {
    *("TOTAL_REVENUE", "NET_INCOME", "EBITDA", "OPERATING_INCOME", "FREE_CASH_FLOW", "BASIC_EPS", "DILUTED_EPS"),
}
OF_EQUITIES = BY_QUARTER | {
    *("PRICE", "MC", "24H_VOLUME", "EQ_EV", "EQ_CASH_AND_CASH_EQUIVALENTS", "EQ_TOTAL_DEBT", "NAV"),
    *("ENTERPRISE_VALUE_DIVIDE_TOTAL_REVENUE", "ENTERPRISE_VALUE_DIVIDE_NET_INCOME"),
    *("ENTERPRISE_VALUE_DIVIDE_EBITDA", "ENTERPRISE_VALUE_DIVIDE_FREE_CASH_FLOW"),
    *("MARKET_CAP_DIVIDE_FREE_CASH_FLOW", "EARNINGS_YIELD", "FCF_YIELD"),
}


def window(name: str = "FEES", *symbols: str) -> Window:
    return Window(TODAY - 7 * DAY, TODAY, subjects=symbols or ("foo",), columns=(name,))


def read(body: Any, asked: Window) -> list[Any]:
    return list(SERIES.rows(TypeAdapter(SERIES.answer).validate_python(body), asked))


def told(series: Any, name: str = "FEES") -> list[Any]:
    """What becomes of what stands in place of the series of one symbol."""
    return read({"data": {"symbols": {"foo": {name: series}}}}, window(name))


def point(value: Any, day: str = "2026-03-05") -> dict[str, Any]:
    return {"date": day, "val": value}


def test_nothing_is_recorded_to_hold_this_against() -> None:
    """As soon as a recorded answer lies here, this fails: then test against it."""
    assert [path.name for path in shared("fixtures/artemis").iterdir()] == ["PROVENANCE.md"]


def test_the_metrics_of_the_documents() -> None:
    assert METRICS.keys() == OF_COINS | OF_EQUITIES
    assert METRICS.keys().isdisjoint(EXCLUDED)


@pytest.mark.parametrize("name", sorted(OF_COINS | OF_EQUITIES))
@pytest.mark.parametrize("has_level", [True, False])
def test_every_metric_comes_out_of_the_documented_shape(name: str, has_level: bool) -> None:
    symbols = {"foo": {name: [point(12.5), point("13", "2026-03-06")]}}
    items = read({"data": {"symbols": symbols} if has_level else symbols}, window(name))
    day = datetime(2026, 3, 5, tzinfo=UTC)
    assert items == [
        MetricValue(METRICS[name], "ticker", "foo", day, 12.5),
        MetricValue(METRICS[name], "ticker", "foo", day + DAY, 13.0),
    ]


@pytest.mark.parametrize("name", sorted(OF_COINS | OF_EQUITIES))
def test_only_what_may_be_negative_is(name: str) -> None:
    [item] = told([point(-1)], name)
    assert isinstance(item, MetricValue) == METRICS[name].signed
    assert isinstance(item, MetricValue) or item.code == "negative"


def test_losses_may_be_negative_and_prices_not() -> None:
    assert all(METRICS[name].signed for name in (*BY_QUARTER, "REVENUE", "NAV", "EQ_EV", "FDMC_REVENUE_RATIO"))
    assert not any(METRICS[name].signed for name in ("PRICE", "MC", "FEES", "DAU", "OPEN_INTEREST", "24H_VOLUME"))


def test_what_metrics_cover() -> None:
    covers = {name: METRICS[name].covers for name in ("PRICE", "FEES", "24H_VOLUME", "OPEN_INTEREST", "NET_INCOME")}
    assert list(covers.values()) == ["instant", "day", "24h", "instant", "quarter"]
    assert METRICS["OPEN_INTEREST"].domain == METRICS["PERP_VOLUME"].domain == "derivative"
    assert METRICS["STABLECOIN_MC"].canonical == METRICS["STABLECOIN_SUPPLY"].canonical


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (7, 7.0),
        (1e-9, 1e-9),
        (0, 0.0),
        ("0.0", 0.0),
        ("1234.5", 1234.5),
        ("1e6", 1e6),
        (None, None),
        ("", None),
        (-1, "negative"),
        ("-0.5", "negative"),
        ("NaN", "not_finite"),
        ("Infinity", "not_finite"),
        (1e30, "quantity_out_of_range"),
        ("n/a", "unreadable"),
        ("1,234.5", "unreadable"),
        (True, "unreadable"),
        ([1], "unreadable"),
        ({"usd": 1}, "unreadable"),
    ],
)
def test_a_value(value: Any, becomes: float | str | None) -> None:
    first, item, last = told([point(1, "2026-03-04"), point(value), point(2, "2026-03-06")])
    assert (first.value, last.value) == (1, 2)
    match item:
        case None:
            assert becomes is None
        case Bad():
            assert (item.symbol, item.code) == ("foo", becomes)
        case _:
            assert item.value == becomes


@pytest.mark.parametrize("row", [{}, {"date": "2026-03-05"}, {"val": 1}, point(1, "yesterday"), [1], "row", None, 5])
def test_a_row_that_is_none_costs_no_other(row: Any) -> None:
    bad, good = told([row, point(2, "2026-03-06")])
    assert (bad.symbol, bad.code) == ("foo", "unreadable")
    assert good.value == 2


@pytest.mark.parametrize(
    "series",
    [
        *("Metric not found.", "Metric not available for asset.", "Market data not available for asset."),
        *("Latest data not available for this asset.", "", "42", None),
    ],
)
def test_words_in_place_of_a_series_are_no_data(series: Any) -> None:
    assert told(series) == [None]


@pytest.mark.parametrize("series", [42.5, 0, -3])
def test_a_value_without_its_day_is_not_stored(series: float) -> None:
    [bad] = told(series)
    assert (bad.symbol, bad.code) == ("foo", "undated")


@pytest.mark.parametrize("series", [True, {"date": "2026-03-05", "val": 1}])
def test_something_else_in_place_of_a_series_is_refused(series: Any) -> None:
    [bad] = told(series)
    assert (bad.symbol, bad.code) == ("foo", "unreadable")


def test_no_series_at_all_is_an_answer() -> None:
    assert told([]) == []
    assert read({"data": {"symbols": {}}}, window()) == []
    assert read({"data": {"symbols": {"foo": {}}}}, window()) == []
    assert read({"data": {"symbols": "Metric not found."}}, window()) == []
    assert read({"data": {"symbols": {"foo": "Asset not found."}}}, window()) == [None]


@pytest.mark.parametrize("body", [{"data": {}}, {"data": []}, {"data": "no"}, {"data": {"symbols": None}}, {}, []])
def test_an_answer_of_another_shape_is_none(body: Any) -> None:
    with pytest.raises(ValidationError):
        read(body, window())


def test_names_are_matched_without_case() -> None:
    [item] = read({"data": {"symbols": {"FOO": {"Fees": [point(1)]}}}}, window())
    assert (item.id, item.metric) == ("foo", METRICS["FEES"])


def test_days_that_were_not_asked_for_are_left() -> None:
    days = ("2026-03-02", "2026-03-03", "2026-03-09", "2026-03-10")
    items = told([point(number, day) for number, day in enumerate(days)])
    assert [item and item.value for item in items] == [None, 1, 2, None]


def test_a_day_may_be_written_with_its_midnight() -> None:
    days = ("2026-03-05T00:00:00", "2026-03-05T00:00:00Z", "2026-03-05T00:00:00+00:00")
    assert {item.time for item in told([point(1, day) for day in days])} == {datetime(2026, 3, 5, tzinfo=UTC)}


def test_a_symbol_that_was_not_asked_for_is_refused() -> None:
    bad, good = read({"data": {"symbols": {"bar": {"FEES": [point(1)]}, "foo": {"FEES": [point(2)]}}}}, window())
    assert (bad.symbol, bad.code) == ("bar", "not_asked")
    assert good.value == 2


def test_a_metric_that_nobody_asked_for_is_kept_and_an_excluded_one_is_not() -> None:
    series = {name: [point(-2)] for name in ("NEW_ONE", "Volatility_90D_ann")}
    new, excluded = read({"data": {"symbols": {"foo": series}}}, window())
    assert (new.metric.name, new.metric.unit, new.value) == ("NEW_ONE", "unknown", -2)
    assert excluded is None


def test_a_metric_whose_name_is_none_is_refused() -> None:
    [bad] = read({"data": {"symbols": {"foo": {"Fees / FDMC": [point(1)]}}}}, window())
    assert (bad.symbol, bad.code) == ("foo", "no_id")


# What is asked for.


def aimed(*, live: bool = True, **more: Any) -> list[Window]:
    assert SERIES.pieces
    wanted = {"start": NOW - DAY, "end": NOW, "assets": {"ticker": COINS + EQUITIES, "artemis_id": ("foo-chain",)}}
    return list(SERIES.pieces(Aim(live=live, keyed=True, **(wanted | more))))


def names_asked(windows: list[Window], *symbols: str) -> set[str]:
    return {name for window in windows for name in window.columns if set(symbols) & set(window.subjects)}


def test_at_most_fifty_symbols_of_a_kind_at_once_and_each_once() -> None:
    windows = aimed()
    assert all(0 < len(window.subjects) <= 50 and len(window.columns) == 1 for window in windows)
    assert all(len({symbol.startswith("eq-") for symbol in window.subjects}) == 1 for window in windows)
    asked = [(name, symbol) for window in windows for name in window.columns for symbol in window.subjects]
    assert len(asked) == len(set(asked))
    assert {symbol for name, symbol in asked if name == "PRICE"} == {*COINS, *EQUITIES}


def test_coins_and_equities_are_asked_for_what_they_have() -> None:
    assert names_asked(aimed(), *COINS) == OF_COINS
    assert names_asked(aimed(), *EQUITIES) == OF_EQUITIES


def test_metrics_of_the_catalogue_are_asked_for_but_excluded_ones_never() -> None:
    windows = aimed(metrics=("FEES", "NEW_ONE", "EQ_NEW", "NEW_INCOME_QUARTERLY", *sorted(EXCLUDED)))
    assert names_asked(windows, *COINS) == OF_COINS | {"NEW_ONE"}
    assert names_asked(windows, *EQUITIES) == OF_EQUITIES | {"NEW_ONE", "EQ_NEW", "NEW_INCOME_QUARTERLY"}


def test_nothing_is_asked_for_when_nothing_is_known() -> None:
    assert aimed(assets={}) == []
    assert aimed(assets={"artemis_id": ("foo-chain",)}) == []


def days_of(name: str, **more: Any) -> list[tuple[datetime, datetime]]:
    return list(dict.fromkeys((window.start, window.end) for window in aimed(**more) if window.columns == (name,)))


def test_live_the_last_week_is_asked_for_whatever_the_aim() -> None:
    for start in (NOW, NOW - DAY, NOW - 300 * DAY):
        assert days_of("FEES", start=start) == [(TODAY - 7 * DAY, TODAY)]
        assert days_of("PRICE", start=start) == [(TODAY - 6 * DAY, TODAY + DAY)]
        assert days_of("NET_INCOME", start=start) == [(TODAY - 399 * DAY, TODAY + DAY)]


def test_five_years_are_cut_into_years_the_newest_first() -> None:
    start = datetime(2021, 3, 10, tzinfo=UTC)
    for name in ("FEES", "PRICE", "NET_INCOME"):
        years = days_of(name, live=False, start=start, end=TODAY)
        assert len(years) == 5
        assert years[0][1] == TODAY
        assert years[-1][0] == start
        assert all(newer[0] == older[1] for newer, older in pairwise(years))
        assert all(timedelta(0) < end - start <= timedelta(days=366) for start, end in years)


def test_history_is_of_whole_days() -> None:
    noon = timedelta(hours=12)
    asked = {"live": False, "start": TODAY - 3 * DAY + noon, "end": TODAY + noon}
    assert days_of("FEES", **asked) == [(TODAY - 2 * DAY, TODAY)]
    assert days_of("PRICE", **asked) == [(TODAY - 2 * DAY, TODAY + DAY)]
    assert days_of("FEES", live=False, start=TODAY + noon, end=TODAY + noon) == []


def test_the_day_takes_a_small_part_of_the_budget() -> None:
    [budget] = SOURCE.budgets.values()
    assert budget.limit / budget.period.total_seconds() == 8
    assert len(aimed()) / 8 < 60


def test_a_quarter_is_asked_for_as_such() -> None:
    for name, path in (("NET_INCOME", "NET_INCOME"), ("NEW_INCOME_QUARTERLY", "NEW_INCOME")):
        request = SERIES.request(window(name, "eq-foo"))
        assert request.path == f"/data/api/{path}/"
        assert dict(request.params)["granularity"] == "QUARTER"
    [item] = read({"data": {"symbols": {"foo": {"new_income": [point(1)]}}}}, window("NEW_INCOME_QUARTERLY"))
    assert (item.metric.name, item.metric.covers) == ("NEW_INCOME_QUARTERLY", "quarter")


def test_the_key_is_only_in_what_is_sent() -> None:
    for feed in SOURCE.feeds:
        request = feed.request(window())
        assert "APIKey" not in dict(request.params)
        assert not request.headers
        assert feed.needs_key
        sent = SOURCE.signed(request, "s3cret")
        assert dict(sent.params) == dict(request.params) | {"APIKey": "s3cret"}
        assert dict(sent.headers) == {"X-API-Key": "s3cret"}
        assert SOURCE.signed(request, None) == request
    assert (SOURCE.key, SOURCE.key_required) == ("ARTEMIS_API_KEY", True)


def test_when_it_is_asked() -> None:
    assert all((feed.every, feed.ready_after) == (DAY, timedelta(minutes=5)) for feed in SOURCE.feeds)


# Over real sockets.


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with Replay(now=lambda: NOW) as replay:
        yield replay


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setattr(replayed, "mood", replayed.Mood())
    monkeypatch.setenv("ARTEMIS_API_KEY", replayed.KEY)
    settings.environment.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    settings.environment.cache_clear()


async def real(replay: Replay, feed: Feed, *windows: Window, limit: float = 8) -> Fetched:
    """What comes over the wire, asked for `limit` times a second at most."""
    budgets = {"requests": replace(SOURCE.budgets["requests"], limit=limit)}
    async with opened(Patience(tries=1), now=lambda: NOW) as web:
        line = Line(replace(web, limiters={}), replace(SOURCE, base_url=replay.url, budgets=budgets))
        found = Fetched()
        for asked in windows:
            found += await fetch(line, feed, asked)
        return found


async def test_things_come_by_both_ids(replay: Replay, key: pytest.MonkeyPatch) -> None:
    found = await real(replay, ASSETS, window())
    assert SourceAsset("ticker", "btc", "Bitcoin", "btc", "bitcoin") in found.records
    assert SourceAsset("artemis_id", "usdc", "USD Coin", "usdc", "usd-coin") in found.records
    assert len(found.records) == 2 * len(replayed.ASSETS)
    assert not found.bad


async def test_metrics_come_of_each_kind_and_a_new_one_is_stored(replay: Replay, key: pytest.MonkeyPatch) -> None:
    listed = [record for feed in SUPPORTED for record in (await real(replay, feed, window())).records]
    metrics = {record.name: record for record in listed if isinstance(record, Metric)}
    assert metrics.keys() >= {"PRICE", "STABLECOIN_SUPPLY", "NAV", "NET_INCOME", replayed.NEW}
    assert metrics.keys().isdisjoint(EXCLUDED)
    assert metrics[replayed.NEW].unit == "EH/s"
    windows = aimed(assets={"ticker": ("btc",)}, metrics=tuple(metrics))
    [asked] = [window for window in windows if window.columns == (replayed.NEW,)]
    found = await real(replay, SERIES, asked)
    assert [record.metric.name for record in found.records if isinstance(record, MetricValue)] == [replayed.NEW] * 7


async def test_a_week_of_series(replay: Replay, key: pytest.MonkeyPatch) -> None:
    symbols = ("btc", "eth", "sol", "aave", "uni", "hype")
    windows = [window for window in aimed(assets={"ticker": symbols}) if window.columns[0] in ("FEES", "DAU")]
    found = await real(replay, SERIES, *windows)
    have = [(s, m) for m in ("FEES", "DAU") for s in sorted(symbols) if replayed.is_told(s, m)]
    assert 0 < len(have) < 12
    assert [(r.id, r.metric.name, r.time, r.value) for r in found.records if isinstance(r, MetricValue)] == [
        (symbol, metric, TODAY - back * DAY, replayed.value(symbol, metric, (TODAY - back * DAY).date()))
        for symbol, metric in have
        for back in range(7, 0, -1)
    ]


async def test_a_revised_value_comes_again(replay: Replay, key: pytest.MonkeyPatch) -> None:
    before = await real(replay, SERIES, window("PRICE", "btc", "eth"))
    replayed.mood.revised["btc"] = 1.5
    after = await real(replay, SERIES, window("PRICE", "btc", "eth"))
    pairs = list(zip(before.records, after.records, strict=True))
    changed = {new.symbol for old, new in pairs if old != new}
    assert (len(pairs), changed) == (14, {"btc"})


async def test_a_year_by_quarters(replay: Replay, key: pytest.MonkeyPatch) -> None:
    windows = [w for w in aimed(assets={"ticker": ("eq-coin", "eq-hood")}) if w.columns == ("NET_INCOME",)]
    records = (await real(replay, SERIES, *windows)).records
    days = {record.time.date() for record in records if isinstance(record, MetricValue)}
    assert days == {date(2025, 3, 31), date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31)}


async def test_without_the_right_key_it_is_not_asked_further(replay: Replay, key: pytest.MonkeyPatch) -> None:
    key.setenv("ARTEMIS_API_KEY", "wrong-s3cret")
    settings.environment.cache_clear()
    with pytest.raises(Refused) as refused:
        await real(replay, SERIES, window())
    assert refused.value.everywhere
    assert "s3cret" not in f"{refused.value!r} {refused.value.question}"


async def test_too_many_symbols_and_too_many_requests(replay: Replay, key: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable):
        await real(replay, SERIES, window("PRICE", *COINS[:51]))
    with pytest.raises(Throttled):
        await real(replay, SERIES, *[window("PRICE")] * 12, limit=100)
