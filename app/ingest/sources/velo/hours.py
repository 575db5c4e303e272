"""Rows of Velo as hours of perpetuals: a column that cannot be read costs itself, a row that cannot be read its row."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import product
from typing import ClassVar

from pydantic import ConfigDict

from app.ingest import spec
from app.ingest.sources.velo.columns import COLUMNS, numbers, value_of
from app.ingest.spec import Bad, Ms, Window, Wire
from app.records import HOUR_PRICES, BadRecord, Metric, MetricValue, PerpHour, Record, check_hour_prices

EXCHANGES = {"binance": "binance-futures", "bybit": "bybit", "okx": "okex-swap", "hyperliquid": "hyperliquid"}
SLUGS = {theirs: ours for ours, theirs in EXCHANGES.items()}


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
            found[item.exchange, item.product, hour_of(item.time)].append(item)
    for buckets in found.values():
        yield from _records(buckets)


def hour_of(time: datetime) -> datetime:
    """The beginning of the hour that a time is in."""
    return time.replace(minute=0, second=0, microsecond=0)


def _checked(asked: Collection[tuple[str, str]], bucket: Bucket) -> Bucket:
    """The bucket itself. Raises BadRecord where it is not one that was asked for."""
    if (bucket.exchange, bucket.coin) not in asked:
        raise BadRecord("not_asked", f"{bucket.coin} of {bucket.exchange} was not asked for")
    if not bucket.product:
        raise BadRecord("no_product", f"{bucket.coin} of {bucket.exchange} is of no product in particular")
    return bucket


def _records(buckets: list[Bucket]) -> Iterator[Record | Bad | None]:
    """The columns refused, the record of all others, and a value for each column that nobody asked for."""
    by_time = {bucket.time: bucket for bucket in buckets}
    ordered, symbol = [by_time[time] for time in sorted(by_time)], buckets[0].product
    values, refused = _values(ordered)
    yield from refused
    if values:
        yield spec.tried(partial(_perp_hour, values), ordered[0], symbol)
    elif not refused:
        yield None
    for name in (name for name in ordered[0].told if name and name not in COLUMNS):
        yield spec.tried(partial(_metric_value, name), ordered, symbol)


def _values(buckets: Sequence[Bucket]) -> tuple[dict[str, float], list[Bad]]:
    """What is told of an hour, by the names of our columns, and what is refused of it."""
    values, refused, symbol = dict[str, float](), list[Bad](), buckets[0].product
    for name in (name for name in buckets[0].told if name in COLUMNS):
        value = spec.tried(partial(value_of, name), _texts(name, buckets), symbol)
        if isinstance(value, Bad):
            refused.append(value)
        elif value is not None:
            values[COLUMNS[name].metric.column or name] = value
    wrong = spec.tried(check_hour_prices, values, symbol)
    if wrong is None:
        return values, refused
    return {name: value for name, value in values.items() if name not in HOUR_PRICES}, [*refused, wrong]


def _perp_hour(values: dict[str, float], of: Bucket) -> PerpHour:
    return PerpHour(SLUGS[of.exchange], of.product, hour_of(of.time), values)


def _metric_value(name: str, buckets: Sequence[Bucket]) -> MetricValue | None:
    of, told, called = buckets[0], numbers(name, _texts(name, buckets)), name.upper()
    metric = Metric(called, called, "", "derivative", "hourly", "1h", signed=True)
    return MetricValue(metric, "coin", of.coin, hour_of(of.time), told[-1], SLUGS[of.exchange]) if told else None


def _texts(name: str, buckets: Sequence[Bucket]) -> list[str]:
    return [bucket.told[name] for bucket in buckets]
