"""Indexes: how they stand, the volatility index (DVOL) by the minute, and what contracts were delivered at."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from typing import Annotated

from pydantic import Field

from app.ingest import spec
from app.ingest.sources.deribit.reading import Percent
from app.ingest.sources.deribit.rest import DOCS, HOUR, MINUTE, Answer, ask
from app.ingest.spec import ArrayRow, Bad, Feed, Json, Ms, Num, Request, Window, Wire
from app.records import DeliveryPrice, IndexPrice, Record, is_volatility_index

DELIVERIES = 1000
MINUTES = 1000 + 1  # of the volatility index in an answer, and one more: see `Feed.limit`
EPOCH = datetime.fromtimestamp(0, UTC)
DELIVERED = time(8, tzinfo=UTC)


class Price(Wire):
    """`{"index_price":80814.47,"estimated_delivery_price":80814.47}`: no time, no name"""

    index_price: Num


class PriceAnswer(Answer[Price]):
    """The envelope alone says when this was so: microseconds at which it was sent out."""

    usOut: Annotated[int, Field(gt=0, lt=2**53)] | None = None


def _told_at(answer: PriceAnswer, window: Window) -> datetime:
    """When it was asked would be before it was so, which nobody could have known then."""
    return window.start if answer.usOut is None else EPOCH + timedelta(microseconds=answer.usOut)


def index_price(index: str, every: timedelta) -> Feed:
    """How an index stands now."""

    def rows(answer: PriceAnswer, window: Window) -> Iterator[Record | Bad]:
        at = _told_at(answer, window)
        yield spec.tried(lambda told: IndexPrice(index, at, told.index_price), answer.result, index)

    request, docs = ask("get_index_price", index_name=index), f"{DOCS}/public-get_index_price"
    return Feed(
        "index_price",
        "market",
        spec.always(request),
        PriceAnswer,
        rows,
        every,
        docs,
        kinds=("index",),
        tells_of=lambda one: one.symbol == index,
    )


class Volatility(Wire):
    """`{"data":[[1791281700000,47.52,47.53,47.52,47.53]],"continuation":null}`: time, open, high, low, close"""

    data: list[Json]
    continuation: int | None = None


class VolatilityBar(ArrayRow):
    opens: Ms
    open: Percent
    high: Percent
    low: Percent
    close: Percent


def volatility_data(window: Window) -> Request:
    """Minutes of the volatility index. Pages go backwards: each ends where the one before said."""
    times = {"start_timestamp": window.start_ms, "end_timestamp": window.cursor or window.last_ms}
    return ask("get_volatility_index_data", currency=window.one.base, resolution=60, **times)


def earlier(answer: Answer[Volatility]) -> str | None:
    """Until when the next page, which is of earlier minutes, is to be asked for."""
    return None if answer.result.continuation is None else str(answer.result.continuation)


def _volatility(row: VolatilityBar, window: Window) -> IndexPrice:
    return IndexPrice(window.symbol, row.opens, row.close, row.open, row.high, row.low)


volatility_bars = spec.each(VolatilityBar, _volatility, attrgetter("result.data"))


def volatilities(answer: Answer[Volatility], window: Window) -> Iterator[Record | Bad | None]:
    """Minutes of the window: a page may reach back past it."""
    for item in volatility_bars(answer, window):
        yield item if not isinstance(item, IndexPrice) or window.holds(item.time) else None


def volatility_index(every: timedelta) -> Feed:
    """Minutes of the volatility indexes there are."""
    return Feed(
        "volatility_index",
        "instrument",
        volatility_data,
        Answer[Volatility],
        volatilities,
        every,
        f"{DOCS}/public-get_volatility_index_data",
        step=MINUTE,
        limit=MINUTES,
        history=True,
        next_cursor=earlier,
        kinds=("index",),
        tells_of=lambda one: is_volatility_index(one.symbol),
    )


class Delivery(Wire):
    """`{"date":"2026-09-20","delivery_price":80321.21}`"""

    date: date
    delivery_price: Num


class Deliveries(Wire):
    """`{"data":[...],"records_total":2614}`, newest first"""

    data: spec.SomeRows


def delivery_prices(index: str) -> Feed:
    """What contracts on an index were delivered at, at 08:00 UTC of each of the last 1,000 days."""

    def price(row: Delivery) -> DeliveryPrice:
        return DeliveryPrice(index, datetime.combine(row.date, DELIVERED), row.delivery_price)

    def rows(answer: Answer[Deliveries], window: Window) -> Iterator[Record | Bad]:
        for item in spec.read_rows(Delivery, answer.result.data, price):
            yield replace(item, symbol=index) if isinstance(item, Bad) else item

    request = ask("get_delivery_prices", index_name=index, count=DELIVERIES)
    return Feed(
        "delivery_prices",
        "market",
        spec.always(request),
        Answer[Deliveries],
        rows,
        HOUR,
        f"{DOCS}/public-get_delivery_prices",
        kinds=("index",),
        tells_of=lambda one: one.symbol == index,
    )
