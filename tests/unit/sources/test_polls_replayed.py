"""What Bybit and OKX, replayed, answer to polls, as their sources read it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.ingest.sources import load
from app.ingest.spec import Feed, Window
from app.records import Instrument, Liquidation, OpenInterest, PerpMinute, PredictedFunding
from tests.replayed import bybit, okx
from tests.replayed import markets as world
from tests.replayed.bodies import coming
from tests.replayed.markets import MINUTES_5, Market

NOW = datetime(2026, 11, 1, 23, 59, 40, tzinfo=UTC)
MINUTE = NOW.replace(second=0)
SERVERS: dict[str, Any] = {"bybit": bybit.answer, "okx": okx.answer}
both = pytest.mark.parametrize("source", SERVERS)


def asked(source: str, dataset: str, market: Market | None = None, since: timedelta = timedelta(hours=1)) -> list[Any]:
    """What a poll tells of the time since."""
    feed: Feed = next(poll for poll in load([source])[source].polls if poll.dataset == dataset)
    margin, size = ("coin", 100.0) if market and market.inverse else ("stable", 0.01)
    one = Instrument(market.symbol, market.base, market.quote, margin=margin, contract_size=size) if market else None
    window = Window(NOW - since, NOW, one)
    request = feed.request(window)
    status, body = SERVERS[source](request.path, dict(request.params), request.body, NOW)
    assert status == 200
    rows = list(feed.rows(TypeAdapter(feed.answer).validate_python(body), window))
    assert feed.limit is None or len(rows) <= feed.limit
    return rows


def estimates(source: str) -> list[PredictedFunding]:
    return [
        PredictedFunding(one.symbol, NOW, world.rate(one, coming(one, NOW)), coming(one, NOW), one.hours)
        for one in world.of(source)
    ]


def interests(source: str) -> list[OpenInterest]:
    return [OpenInterest(one.symbol, NOW, world.coins(one, NOW), world.usd(one, NOW)) for one in world.of(source)]


def marks(source: str, *told: str) -> list[PerpMinute]:
    """Minutes with these prices, which are all the same here."""
    return [PerpMinute(one.symbol, MINUTE, dict.fromkeys(told, world.price(one, NOW))) for one in world.of(source)]


def test_one_answer_of_bybit_tells_how_all_stands() -> None:
    assert asked("bybit", "perp_snapshot") == [
        *estimates("bybit"),
        *interests("bybit"),
        *marks("bybit", "mark_price", "index_price"),
    ]


def test_okx_tells_how_all_stands() -> None:
    assert asked("okx", "predicted_funding") == estimates("okx")
    assert asked("okx", "open_interest") == interests("okx")
    assert asked("okx", "mark_price") == marks("okx", "mark_price")


@both
def test_ratios_of_accounts(source: str) -> None:
    for market in world.of(source):
        rows = asked(source, "long_short", market)
        assert [row.time for row in reversed(rows)] == list(world.grid(NOW - timedelta(hours=1), NOW, MINUTES_5))
        for row in rows:
            share = world.long_share(market, row.time)
            assert row.symbol == market.symbol
            assert row.values["long_short_ratio"] == pytest.approx(share / (1 - share))


@pytest.mark.parametrize("market", [pytest.param(one, id=one.symbol) for one in world.of("okx")])
def test_past_liquidations(market: Market) -> None:
    since = timedelta(hours=3)
    told = list(world.liquidations(market, NOW - since, NOW))
    assert {side for _, side, _, _ in told} == {"long", "short"}
    rows = asked("okx", "liquidations", market, since)[::-1]
    assert all(isinstance(row, Liquidation) and row.symbol == market.symbol for row in rows)
    assert [(row.time, row.side, row.price) for row in rows] == [(time, side, price) for time, side, price, _ in told]
    coins = [count * (100 / price if market.inverse else 0.01) for _, _, price, count in told]
    assert [row.quantity for row in rows] == pytest.approx(coins)
    assert asked("okx", "liquidations", market, timedelta(seconds=30)) == []
