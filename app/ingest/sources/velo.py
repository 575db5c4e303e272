"""Velo: perpetuals of four exchanges by the hour, as an aggregator tells them.

Answers are CSV with a header, errors plain text; an empty body is an answer without rows. Times are epoch milliseconds
of a bucket's start, windows half-open, resolution whole minutes: `1h` would be read as one. Coins are Velo's own names,
the same on all exchanges; funding is a fraction per 8 hours on each, hourly ones too. Not only requests are counted but
their cells: hours x exchanges x coins x columns, whether there is anything in them or not.
"""

import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from math import fsum
from operator import itemgetter
from statistics import fmean
from typing import ClassVar, NamedTuple

from pydantic import ConfigDict

from app.ingest import spec
from app.ingest.spec import Aim, Bad, Feed, Json, MaybeMs, Ms, Request, Window, Wire, get
from app.records import BadRecord, Domain, Metric, MetricValue, PerpHour, Product, Record, check_quantity

DOCS = "https://docs.velo.xyz/api"
HOUR = timedelta(hours=1)
CELLS, COINS = 22_500, 500  # a request; the coins keep its address below some 8,000 characters
EXCHANGES = {"binance": "binance-futures", "bybit": "bybit", "okx": "okex-swap", "hyperliquid": "hyperliquid"}
SLUGS = {theirs: ours for ours, theirs in EXCHANGES.items()}
NOT_TOLD = {"", "null", "nan", "undefined"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

Combine = Callable[[Sequence[float]], float]
first, last = itemgetter(0), itemgetter(-1)


class Column(NamedTuple):
    """A column of Velo: the metric it is, and how the buckets of an hour become the hour's value."""

    metric: Metric
    combine: Combine


def _column(domain: Domain, name: str, ours: str, unit: str, combine: Combine, about: str = "", to: str = "") -> Column:
    covers, signed = "instant" if combine in (first, last) else "1h", unit == RATE or ours == "premium"
    return Column(Metric(name, to or name, unit, domain, "hourly", covers, signed, ours, about), combine)


PRICE, USD, COIN, RATE = "USD a coin", "USD", "coins", "fraction per 8 h"
AT_THE_END, OF_AN_HOUR = "At the end of the hour.", "Velo's value is the volume of one hour, not of 24."
trading, derivative = partial(_column, "trading"), partial(_column, "derivative")
COLUMNS = {
    "open_price": trading("OPEN_PRICE", "open", PRICE, first, "At the beginning of the hour."),
    "high_price": trading("HIGH_PRICE", "high", PRICE, max),
    "low_price": trading("LOW_PRICE", "low", PRICE, min),
    "close_price": trading("CLOSE_PRICE", "close", PRICE, last, AT_THE_END, "PRICE"),
    "coin_volume": trading("COIN_VOLUME", "volume_base", COIN, fsum),
    "dollar_volume": trading("DOLLAR_VOLUME", "volume_usd", USD, fsum, OF_AN_HOUR, "TRADING_VOLUME_24H"),
    "buy_trades": trading("BUY_TRADES", "buy_trades", "count", fsum),
    "sell_trades": trading("SELL_TRADES", "sell_trades", "count", fsum),
    "total_trades": trading("TOTAL_TRADES", "trades", "count", fsum),
    "buy_coin_volume": trading("BUY_COIN_VOLUME", "buy_volume_base", COIN, fsum, "Bought by takers."),
    "sell_coin_volume": trading("SELL_COIN_VOLUME", "sell_volume_base", COIN, fsum, "Sold by takers."),
    "buy_dollar_volume": trading("BUY_DOLLAR_VOLUME", "buy_volume_usd", USD, fsum, "Bought by takers."),
    "sell_dollar_volume": trading("SELL_DOLLAR_VOLUME", "sell_volume_usd", USD, fsum, "Sold by takers."),
    "coin_open_interest_high": derivative("COIN_OI_HIGH", "oi_base_high", COIN, max),
    "coin_open_interest_low": derivative("COIN_OI_LOW", "oi_base_low", COIN, min),
    "coin_open_interest_close": derivative("COIN_OI_CLOSE", "oi_base_close", COIN, last, AT_THE_END),
    "dollar_open_interest_high": derivative("DOLLAR_OI_HIGH", "oi_usd_high", USD, max),
    "dollar_open_interest_low": derivative("DOLLAR_OI_LOW", "oi_usd_low", USD, min),
    "dollar_open_interest_close": derivative("DOLLAR_OI_CLOSE", "oi_usd_close", USD, last, AT_THE_END, "OPEN_INTEREST"),
    "funding_rate": derivative("FUNDING_RATE", "funding_rate_8h", RATE, last, AT_THE_END),
    "funding_rate_avg": derivative("FUNDING_RATE_AVG", "funding_rate_8h_mean", RATE, fmean, "Mean of the hour."),
    "premium": derivative("PREMIUM", "premium", "", last, "Mark against index price; unit unproven."),
    "buy_liquidations": derivative("BUY_LIQUIDATIONS", "buy_liquidations", "count", fsum),
    "sell_liquidations": derivative("SELL_LIQUIDATIONS", "sell_liquidations", "count", fsum),
    "buy_liquidations_coin_volume": derivative("BUY_LIQ_COIN_VOL", "buy_liquidation_base", COIN, fsum),
    "sell_liquidations_coin_volume": derivative("SELL_LIQ_COIN_VOL", "sell_liquidation_base", COIN, fsum),
    "liquidations_coin_volume": derivative("LIQ_COIN_VOL", "liquidation_base", COIN, fsum),
    "buy_liquidations_dollar_volume": derivative("BUY_LIQ_DOLLAR_VOL", "buy_liquidation_usd", USD, fsum),
    "sell_liquidations_dollar_volume": derivative("SELL_LIQ_DOLLAR_VOL", "sell_liquidation_usd", USD, fsum),
    "liquidations_dollar_volume": derivative("LIQ_DOLLAR_VOL", "liquidation_usd", USD, fsum),
}
ESSENTIAL = ("close_price", "dollar_volume", "dollar_open_interest_close", "funding_rate", "liquidations_dollar_volume")
OTHERS = tuple(name for name in COLUMNS if name not in ESSENTIAL)


def problem(status: int, body: Json) -> spec.Problem | None:
    """Errors are a line of plain text and an HTTP status."""
    message = str(body).strip() or f"HTTP {status}"
    return spec.told(status, status, message, too_many=(), busy={408}) if status >= 400 else None


def signed(request: Request, key: str | None) -> Request:
    """HTTP Basic, the key as the password of the user `api`."""
    basic = b64encode(f"api:{key}".encode()).decode()
    return replace(request, headers=(*request.headers, ("Accept", "*/*"), ("Authorization", f"Basic {basic}")))


class Catalogue(spec.Table):
    """`exchange,coin,product,begin,depth`"""

    needs: ClassVar = frozenset({"exchange", "coin", "product", "begin"})
    rows: spec.SomeRows


class Future(Wire):
    """`binance-futures,ABC,ABCUSDT,1700000000000,true`; `begin` is its first data."""

    exchange: str
    coin: str
    product: str
    begin: MaybeMs


def future(row: Future, window: Window) -> Product | None:
    """A perpetual of one of our exchanges; delisted ones are in another list."""
    slug = SLUGS.get(row.exchange)
    return Product(slug, row.product, row.coin, row.begin) if slug else None


class Buckets(spec.Table):
    """`exchange,coin,product,time` and the columns, in the order asked for"""

    needs: ClassVar = frozenset({"exchange", "coin", "product", "time"})


class Bucket(Wire):
    """`binance-futures,ABC,ABCUSDT,1795190400000,80.5,...`"""

    model_config = ConfigDict(extra="allow", frozen=True)
    exchange: str
    coin: str
    product: str
    time: Ms

    @property
    def told(self) -> dict[str, str]:
        """What it tells of each column, as text."""
        return self.model_extra or {}


def rows(window: Window) -> Request:
    """Hours of some coins on some exchanges."""
    exchanges = ",".join(EXCHANGES[slug] for slug in window.exchanges)
    asked = {"exchanges": exchanges, "coins": ",".join(window.subjects), "columns": ",".join(window.columns)}
    times = {"begin": window.start_ms, "end": window.last_ms + 1, "resolution": 60}
    return get("/api/v1/rows", costs={"requests": 1}, type="futures", **asked, **times)


def hours(answer: Buckets, window: Window) -> Iterator[Record | Bad | None]:
    """The hours of an answer. Buckets shorter than an hour, which nobody asked for, become the hour they are of."""
    if answer.header and tuple(name for name in answer.header if name in window.columns) != window.columns:
        yield Bad(None, "unreadable", f"the header {','.join(answer.header)} is not of the columns asked for")
        return
    asked = set(product((EXCHANGES[slug] for slug in window.exchanges), window.subjects))
    found = defaultdict[tuple[str, str, datetime], list[Bucket]](list)
    for item in spec.read_rows(Bucket, answer.rows, partial(_checked, asked), "product"):
        if isinstance(item, Bad):
            yield item
        else:
            found[item.exchange, item.product, _hour(item.time)].append(item)
    for buckets in found.values():
        yield from _records(buckets)


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _checked(asked: Collection[tuple[str, str]], bucket: Bucket) -> Bucket:
    """The bucket itself. Raises BadRecord where it is not one that was asked for."""
    if (bucket.exchange, bucket.coin) not in asked:
        raise BadRecord("not_asked", f"{bucket.coin} of {bucket.exchange} was not asked for")
    if not bucket.product:
        raise BadRecord("no_product", f"{bucket.coin} of {bucket.exchange} is of no product in particular")
    return bucket


def _records(buckets: list[Bucket]) -> Iterator[Record | Bad | None]:
    """The record of one hour, then a value for each column that nobody asked for."""
    by_time = {bucket.time: bucket for bucket in buckets}
    ordered, symbol = [by_time[time] for time in sorted(by_time)], buckets[0].product
    yield spec.tried(_perp_hour, ordered, symbol)
    for name in (name for name in ordered[0].told if name and name not in COLUMNS):
        yield spec.tried(partial(_value, name), ordered, symbol)


def _perp_hour(buckets: list[Bucket]) -> PerpHour | None:
    of, values = buckets[0], dict[str, float]()
    for name in (name for name in of.told if name in COLUMNS):
        metric, told = COLUMNS[name].metric, _numbers(name, buckets)
        for value in () if metric.signed else told:
            check_quantity(name, value)
        if told and metric.column:
            values[metric.column] = COLUMNS[name].combine(told)
    return PerpHour(SLUGS[of.exchange], of.product, _hour(of.time), values) if values else None


def _value(name: str, buckets: list[Bucket]) -> MetricValue | None:
    of, told, called = buckets[0], _numbers(name, buckets), name.upper()
    metric = Metric(called, called, "", "derivative", "hourly", "1h", signed=True)
    return MetricValue(metric, "coin", of.coin, _hour(of.time), told[-1], SLUGS[of.exchange]) if told else None


def _numbers(name: str, buckets: Iterable[Bucket]) -> list[float]:
    """What the buckets tell of a column, by time. Raises ValueError where one tells something else than a number."""
    told: list[float] = []
    for text in (bucket.told[name].strip() for bucket in buckets):
        if NUMBER.fullmatch(text):
            told.append(float(text))
        elif text.lower() not in NOT_TOLD:
            raise ValueError(f"{name} is {text[:40]!r}")
    return told


def pieces(aim: Aim) -> Iterator[Window]:
    """The fewest requests for all hours of all pairs; past six hours the essential columns before the others."""
    start, end = _hour(aim.start), _hour(aim.end)
    pairs = [(slug, coin) for slug, coin in aim.pairs if slug in EXCHANGES]
    for columns in (ESSENTIAL, OTHERS) if end - start > 6 * HOUR else (tuple(COLUMNS),):
        for box in spec.boxes(pairs, (end - start) // HOUR, spec.Limit(CELLS // len(columns), COINS)):
            begin, until = start + box.first * HOUR, start + (box.first + box.steps) * HOUR
            yield Window(begin, until, subjects=box.subjects, exchanges=box.exchanges, columns=columns)


futures = spec.always(get("/api/v1/futures", costs={"requests": 1}))
products = spec.each(Future, future, lambda answer: answer.rows, "product")
PERP_1H = Feed("perp_1h", "batch", rows, Buckets, hours, HOUR, f"{DOCS}/http", step=HOUR, history=True)

SOURCE = spec.Source(
    id="velo",
    name="Velo",
    base_url="https://api.velo.xyz",
    budgets={"requests": spec.Budget(120, timedelta(seconds=30))},
    feeds=(
        Feed("instruments", "market", futures, Catalogue, products, HOUR, f"{DOCS}/http"),
        replace(PERP_1H, ready_after=timedelta(minutes=5), pieces=pieces),
    ),
    docs=DOCS,
    terms="https://docs.velo.xyz",
    key="VELO_API_KEY",
    signed=signed,
    answers="text",
    metrics=tuple(column.metric for column in COLUMNS.values()),
    problem=problem,
)
