"""Who is killed before all that was missed is stored, is followed by who asks for the rest of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest

from app.db import Database
from app.ingest.errors import Question, Unavailable
from app.ingest.spec import Bad
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


async def test_an_exchange_that_does_not_answer_is_no_database_that_does_not(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    db = clean_database

    async def never(archive: Archive, currency: str, since: datetime, until: datetime) -> AsyncIterator[Page]:
        yield [], [Bad("BTC-PERPETUAL", "unreadable", "an odd one")]
        await asyncio.Event().wait()

    monkeypatch.setattr("app.ingest.ticks.collector.LONGEST_QUESTIONS", 0.05)
    monkeypatch.setattr(Archive, "recent", never)
    async with ticks.replayed(db, monkeypatch) as (engine, source, there), ticks.collected(engine, source, there):
        await there.now.sleep(15)
    assert await db.reads.fetchval("select true from error_log where code = 'upstream_slow'")
    assert await db.reads.fetchval("select true from reject where code = 'unreadable'")
    assert "the database does not answer" not in caplog.text


async def test_what_is_too_long_ago_to_be_asked_for_is_in_the_ledger(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = clean_database
    async with ticks.replayed(db, monkeypatch) as (engine, source, there):
        since = there.world.start - timedelta(days=9)
        await store.note_complete(db, ID, since)
        async with ticks.collected(engine, source, there):
            pass
        gaps = [row for row in await db.reads.fetch(ticks.GAPS) if row["dataset"] == "trades"]
        assert {row["symbol"] for row in gaps} == set(ticks.INSTRUMENTS)
        assert {(row["first"], row["state"]) for row in gaps} == {(since, "unfillable")}
        assert all(abs(row["last"] - since - timedelta(days=2)) < timedelta(minutes=5) for row in gaps)
        assert (await store.complete_until(db, ID) or since) >= since + timedelta(days=2)


def _down_from(moment: datetime, recent: Recent) -> Recent:
    async def told(archive: Archive, currency: str, since: datetime, until: datetime) -> AsyncIterator[Page]:
        if until > moment:
            raise Unavailable("down", Question("deribit"))
        async for page in recent(archive, currency, since, until):
            yield page

    return told
