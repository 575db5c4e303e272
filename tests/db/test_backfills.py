"""Orders of any size, and how far a back-fill has come, on a real database."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db import Database
from app.ingest.chunks import MOST_CHUNKS, MOST_ROWS, Wish, plan
from app.ingest.plan import page
from app.ingest.sources import load
from app.ingest.spec import Source
from app.records import Instrument
from app.services import backfills, reference
from app.services.backfills import Chunk, NothingToAsk, Piece, Worker

END = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
CONTRACTS, DAYS = 400, 3650


async def listed(db: Database, days: int, limit: int = 500) -> Wish:
    """Minutes of many contracts since so many days, of a source whose answers are short."""
    await reference.put_instruments(db, "bybit", [Instrument(f"C{n}USDT", f"C{n}", "USDT") for n in range(CONTRACTS)])
    bybit = load(["bybit"])["bybit"]
    feeds = tuple(replace(feed, limit=limit) for feed in bybit.feeds if feed.dataset == "candles_1m")
    return Wish(replace(bybit, feeds=feeds), END - days * DAY, END)


async def longest_pause() -> float:
    """How long nothing else had a turn, until cancelled."""
    longest, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    except asyncio.CancelledError:
        return max(longest, time.monotonic() - last)


async def test_an_order_of_any_size_has_a_plan_and_blocks_nobody(clean_database: Database) -> None:
    wish = await listed(clean_database, DAYS)
    watch = asyncio.create_task(longest_pause())
    await asyncio.sleep(0)
    found = await plan(clean_database, wish)
    watch.cancel()
    assert await watch < 1
    minutes = DAYS * 1440
    assert found.rows == CONTRACTS * minutes
    assert found.requests == CONTRACTS * -(-minutes // 499)
    assert CONTRACTS < len(found.pieces) <= MOST_CHUNKS
    assert max(piece.rows for piece in found.pieces) <= MOST_ROWS


async def test_chunks_of_a_usual_order_are_a_few_pages(clean_database: Database) -> None:
    wish = await listed(clean_database, 30)
    found = await plan(clean_database, wish)
    one = page(wish.source.feeds[0], None)
    assert one is not None
    assert len(found.pieces) == CONTRACTS * -(-30 * DAY // (8 * one))
    assert max(piece.requests for piece in found.pieces) == 8


async def test_too_much_is_said_at_once(clean_database: Database) -> None:
    with pytest.raises(NothingToAsk, match=r"at most 50,000: order fewer"):
        await plan(clean_database, await listed(clean_database, 5000))


async def begun(db: Database, source: Source, pieces: int) -> int:
    window = {"start": (END - DAY).isoformat(), "end": END.isoformat()}
    asked: dict[str, Any] = {"request": {}, "datasets": ["funding"], "assets": [], "exchanges": [], **window}
    each = [Piece("funding", window) for _ in range(pieces)]
    return (await backfills.order(db, source.id, asked, each, asked_by="test")).id


async def claimed(db: Database, me: Worker) -> Chunk:
    chunk = await backfills.claim(db, me, ["bybit"])
    assert chunk is not None
    return chunk


async def test_requests_made_in_vain_count(clean_database: Database) -> None:
    db, bybit = clean_database, load(["bybit"])["bybit"]
    number = await begun(db, bybit, 1)
    async with backfills.worker(db) as me:
        await backfills.give_back(db, me, await claimed(db, me), "busy", requests=3)
        await backfills.give_back(db, me, await claimed(db, me))
        await backfills.give_back(db, me, await claimed(db, me), "no", for_good=True, requests=2)
    row = await backfills.state_of(db, number)
    assert row is not None
    assert (row["requests"], row["windows_failed"]) == (5, 1)


async def test_the_pace_counts_from_when_it_was_resumed(clean_database: Database) -> None:
    """Two chunks of ten were done a day ago; after the resume, one more in a minute: seven minutes are left."""
    db, bybit = clean_database, load(["bybit"])["bybit"]
    number = await begun(db, bybit, 10)
    await db.reads.execute("update backfill set state = 'cancelled', started_at = now() - interval '1 day'")
    await db.reads.execute(
        "update backfill_chunk set state = 'done', finished_at = now() - interval '23 hours' where number < 2"
    )
    await backfills.resume(db, number)
    waiting = await backfills.state_of(db, number)
    assert waiting is not None
    assert (waiting["started_at"], waiting["eta"]) == (None, None)
    async with backfills.worker(db) as me:
        await claimed(db, me)
        row = await backfills.state_of(db, number)
        assert row is not None
        assert row["eta"] is None
        assert datetime.now(UTC) - row["started_at"] < timedelta(minutes=1)
        await db.reads.execute("update backfill set started_at = now() - interval '1 minute'")
        await db.reads.execute("update backfill_chunk set state = 'done', finished_at = now() where state = 'running'")
        row = await backfills.state_of(db, number)
    assert row is not None
    left = row["eta"] - datetime.now(UTC)
    assert timedelta(minutes=6) < left < timedelta(minutes=8)
