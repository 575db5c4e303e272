"""Who is killed before all that was missed is stored, is followed by who asks for the rest of it."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest

from app.db import Database
from app.ingest.errors import Question, Unavailable
from app.ingest.ticks.asking import Archive, Page
from app.services import reference
from app.services import ticks as store
from tests import ticks
from tests.replayed.deribit_world import ms

ID, HOUR = "deribit:BTC", timedelta(hours=1)
Recent = Callable[[Archive, str, datetime, datetime], AsyncIterator[Page]]


async def test_killed_while_it_catches_up(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hours were missed. When the first of them is stored the exchange is down, but its sockets are not."""
    db, recent = clean_database, Archive.recent
    monkeypatch.setattr("app.ingest.ticks.collector.LAST_WORDS", 0.0)
    async with ticks.replayed(db, monkeypatch, busy=0.5) as (engine, source, there):
        since = there.world.start
        there.now.start += 3 * HOUR
        await store.note_complete(db, ID, since)
        monkeypatch.setattr(Archive, "recent", _down_from(since + HOUR, recent))
        async with ticks.collected(engine, source, there) as live:
            await there.now.sleep(60)
            await ticks.wait_for_trades(db, ticks.happened(there, since, since + HOUR))
            await ticks.wait_for_trades(db, ticks.happened(there, live, there.now() - timedelta(seconds=15)))
        until = await store.complete_until(db, ID)
        assert until
        assert abs(until - since - HOUR) < timedelta(minutes=1)
        monkeypatch.setattr(Archive, "recent", recent)
        async with ticks.collected(engine, source, there):
            await ticks.wait_for_trades(db, ticks.happened(there, since, there.now()))
            now = there.now()
            await there.now.sleep(10)
        assert (await store.complete_until(db, ID) or since) > now - timedelta(minutes=2)
        assert {row["dataset"] for row in await db.reads.fetch(ticks.GAPS)} <= {"book", "quotes"}


async def test_what_was_listed_and_expired_meanwhile(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db, symbol = clean_database, "BTC-10MAR26-70000-C"
    async with ticks.replayed(db, monkeypatch) as (engine, source, there):
        expiry = there.world.start.replace(hour=8)
        like = {"instrument_name": symbol, "direction": "buy", "price": 0.05, "amount": 1.0}
        there.world.trades[symbol] = [
            like | {"trade_seq": n, "trade_id": str(n), "timestamp": ms(expiry - HOUR / n)} for n in (1, 2, 3)
        ]
        await store.note_complete(db, ID, expiry - 2 * HOUR)
        async with ticks.collected(engine, source, there):
            await ticks.wait_for_trades(db, {(symbol, 1), (symbol, 2), (symbol, 3)})
        listed = (await reference.instruments(db, "deribit", ("option",)))[symbol]
        assert (listed.base, listed.quote, listed.active, listed.expires_at) == ("BTC", "BTC", False, expiry)
        assert (listed.strike, listed.option_type) == (70000.0, "call")


def _down_from(moment: datetime, recent: Recent) -> Recent:
    async def told(archive: Archive, currency: str, since: datetime, until: datetime) -> AsyncIterator[Page]:
        if until > moment:
            raise Unavailable("down", Question("deribit"))
        async for page in recent(archive, currency, since, until):
            yield page

    return told
