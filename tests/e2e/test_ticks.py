"""Ticks collected from sockets that break in every way: every trade once, every break of a book in the ledger."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.db import Database
from app.ingest.ticks import repairs
from app.ingest.ticks.buffer import Buffer
from app.ingest.ticks.running import collecting_ticks
from app.services import ticks as store
from tests import ticks
from tests.ticks import MINUTE, PERPETUAL


@pytest.mark.parametrize(
    ("breaks", "apart"), [(5, timedelta(seconds=40)), pytest.param(20, 3 * MINUTE, marks=pytest.mark.soak)]
)
async def test_every_trade_once_and_every_break_of_a_book_known(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch, breaks: int, apart: timedelta
) -> None:
    """At sixty times speed; in full an hour with twenty breaks."""
    db = clean_database
    async with ticks.replayed(db, monkeypatch) as (engine, source, there):
        async with ticks.collected(engine, source, there) as since:
            await there.now.sleep(30)
            await ticks.break_all(there, breaks, apart)
            await ticks.listened(there)
            end = there.now()
            await there.now.sleep(30)
            await ticks.wait_for_trades(db, ticks.happened(there, since, end))
        assert await ticks.wrong_trades(db, there) == []
        assert await ticks.unknown_breaks(db, there, since, end) == []
        gaps = await db.reads.fetch(ticks.GAPS)
        assert {row["dataset"] for row in gaps if row["dataset"] != "quotes"} == {"book"}, gaps
        assert {(row["reason"], row["state"]) for row in gaps} == {("outage", "unfillable")}
        assert all(row["last"] - row["first"] > 5 * MINUTE for row in gaps if row["dataset"] == "quotes")
        assert all(row["last"] - row["first"] < 20 * MINUTE for row in gaps)
        assert any(one.kind == "book" for one in there.missed)
        assert await db.reads.fetchval("select count(*) from option_tick") > 100
        told = await db.reads.fetch("select id, source, state, messages, reconnects from collector")
        assert [(row["id"], row["source"], row["state"]) for row in told] == [("deribit:BTC:0", "deribit", "closed")]
        assert told[0]["messages"] > 100
        assert told[0]["reconnects"] >= 2


async def test_how_books_stand_every_five_minutes(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db, start = clean_database, datetime(2026, 3, 10, 12, 3, 50, tzinfo=UTC)
    async with ticks.replayed(db, monkeypatch, start=start) as (engine, source, there):
        async with ticks.collected(engine, source, there):
            await there.now.until(start + 90 * timedelta(seconds=1))
        rows = await db.reads.fetch(
            """select i.symbol, d.* from depth d join series s on s.id = d.series_id
            join instrument i on i.id = s.instrument_id order by d.ts"""
        )
        assert {row["symbol"] for row in rows} == {PERPETUAL, "BTC-25DEC30", *ticks.OPTIONS[: ticks.QUOTED]}
        for row in rows:
            assert row["ts"].minute % 5 == 0
            assert row["ts"].second < 20
            assert row["bid_prices"] == sorted(row["bid_prices"], reverse=True)
            assert row["ask_prices"] == sorted(row["ask_prices"])
            assert row["bid_prices"][0] < row["ask_prices"][0]
            assert len(row["bid_prices"]) == len(row["bid_amounts"]) <= 20


async def test_a_book_whose_first_snapshot_never_came_is_asked_for_again_and_in_the_ledger(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = clean_database
    async with ticks.replayed(db, monkeypatch) as (engine, source, there):
        there.withheld.add(PERPETUAL)
        async with ticks.collected(engine, source, there):
            [gap] = await _gaps(db, "book")
            await ticks.until(lambda: sum(f"book.{PERPETUAL}.100ms" in topics for _, topics in there.asked) == 2)
            assert not there.withheld
            assert (gap["symbol"], gap["reason"]) == (PERPETUAL, "outage")
            assert timedelta(seconds=30) <= gap["last"] - gap["first"] < 10 * MINUTE


async def test_what_the_exchange_tells_no_more_is_in_the_ledger(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = clean_database
    async with ticks.replayed(db, monkeypatch, busy=8.0) as (engine, source, there):
        async with ticks.collected(engine, source, there) as since:
            await there.now.sleep(30)
            early = len(ticks.not_told(there))
            before = {symbol: len(trades) for symbol, trades in there.world.trades.items()}
            there.forgotten |= {(symbol, count + n) for symbol, count in before.items() for n in range(1, 10)}
            there.skip_trades(6)
            await ticks.until(lambda: all(len(there.world.trades[one]) > before[one] + 10 for one in before))
            end = there.now()
            await there.now.sleep(30 + sum(pause.total_seconds() for pause in repairs.PAUSES))
            lost = {(one["instrument_name"], one["trade_seq"]): one for one in ticks.not_told(there)[early:]}
            await ticks.wait_for_trades(db, ticks.happened(there, since, end) - lost.keys())
            gaps = await _gaps(db, "trades")
        assert lost.keys() <= there.forgotten
        assert not lost.keys() & await ticks.stored(db)
        assert {(row["reason"], row["state"]) for row in gaps} == {("upstream_keeps_no_more", "unfillable")}
        assert {row["symbol"] for row in gaps} == {symbol for symbol, _ in lost}
        for (symbol, _), trade in lost.items():
            mine = [row for row in gaps if row["symbol"] == symbol]
            at = trade["timestamp"] / 1000
            assert any(row["first"].timestamp() <= at <= row["last"].timestamp() for row in mine)


async def _gaps(db: Database, dataset: str) -> list[asyncpg.Record]:
    """Those of a dataset, when there are any."""
    for _ in range(200):
        if found := [row for row in await db.reads.fetch(ticks.GAPS) if row["dataset"] == dataset]:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("nothing is in the ledger")


async def test_quotes_are_dropped_and_counted_while_the_database_does_not_keep_up(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, stuck, put, drop = clean_database, asyncio.Event(), store.put, Buffer._drop
    dropped = Counter[str]()

    async def slow(db: Database, fact: str, rows: list[store.Row]) -> int:
        if stuck.is_set():
            raise ConnectionRefusedError("nobody there")
        return await put(db, fact, rows)

    def counted(buffer: Buffer, fact: str, rows: int) -> None:
        dropped[fact] += rows
        drop(buffer, fact, rows)

    monkeypatch.setattr(store, "put", slow)
    monkeypatch.setattr(Buffer, "_drop", counted)
    monkeypatch.setattr(Buffer.__init__, "__defaults__", (3000, *(Buffer.__init__.__defaults__ or ())[1:]))
    async with ticks.replayed(db, monkeypatch, busy=4.0) as (engine, source, there):
        async with ticks.collected(engine, source, there) as since:
            await there.now.sleep(30)
            stuck.set()
            begun = there.world.quoted
            await ticks.until(lambda: there.world.quoted > begun + 3000)
            end = there.now()
            stuck.clear()
            await there.now.sleep(10)
            await ticks.wait_for_trades(db, ticks.happened(there, since, end), 15)
            await there.now.sleep(10)
        assert dropped["option_tick"] > 300
        assert dropped["option_trade"] == 0
        assert await db.reads.fetchval("select dropped from collector") == dropped.total()
        assert await db.reads.fetchval("select code from error_log where code = 'back_pressure'") == "back_pressure"


async def test_of_two_processes_one_collects_and_the_other_waits_until_it_ends(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.ingest.ticks.running.TAKE_OVER_SECONDS", 0.2)
    async with ticks.replayed(clean_database, monkeypatch) as (engine, source, there):
        async with ticks.collected(engine, source, there):
            async with collecting_ticks(engine, source, ["BTC"]):
                await ticks.until(lambda: "another process collects the ticks of deribit:BTC" in caplog.text)
                await asyncio.sleep(0.5)
                assert len(there.peers) == 1
            assert caplog.text.count("another process collects") == 1
        await ticks.until(lambda: not there.peers)
        async with ticks.collected(engine, source, there):
            assert len(there.peers) == 1
