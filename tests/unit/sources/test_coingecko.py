"""CoinGecko: what counts, percent, the month's calls, keys, every recorded body, and asking over a socket."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app import settings
from app.ingest import limits
from app.ingest.errors import Throttled
from app.ingest.limits import Limiter
from app.ingest.pages import Line, fetch
from app.ingest.runner import Patience, opened
from app.ingest.snapshots import others
from app.ingest.sources import load
from app.ingest.sources.coingecko import LARGEST, SLUGS, SOURCE, pieces, problem, signed
from app.ingest.spec import Aim, Bad, Feed, Window, get
from app.records import OpenInterest, PerpSnapshot, PredictedFunding, Product, Venue
from tests.conftest import shared
from tests.replay import Replay
from tests.replayed import coingecko as replayed

NOW = datetime(2026, 5, 26, 15, 5, tzinfo=UTC)
LISTED, SOLD, SNAPSHOT = SOURCE.feeds
DAYS = 31
ROW: dict[str, Any] = {
    "market": "Foo (Futures)",
    "symbol": "ABCUSDT",
    "contract_type": "perpetual",
    "funding_rate": 0.004308,
    "open_interest": 1.5,
    "last_traded_at": round(NOW.timestamp()),
}
UNUSED = {
    "coins_list_2021-05-15.json",
    "coins_markets_bitcoin_2021-05-18.json",
    "derivatives_exchanges_binance_futures_2021-05-18.json",
    "derivatives_exchanges_page1_2021-05-18.json",
    "oas_2026_coins_list.json",
    "oas_2026_coins_markets.json",
    "oas_2026_derivatives_exchanges.json",
    "response_headers_2021.json",
    "simple_price_bitcoin_2021-05-15.json",
}
"""Recorded answers to questions we do not ask."""


def read(feed: Feed, body: Any, at: datetime = NOW, **more: Any) -> list[Any]:
    return list(feed.rows(TypeAdapter(feed.answer).validate_python(body), Window(at, at, **more)))


def told(**changed: Any) -> Any:
    """What becomes of one row."""
    [item] = read(SNAPSHOT, [{**ROW, **changed}])
    return item


def test_percent_becomes_a_fraction_of_an_interval_nobody_tells() -> None:
    rate, held = told().facts
    assert rate == PredictedFunding("Foo (Futures):ABCUSDT", NOW, 0.00004308, for_time=None, interval_hours=None)
    assert held == OpenInterest("Foo (Futures):ABCUSDT", NOW, oi_base=None, oi_usd=1.5)


def test_what_is_not_told_is_no_fact() -> None:
    assert [type(fact) for fact in told(open_interest=None).facts] == [PredictedFunding]
    assert [type(fact) for fact in told(funding_rate=None).facts] == [OpenInterest]
    assert told(funding_rate=None, open_interest=None).code == "no_value"


@pytest.mark.parametrize(
    ("percent", "code"), [(10, None), (-10, None), (10.01, "rate_out_of_range"), (-58.2, "rate_out_of_range")]
)
def test_rubbish_rates_are_refused_by_name(percent: float, code: str | None) -> None:
    item = told(funding_rate=percent)
    assert (item.code, item.symbol) == (code, "Foo (Futures):ABCUSDT") if code else abs(item.rate) == LARGEST


@pytest.mark.parametrize(("hours", "is_stale"), [(0, False), (24, False), (24.01, True), (9000, True)])
def test_what_has_not_traded_for_a_day_stands_still(hours: float, is_stale: bool) -> None:
    item = told(last_traded_at=(NOW - timedelta(hours=hours)).timestamp())
    assert item.code == "stale" if is_stale else item.time == NOW


def test_of_one_told_twice_the_first_counts() -> None:
    first, second = read(SNAPSHOT, [ROW, {**ROW, "funding_rate": 9}])
    assert first.rate == 0.00004308
    assert (second.code, second.symbol) == ("duplicate", "Foo (Futures):ABCUSDT")


def test_numbers_may_be_text_and_tickers_in_tickers() -> None:
    assert told(funding_rate="0.01", open_interest="2.5").facts[1].oi_usd == 2.5
    ticker = {"symbol": "BTC_USDT", "base": "BTC", "coin_id": "bitcoin", "contract_type": "perpetual"}
    for tickers in ([ticker], {"tickers": [ticker]}):
        [item] = read(SOLD, {"name": "Gate", "tickers": tickers}, exchanges=("gate",))
        assert item == Product("gate", "BTC_USDT", "bitcoin", base="BTC")
    with pytest.raises(ValidationError):
        read(SOLD, {"name": "Gate"}, exchanges=("gate",))


def test_slugs_are_ours_and_one_each() -> None:
    ids = [
        "binance_futures",
        "bybit",
        "okex_swap",
        "kumex",
        "huobi_dm",
        "gmx-perpetuals-v2-arbitrum",
        "bit_com_futures",
    ]
    venues = read(LISTED, [{"id": one, "name": one.title()} for one in ids])
    assert [venue.exchange for venue in venues] == [
        *("binance", "bybit", "okx", "kucoin", "htx"), "gmx-perpetuals-v2-arbitrum", "bit-com-futures"]  # fmt: skip
    assert len(set(SLUGS.values())) == len(SLUGS)


def test_exchanges_that_tell_themselves_are_not_asked_about() -> None:
    venues = (Venue("gate", "gate_futures", "Gate"), *(Venue(slug, slug, slug) for slug in load()))
    [asked] = pieces(Aim(NOW, NOW, live=True, venues=others(venues, load())))
    assert SOLD.request(asked).path == "/api/v3/derivatives/exchanges/gate_futures"
    assert asked.exchanges == ("gate",)


@pytest.mark.parametrize("venues", [100, 250])
def test_a_month_stays_below_its_calls(venues: int) -> None:
    """As the head of the source counts it; each start of a service asks once more."""
    lists, polls = (timedelta(days=DAYS) / feed.every for feed in (LISTED, SNAPSHOT))
    each = venues * timedelta(days=DAYS) / SOLD.every
    assert (polls, lists, each) == (1488, 744, venues * 31)
    assert polls + lists + each < SOURCE.budgets["month"].limit == 10_000
    assert SOURCE.budgets["month"].period == timedelta(days=DAYS)


async def test_a_month_that_is_spent_is_refused_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ticks = count(0.0, 100.0), list[float]()

    async def sleep(seconds: float) -> None:
        ticks.append(seconds)

    few = {**SOURCE.budgets, "month": replace(SOURCE.budgets["month"], limit=2)}
    limiter = Limiter("coingecko", few, clock=lambda: next(clock), sleep=sleep)
    costs = LISTED.request(Window(NOW, NOW)).costs
    for _ in range(2):
        await limiter.take(costs)
    with pytest.raises(Throttled, match=r"budget `month` is spent for 74\d hours more"):
        await limiter.take(costs)
    assert not ticks
    assert timedelta(days=1).total_seconds() > limits.LONGEST_TURN


def test_the_key_goes_in_the_header_of_its_plan() -> None:
    request = get("/api/v3/derivatives", costs={"calls": 1})
    for host, header in (
        ("https://api.coingecko.com", "x-cg-demo-api-key"),
        ("https://pro-api.coingecko.com", "x-cg-pro-api-key"),
        ("http://127.0.0.1:8080", "x-cg-demo-api-key"),
    ):
        assert signed(replace(request, host=host), "CG-1").headers == ((header, "CG-1"),)
    assert signed(request, None).headers == ()


# Every recorded body, its values against the raw text.


def hundredth(percent: float) -> float:
    """The fraction with the digits that were told."""
    return float(Decimal(repr(percent)) / 100)


def recorded(name: str) -> tuple[Path, Any]:
    path = shared("fixtures/coingecko") / name
    return path, json.loads(path.read_bytes())


def test_every_recorded_body_is_read_or_named() -> None:
    files = {path.name for path in shared("fixtures/coingecko").glob("*.json")}
    assert files == UNUSED | {
        *("derivatives_2021-05-18.json", "derivatives_exchanges_list_2021-05-18.json", "oas_2026_derivatives.json"),
        *("oas_2026_derivatives_exchanges_id_tickers.json", "oas_2026_derivatives_exchanges_list.json"),
        "error_422_missing_vs_currency_2021-07-19.json",
    }


def test_recorded_derivatives_of_2021() -> None:
    at = datetime(2021, 5, 18, 14, 1, 28, tzinfo=UTC)
    path, raw = recorded("derivatives_2021-05-18.json")
    items = read(SNAPSHOT, raw, at)
    assert len(items) == len(raw) == 1766
    assert '"symbol":"BTCUSDT","index_id":"BTC","price":"43692.79"' in path.read_text()
    assert items[0] == PerpSnapshot("Binance (Futures)", "BTCUSDT", at, 0.021023 / 100, 1843486360.07)
    codes = Counter(item.code for item in items if isinstance(item, Bad))
    assert codes == {"rate_out_of_range": 2, "no_symbol": 3, "duplicate": 2}
    refused = {(item.code, item.symbol) for item in items if isinstance(item, Bad)}
    assert ("rate_out_of_range", "Kraken (Futures):PI_XRPUSD") in refused
    assert sum(item is None for item in items) == sum(row["contract_type"] == "futures" for row in raw) == 337
    for row, item in zip(raw, items, strict=True):
        if isinstance(item, PerpSnapshot):
            said = (row["market"], row["symbol"], hundredth(row["funding_rate"]), row["open_interest"])
            assert (item.exchange, item.symbol, item.rate, item.oi_usd) == said


def test_recorded_exchanges_name_every_market_of_the_same_day() -> None:
    _, raw = recorded("derivatives_exchanges_list_2021-05-18.json")
    venues = {venue.name: venue for venue in read(LISTED, raw)}
    assert [(venue.id, name) for name, venue in venues.items()] == [(row["id"], row["name"]) for row in raw]
    assert len({venue.exchange for venue in venues.values()}) == len(raw)
    assert {row["market"] for row in recorded("derivatives_2021-05-18.json")[1]} <= venues.keys()
    assert [venues[name].exchange for name in ("OKEx (Futures)", "Huobi Futures", "MXC (Futures)")] == [
        *("okx", "htx", "mexc")]  # fmt: skip


def test_the_official_examples_of_2026() -> None:
    path, raw = recorded("oas_2026_derivatives.json")
    at = datetime.fromtimestamp(1779807819, UTC)
    first, second = read(SNAPSHOT, raw, at)
    assert '"funding_rate": 0.004308' in path.read_text()
    assert (first.rate, first.oi_usd, first.symbol) == (0.00004308, 7497508223.83, "BTCUSDT")
    assert (second.rate, second.oi_usd) == (hundredth(raw[1]["funding_rate"]), raw[1]["open_interest"])
    listed = read(LISTED, recorded("oas_2026_derivatives_exchanges_list.json")[1])
    assert [(one.exchange, one.name) for one in listed] == [
        ("binance", "Binance (Futures)"),
        ("bybit", "Bybit (Futures)"),
    ]
    sold = read(SOLD, recorded("oas_2026_derivatives_exchanges_id_tickers.json")[1], exchanges=("x",))
    assert [(one.symbol, one.coin, one.base) for one in sold] == [
        ("0GUSDT", "zero-gravity", "0G"), ("1000000BOBUSDT", "build-on-bnb", "1000000BOB")]  # fmt: skip


def test_the_recorded_error() -> None:
    found = problem(422, recorded("error_422_missing_vs_currency_2021-07-19.json")[1])
    assert found
    assert (found.trouble, found.code, found.message) == ("refused", "422", "Missing parameter vs_currency")


# Over a socket.


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    replayed.calm()
    with Replay(now=lambda: NOW) as replay:
        monkeypatch.setenv("COINGECKO_BASE_URL", replay.url)
        monkeypatch.delenv("COINGECKO_API_KEY", raising=False)
        settings.environment.cache_clear()
        yield replay
    settings.environment.cache_clear()
    replayed.calm()


@pytest.fixture
async def line(replay: Replay) -> AsyncIterator[Line]:
    async with opened(Patience(tries=1), now=lambda: NOW) as web:
        yield Line(replace(web, limiters={}), SOURCE)


async def test_a_snapshot_is_of_the_time_of_asking(line: Line) -> None:
    long_ago = NOW - timedelta(days=9)
    found = await fetch(line, SNAPSHOT, Window(long_ago, long_ago))
    assert {getattr(item, "time", None) for item in found.records} == {NOW}
    assert not found.bad


async def test_asked_too_often(line: Line) -> None:
    replayed.mood.allowed = 2
    for _ in range(2):
        await fetch(line, LISTED, Window(NOW, NOW))
    with pytest.raises(Throttled, match="exceeded the Rate Limit"):
        await fetch(line, LISTED, Window(NOW, NOW))
