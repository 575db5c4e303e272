"""What the replayed exchanges answer to polls, as the sources read it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.ingest.sources import load
from app.ingest.spec import Feed, Window
from app.records import Instrument, OpenInterest, PerpMinute, PredictedFunding
from tests.replayed import binance, hyperliquid
from tests.replayed import markets as world
from tests.replayed.bodies import coming

NOW = datetime(2026, 11, 1, 23, 59, 40, tzinfo=UTC)
MINUTE = NOW.replace(second=0)
SERVERS: dict[str, Any] = {"binance": binance.answer, "hyperliquid": hyperliquid.answer}


def polled(source: str) -> Iterator[Any]:
    """All that the polls of a source tell of the last quarter of an hour."""
    for poll in load([source])[source].polls:
        for market in world.of(source) if poll.scope == "instrument" else [None]:
            instrument = Instrument(market.symbol, market.base, market.quote) if market else None
            yield from asked(source, poll, Window(NOW - timedelta(minutes=15), NOW, instrument))


def asked(source: str, poll: Feed, window: Window) -> list[Any]:
    request = poll.request(window)
    status, body = SERVERS[source](request.path, dict(request.params), request.body, NOW)
    assert status == 200
    return [item for item in poll.rows(TypeAdapter(poll.answer).validate_python(body), window) if item is not None]


def test_binance() -> None:
    items = list(polled("binance"))
    assert [item for item in items if isinstance(item, OpenInterest)] == [
        OpenInterest(market.symbol, NOW, world.coins(market, NOW), None) for market in world.of("binance")
    ]
    minutes = {
        (item.symbol, item.time): item.values["long_short_ratio"] for item in items if isinstance(item, PerpMinute)
    }
    assert len(minutes) + len(world.of("binance")) == len(items)
    assert len(minutes) == 3 * len([market for market in world.of("binance") if market.active])
    for (symbol, time), ratio in minutes.items():
        market = world.find("binance", symbol)
        assert market
        share = world.long_share(market, time)
        assert ratio == pytest.approx(share / (1 - share), abs=0.0001)


def test_hyperliquid() -> None:
    active = [market for market in world.of("hyperliquid") if market.active]
    assert list(polled("hyperliquid")) == [
        *(PredictedFunding(m.symbol, NOW, world.rate(m, coming(m, NOW)), coming(m, NOW), 1) for m in active),
        *(OpenInterest(m.symbol, NOW, world.coins(m, NOW), world.coins(m, NOW) * world.price(m, NOW)) for m in active),
        *(
            PerpMinute(m.symbol, MINUTE, dict.fromkeys(("mark_price", "index_price"), world.price(m, NOW)))
            for m in active
        ),
    ]
