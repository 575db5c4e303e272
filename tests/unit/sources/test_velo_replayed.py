"""Velo asked over a socket: the newest hour of all pairs in two requests, minutes instead of hours, and its limits."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import settings
from app.ingest.errors import Malformed, Refused, Throttled
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.runner import Patience, opened
from app.ingest.sources.velo import COLUMNS, EXCHANGES, PERP_1H, SOURCE, Buckets, pieces
from app.ingest.spec import Aim, Request, Rows, Window
from app.records import PerpHour
from tests.replay import HTML, Replay
from tests.replayed import velo as replayed

NOW = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAST = NOW.replace(minute=0) - HOUR
SLUGS = {theirs: ours for ours, theirs in EXCHANGES.items()}


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    replayed.calm()
    with Replay(now=lambda: NOW) as replay:
        monkeypatch.setenv("VELO_BASE_URL", replay.url)
        monkeypatch.setenv("VELO_API_KEY", replayed.KEY)
        settings.environment.cache_clear()
        yield replay
    settings.environment.cache_clear()
    replayed.calm()


@pytest.fixture
async def asking(replay: Replay) -> AsyncIterator[Line]:
    async with opened(Patience(tries=1), now=lambda: NOW) as web:
        yield Line(replace(web, limiters={}), SOURCE)


def stored(market: replayed.Market, hour: datetime) -> dict[str, float]:
    number = round(hour.timestamp()) // 3600
    return {str(column.metric.column): replayed.value(market, name, number) for name, column in COLUMNS.items()}


def window(hours: int = 1, **more: object) -> Window:
    asked = Window(LAST - (hours - 1) * HOUR, LAST + HOUR, subjects=("BTC", "888"), exchanges=("binance", "okx"))
    return replace(asked, columns=tuple(COLUMNS), **more)


async def test_the_newest_hour_of_all_pairs(asking: Line) -> None:
    pairs = frozenset((SLUGS[market.exchange], market.coin) for market in replayed.listing())
    found = Fetched()
    for asked in pieces(Aim(LAST, LAST + HOUR, live=True, pairs=pairs, keyed=True)):
        found += await fetch(asking, PERP_1H, asked)
    assert not found.bad
    assert len(found.records) == len(pairs) == 1069
    values = {(item.exchange, item.symbol): item.values for item in found.records if isinstance(item, PerpHour)}
    assert values == {
        (SLUGS[market.exchange], market.product): pytest.approx(stored(market, LAST), rel=1e-12)
        for market in replayed.listing()
    }
    assert (asking.requests, replayed.mood.asked) == (2, 2)


async def test_minutes_instead_of_hours_make_the_same_hours(asking: Line) -> None:
    hours = await fetch(asking, PERP_1H, window(3))
    replayed.mood.minutes = True
    minutes = await fetch(asking, PERP_1H, window(3))
    assert len(hours.records) == 12
    for hour, minute in zip(hours.records, minutes.records, strict=True):
        assert isinstance(hour, PerpHour)
        assert isinstance(minute, PerpHour)
        assert (minute.exchange, minute.symbol, minute.time) == (hour.exchange, hour.symbol, hour.time)
        assert minute.values == pytest.approx(hour.values, rel=1e-12)
    assert not minutes.bad


async def test_the_catalogue(asking: Line) -> None:
    found = await fetch(asking, SOURCE.feeds[0], Window(NOW, NOW))
    assert [(item.symbol, getattr(item, "coin", None)) for item in found.records] == [
        (market.product, market.coin) for market in replayed.listing()
    ]
    assert not found.bad


async def test_an_empty_body_is_no_data(asking: Line) -> None:
    new_year = datetime(2020, 1, 1, tzinfo=UTC)  # before anything was listed
    assert await fetch(asking, PERP_1H, replace(window(), start=new_year, end=new_year + HOUR)) == Fetched()
    assert replayed.mood.asked == 1


async def test_a_page_of_html_is_malformed(asking: Line, replay: Replay) -> None:
    replay.misbehave(HTML)
    with pytest.raises(Malformed, match="header"):
        await fetch(asking, PERP_1H, window())


async def test_other_columns_than_asked_for_are_malformed(asking: Line, replay: Replay) -> None:
    feed = replace(PERP_1H, request=lambda asked: PERP_1H.request(replace(asked, columns=("close_price",))))
    with pytest.raises(Malformed, match="not of the columns asked for"):
        await fetch(asking, feed, window())


async def test_past_the_cells_allowed(asking: Line) -> None:
    with pytest.raises(Refused, match="22560 cells, 22500 are allowed"):
        await fetch(asking, PERP_1H, window(188))


async def test_asked_too_often(asking: Line) -> None:
    replayed.mood.allowed = 2
    for _ in range(2):
        await fetch(asking, PERP_1H, window())
    with pytest.raises(Throttled, match="Too many requests"):
        await fetch(asking, PERP_1H, window())
    assert replayed.mood.most == 3


async def test_a_wrong_key(asking: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELO_API_KEY", "another")
    settings.environment.cache_clear()
    with pytest.raises(Refused, match="Unauthorized") as caught:
        await fetch(asking, PERP_1H, window())
    assert caught.value.everywhere
    assert "another" not in f"{caught.value} {caught.value.question}"


async def test_one_hour_as_a_word_would_be_minutes(asking: Line) -> None:
    """Why `resolution` is 60: the replayed Velo, like the real one as far as is known, takes `1h` for 1."""
    told: list[int] = []

    def in_words(asked: Window) -> Request:
        request = PERP_1H.request(asked)
        return replace(request, params=tuple((k, "1h" if k == "resolution" else v) for k, v in request.params))

    def counted(answer: Buckets, asked: Window) -> Rows:
        told.append(len(answer.rows))
        return PERP_1H.rows(answer, asked)

    asked = replace(window(), columns=("close_price",))
    hours = await fetch(asking, replace(PERP_1H, rows=counted), asked)
    assert await fetch(asking, replace(PERP_1H, rows=counted, request=in_words), asked) == hours
    assert told == [4, 240]
