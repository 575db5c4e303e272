"""Deribit's history page by page: charts (trap 7), the volatility index; and order books."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.ingest.pages import Fetched, Line, fetch
from app.ingest.plan import Stretch, page, windows
from app.ingest.runner import Patience, Web
from app.ingest.sources.deribit import SOURCE
from app.ingest.sources.deribit.reading import depth
from app.ingest.spec import Feed, Window
from app.records import VOLATILITY_INDEX, IndexPrice, Instrument
from tests.deribit_rows import DVOL, HOUR, MINUTE, MS, NOON, PERP, asked, feeds, read

KEPT = 5001
"""Bars that an answer of the chart keeps, the newest ones, without a word."""


def chart(request: httpx.Request) -> httpx.Response:
    """Bars of every minute there was, anchored at the end, as a reply of the chart."""
    asked = {name: int(told) for name, told in request.url.params.items() if told.isdigit()}
    step = asked["resolution"] * 60_000
    first = -(-asked["start_timestamp"] // step) * step
    ticks = list(range(first, asked["end_timestamp"] + 1, step))[-KEPT:]
    return answered(columns(ticks))


def columns(ticks: list[int]) -> dict[str, Any]:
    """In the order of the wire; a filler where the minute is even."""
    traded = [float(tick // 60_000 % 2) for tick in ticks]
    flat = [100.0] * len(ticks)
    return {
        "volume": traded,
        "ticks": ticks,
        "status": "ok" if ticks else "no_data",
        "open": flat,
        "low": flat,
        "high": flat,
        "cost": [100.0 * volume for volume in traded],
        "close": flat,
    }


def answered(result: Any) -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "result": result, "usIn": 1, "usOut": 2, "testnet": False})


async def fetched(feed: Feed, handler: Callable[[httpx.Request], httpx.Response], *asked: Window) -> list[Fetched]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        line = Line(Web(client, limiters={}, patience=Patience(tries=1)), SOURCE)
        return [await fetch(line, feed, window, live=False) for window in asked]


async def test_four_days_of_minutes_come_without_a_hole() -> None:
    [feed] = feeds(SOURCE, "candles_1m")
    start, end = NOON - timedelta(days=4), NOON
    pieces = list(windows(Stretch(feed, start, end, PERP), {}))
    found = await fetched(feed, chart, *pieces)
    times = [record.time for one in found for record in one.records]  # type: ignore[union-attr]
    assert times == [start + n * MINUTE for n in range(4 * 1440)]
    assert not any(one.bad for one in found)
    assert len(pieces) == 2
    assert all(piece.end - piece.start <= 4000 * MINUTE for piece in pieces)


async def test_a_window_too_long_would_have_a_hole() -> None:
    """What the test before would not notice, if this answered like an upstream that tells all."""
    [feed] = feeds(SOURCE, "candles_1m")
    whole = replace(feed, limit=10_000)
    [found] = await fetched(whole, chart, Window(NOON - timedelta(days=4), NOON, PERP))
    assert len(found.records) == KEPT


def test_a_page_is_of_bars_that_an_answer_holds() -> None:
    for dataset, step in (("candles_1m", MINUTE), ("candles_1h", HOUR)):
        [feed] = feeds(SOURCE, dataset)
        assert page(feed, PERP) == 4000 * step
        assert feed.kinds == ("perp", "future")
        assert asked(feed)["resolution"] == {MINUTE: "1", HOUR: "60"}[step]  # `1D` opens at 08:00
        assert asked(feed)["start_timestamp"] == str(MS - 3_600_001)


def test_fillers_are_candles_without_volume() -> None:
    filler, traded = read(SOURCE, "candles_1m", columns([MS, MS + 60_000]), PERP)
    assert (filler.volume_base, filler.volume_usd, filler.close) == (0, 0, 100)
    assert (traded.volume_base, traded.volume_usd) == (1, 100)


def test_bars_before_the_window_are_left() -> None:
    items = read(SOURCE, "candles_1m", columns([MS - 3_660_000, MS - 3_600_000]), PERP)
    assert [item.time for item in items] == [NOON - HOUR]


def test_no_data_is_an_answer() -> None:
    assert read(SOURCE, "candles_1m", columns([]), PERP) == []


def test_columns_of_different_length_are_no_answer() -> None:
    with pytest.raises(ValueError, match="columns of different length"):
        read(SOURCE, "candles_1m", {**columns([MS, MS + 60_000]), "open": [1.0]}, PERP)


# The volatility index.


def volatility(request: httpx.Request) -> httpx.Response:
    """The newest 1,000 minutes of what is asked for, and until when to ask on."""
    start, end = (int(request.url.params[name]) for name in ("start_timestamp", "end_timestamp"))
    ticks = list(range(-(-start // 60_000) * 60_000, end + 1, 60_000))
    kept = ticks[-1000:]
    more = kept[0] - 60_000 if len(ticks) > len(kept) else None
    return answered({"data": [[tick, 47.5, 47.6, 47.4, 47.55] for tick in kept], "continuation": more})


async def test_pages_of_the_volatility_index_go_backwards() -> None:
    [feed] = feeds(SOURCE, "volatility_index")
    [found] = await fetched(feed, volatility, Window(NOON - 50 * HOUR, NOON + MINUTE / 2, DVOL))
    times = sorted(record.time for record in found.records)  # type: ignore[union-attr]
    assert times == [NOON - 50 * HOUR + n * MINUTE for n in range(3001)]
    assert found.bad == []


def test_volatilities_are_told_as_fractions() -> None:
    told = {"data": [[MS, 47.5, 47.6, 47.4, 47.55]], "continuation": None}
    [item] = read(SOURCE, "volatility_index", told, DVOL)
    assert (item.open, item.high, item.low, item.close) == (0.475, 0.476, 0.474, 0.4755)


@pytest.mark.parametrize(
    ("clock", "told_at"),
    [
        ({"usIn": MS * 1000, "usOut": MS * 1000 + 1234}, NOON + timedelta(microseconds=1234)),
        ({"usOut": None}, NOON - timedelta(seconds=9)),
        ({}, NOON - timedelta(seconds=9)),
    ],
)
def test_an_index_is_of_when_it_was_told(clock: dict[str, Any], told_at: datetime) -> None:
    """Not of when it was asked for, which was earlier: nobody could have known it then."""
    feed, asked_at = feeds(SOURCE, "index_price")[0], NOON - timedelta(seconds=9)
    answer = feed.answer.model_validate({"result": {"index_price": 80814.47}, **clock})
    assert list(feed.rows(answer, Window(asked_at, asked_at))) == [IndexPrice("btc_usd", told_at, 80814.47)]


def test_of_which_indexes_a_feed_tells() -> None:
    of = {name: Instrument(name, "BTC", "USD", "index") for name in ("btc_usd", "eth_usd", "BTC-DVOL")}
    [volatilities] = feeds(SOURCE, "volatility_index")
    bitcoin, ether = feeds(SOURCE, "index_price")
    assert [name for name, one in of.items() if volatilities.is_about(one)] == [f"BTC{VOLATILITY_INDEX}"]
    assert [name for name, one in of.items() if bitcoin.is_about(one)] == ["btc_usd"]
    assert [name for name, one in of.items() if ether.is_about(one)] == ["eth_usd"]
    assert [name for name, one in of.items() if feeds(SOURCE, "delivery_prices")[0].is_about(one)] == ["btc_usd"]


# Order books.


def test_an_empty_side_is_a_side() -> None:
    told = {"instrument_name": "BTC-PERPETUAL", "timestamp": MS, "change_id": 7, "bids": [], "asks": [[1.5, 2]]}
    assert depth(told).bids == ()
    [item] = read(SOURCE, "depth", told, PERP)
    assert (item.bids, item.asks, item.time, item.change_id) == ((), ((1.5, 2.0),), NOON, 7)
