"""Artemis: daily metrics of chains, protocols, tokens, stablecoins and equities.

Written from the documented shapes: no recorded answer of this API is public. So much is tolerated: symbols with or
without a level above them, metric names in any case, numbers as text, and words in place of a series ("Metric not
available for asset."), which are no data. Days of the last week are revised, so they are asked for again every day.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated, cast

from pydantic import BeforeValidator

from app.ingest import spec
from app.ingest.sources.artemis.asking import COST, DAY, metric, pieces
from app.ingest.sources.artemis.catalogue import EXCLUDED, METRICS, QUARTERLY, UNKNOWN, api_id, metric_of
from app.ingest.spec import Bad, Feed, Json, MaybeNum, Request, Rows, Window, Wire, get
from app.records import Metric, MetricValue, SourceAsset

DOCS = "https://app.artemis.xyz/docs"
LIKE = ("btc", "aave", "hype", "usdc", "eq-coin")  # one of each kind, by which new metrics are found


def signed(request: Request, key: str | None) -> Request:
    """The metric calls want the key in the query; the official client sends it as a header too."""
    if key is None:
        return request
    return replace(request, params=(*request.params, ("APIKey", key)), headers=(*request.headers, ("X-API-Key", key)))


class Assets(Wire):
    """`{"assets":[{"artemis_id":"foo-chain","symbol":"foo","title":"Foo","coingecko_id":"foo-2","color":"#fff"}]}`"""

    assets: spec.SomeRows


class Ticker(Wire):
    symbol: str
    title: str | None = None
    coingecko_id: str | None = None


class LongId(Ticker):
    artemis_id: str | None = None


def _ticker(row: Ticker, window: Window) -> SourceAsset:
    ticker = row.symbol.lower()
    return SourceAsset("ticker", ticker, row.title or ticker, row.symbol, row.coingecko_id or None)


def _long_id(row: LongId, window: Window) -> SourceAsset | None:
    if not row.artemis_id:
        return None
    return SourceAsset("artemis_id", row.artemis_id, row.title or row.artemis_id, row.symbol, row.coingecko_id or None)


def assets(answer: Assets, window: Window) -> Rows:
    """Two a row: a thing by the short ticker that series are asked by, and by its long id if it has one."""
    tickers, long_ids = spec.each(Ticker, _ticker), spec.each(LongId, _long_id)
    return chain(tickers(answer.assets, window), long_ids(answer.assets, window))


class Supported(Wire):
    """`{"metrics":[{"FOO_FEES":{"label":"Foo fees","description":"...","unit":"USD","accepts_date":true,...}}]}`"""

    metrics: spec.SomeRows


class Facts(Wire):
    label: str | None = None
    description: str | None = None
    unit: str | None = None
    accepts_date: bool | None = None
    earliest_fiscal_period: str | None = None


class Listing(Wire):
    name: str
    facts: Facts


def _listings(answer: Supported) -> Iterator[Json]:
    for row in answer.metrics:
        named = cast("dict[str, Json]", row).items() if isinstance(row, dict) else ()
        yield from ({"name": name, "facts": facts} for name, facts in named) if named else (row,)


def _listed(row: Listing, window: Window) -> Metric | None:
    """A metric with what is told of it beside what we know; of one that takes no dates nothing can be kept."""
    name, facts = row.name.upper(), row.facts
    if name in EXCLUDED or facts.accepts_date is False:
        return None
    known = metric_of(name + QUARTERLY if facts.earliest_fiscal_period and name not in METRICS else name)
    unit = (facts.unit or UNKNOWN).replace("$", "USD") if known.unit == UNKNOWN else known.unit
    return replace(known, unit=unit, about=facts.description or facts.label or "")


def _day(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a day as YYYY-MM-DD expected")
    return datetime.fromisoformat(value).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)


def _by_symbol(data: object) -> object:
    if not isinstance(data, dict) or not data:
        raise ValueError("series by symbol expected")
    told = cast("dict[str, Json]", data).get("symbols", cast("Json", data))
    return {} if isinstance(told, str) else told


class Series(Wire):
    """`{"data":{"symbols":{"foo":{"FEES":[{"date":"2024-03-01","val":1234.5}]}}}}`, also without `symbols`."""

    data: Annotated[dict[str, Json], BeforeValidator(_by_symbol)]


class Point(Wire):
    date: Annotated[datetime, BeforeValidator(_day)]
    val: MaybeNum


def series(answer: Series, window: Window) -> Rows:
    """Every value told of the symbols asked for, of metrics that were not asked for too."""
    for symbol, metrics in answer.data.items():
        if symbol.lower() not in window.subjects:
            yield Bad(symbol, "not_asked", "a symbol that was not asked for")
        elif isinstance(metrics, dict):
            yield from _of_symbol(symbol.lower(), cast("dict[str, Json]", metrics), window)
        else:
            yield _no_series(symbol.lower(), metrics)


def _of_symbol(symbol: str, metrics: dict[str, Json], window: Window) -> Rows:
    asked = {api_id(name): name for name in window.columns}
    for key, values in metrics.items():
        name = asked.get(key.upper(), key.upper())
        if name in EXCLUDED:
            yield None
        elif isinstance(values, list):
            yield from _values(symbol, name, cast("list[Json]", values), window)
        else:
            yield _no_series(symbol, values)


def _values(symbol: str, name: str, rows: list[Json], window: Window) -> Rows:
    def value(row: Point) -> MetricValue | None:
        if row.val is None or not window.holds(row.date):
            return None
        return MetricValue(metric_of(name), "ticker", symbol, row.date, row.val)

    for item in spec.read_rows(Point, rows, value):
        yield replace(item, symbol=symbol) if isinstance(item, Bad) else item


def _no_series(symbol: str, value: Json) -> Bad | None:
    """Words and null are no data. A bare number has no day: nobody can tell how old it is, so it is not stored."""
    if value is None or isinstance(value, str):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Bad(symbol, "undated", f"{value} without the day it is of")
    return Bad(symbol, "unreadable", f"a series expected, not {type(value).__name__}")


listed = spec.each(Listing, _listed, _listings, "name")
asset_symbols = spec.always(get("/asset/symbols/", costs=COST))
ASSETS = replace(
    Feed("fundamentals", "market", asset_symbols, Assets, assets, DAY, DOCS),
    ready_after=timedelta(minutes=5),
    needs_key=True,
)


def supported_metrics(symbol: str) -> Feed:
    """The metrics that a thing has."""
    request = spec.always(get("/supported-metrics/", costs=COST, symbol=symbol))
    return replace(ASSETS, request=request, answer=Supported, rows=listed)


SOURCE = spec.Source(
    id="artemis",
    name="Artemis",
    base_url="https://data-svc.artemisxyz.com",
    budgets={"requests": spec.Budget(8, timedelta(seconds=1))},
    feeds=(
        ASSETS,
        *(supported_metrics(symbol) for symbol in LIKE),
        replace(
            ASSETS, scope="batch", request=metric, answer=Series, rows=series, step=DAY, history=True, pieces=pieces
        ),
    ),
    docs=DOCS,
    terms="https://app.artemis.xyz",
    key="ARTEMIS_API_KEY",
    signed=signed,
    metrics=tuple(METRICS.values()),
)
