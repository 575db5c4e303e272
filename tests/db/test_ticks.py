"""Ticks are stored once, at their place, whoever else writes them and whatever retention does meanwhile."""

import asyncio
from itertools import count

import asyncpg
import pytest

from app.db import Database, connected
from app.services import partitions, retention, ticks
from tests.db.ticks import DAY, HOUR, MIDNIGHT, MS, NOW, book, quote, trade


def test_the_columns_of_rows() -> None:
    expected = {
        "option_tick": ("series_id", "ts", "bid", "ask", "bid_amount", "ask_amount", "known_at"),
        "option_trade": (
            *("series_id", "ts", "trade_seq", "trade_id", "side", "price", "amount", "iv", "mark_price"),
            *("index_price", "liquidation", "is_block", "is_combo", "known_at"),
        ),
        "depth": (
            *("series_id", "ts", "change_id", "bid_prices", "bid_amounts", "ask_prices", "ask_amounts", "known_at"),
        ),
    }
    assert expected == ticks.COLUMNS


async def bids(db: Database) -> list[float | None]:
    return [row["bid"] for row in await db.reads.fetch("select bid from option_tick order by series_id, ts")]


async def test_of_a_millisecond_the_last_quote_of_one_call_stands(ticking: Database) -> None:
    assert await ticks.put(ticking, "option_tick", [quote(1, NOW, 1.0), quote(1, NOW, 2.0), quote(2, NOW, None)]) == 2
    assert await bids(ticking) == [2.0, None]
    later = [quote(1, NOW, 3.0, 2 * MS), quote(1, NOW + MS, 4.0)]
    assert await ticks.put(ticking, "option_tick", later) == 1
    assert await bids(ticking) == [2.0, 4.0, None]
    known = await ticking.reads.fetchval("select known_at from option_tick where series_id = 1 and ts = $1", NOW)
    assert known == NOW + MS  # who asks what was known in between finds the one that was
    assert await ticks.put(ticking, "option_tick", []) == 0


async def test_trades_and_depths_that_are_there_stay(ticking: Database) -> None:
    told = [trade(1, NOW, 1), trade(1, NOW, 2), trade(1, NOW + MS, 3)]
    assert await ticks.put(ticking, "option_trade", [*told, trade(1, NOW, 2, 0.09)]) == 3
    assert await ticks.put(ticking, "option_trade", [*told, trade(1, NOW - MS, 0), trade(1, NOW, 1, 0.09)]) == 1
    rows = await ticking.reads.fetch("select * from option_trade order by ts, trade_seq")
    assert [tuple(row) for row in rows] == [trade(1, NOW - MS, 0), *told]
    assert await ticks.put(ticking, "depth", [book(1, NOW, 90.0), book(2, NOW, 91.0, 0)]) == 2
    assert await ticks.put(ticking, "depth", [book(1, NOW, 99.0), book(1, NOW + MS, 92.0)]) == 1
    rows = await ticking.reads.fetch("select * from depth order by series_id, ts")
    assert [tuple(row) for row in rows] == [book(1, NOW, 90.0), book(1, NOW + MS, 92.0), book(2, NOW, 91.0, 0)]


async def test_what_is_refused_leaves_nothing(ticking: Database) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await ticks.put(ticking, "option_trade", [trade(1, NOW, 1), (*trade(1, NOW, 2)[:-1], None)])
    assert not await ticking.reads.fetchval("select count(*) from option_trade")


async def test_days_have_room_before_they_come(ticking: Database) -> None:
    midnight = MIDNIGHT + DAY
    assert await ticks.put(ticking, "option_tick", [quote(1, midnight - MS, 1.0), quote(1, midnight, 2.0)]) == 2
    async with ticking.reads.acquire() as copy:
        found = await partitions.listed(copy, "option_tick")  # type: ignore[arg-type]
    ahead = [MIDNIGHT + 2 * DAY] if await ticking.reads.fetchval(partitions.IS_NATIVE, "option_tick") else []
    assert [part.start for part in found] == [MIDNIGHT, midnight, *ahead]


async def test_the_same_trades_by_several_at_once(ticking: Database) -> None:
    told = [trade(to, NOW + n * MS, n) for n in range(300) for to in (1, 2)]
    async with connected(ticking.dsn) as second:
        parts = [told[start : start + 200] for start in range(0, 600, 100)]
        writes = [
            ticks.put(one, "option_trade", rows[::way]) for rows in parts for one, way in ((ticking, 1), (second, -1))
        ]
        found = await asyncio.gather(*writes)
    assert sum(found) == 600
    assert await ticking.reads.fetchval("select count(*) from option_trade") == 600


async def test_what_retention_removed_is_not_stored_again(ticking: Database) -> None:
    for days in (3, 2, 0):
        await ticks.put(ticking, "option_trade", [trade(1, NOW - days * DAY, days)])
    (removed,) = await retention.apply(ticking, {"option_trade": 2}, NOW)
    assert removed.partitions == 1
    again = [trade(1, NOW - 3 * DAY, 3), trade(1, NOW - 2 * DAY, 9), trade(1, NOW - 40 * DAY, 7)]
    assert await ticks.put(ticking, "option_trade", again) == 1
    assert await ticks.put(ticking, "option_trade", again[:1]) == 0
    rows = await ticking.reads.fetch("select trade_seq from option_trade order by ts")
    assert [row["trade_seq"] for row in rows] == [2, 9, 0]
    assert await ticks.put(ticking, "option_tick", [quote(1, NOW - 3 * DAY, 1.0)]) == 1  # of quotes nothing was removed


async def test_rows_are_stored_or_told_whatever_retention_drops(
    ticking: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers of old days beside one who drops them: none fails, and today's rows are all stored."""
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.01)
    old = [MIDNIGHT - n * DAY for n in range(6, 1, -1)]
    stored: list[int] = []
    await ticks.put(ticking, "option_tick", [quote(3, day, 1.0) for day in old])

    async def write(one: Database, part: int) -> None:
        for n in count():
            if dropping.done():
                return
            rows = [quote(part, day + n * MS, 1.0) for day in (old[n % len(old)], MIDNIGHT)]
            stored.append(await ticks.put(one, "option_tick", rows))

    async def drop() -> None:
        for days in range(5, 0, -1):
            await retention.apply(ticking, {"option_tick": days}, NOW)

    await ticks.put(ticking, "option_tick", [quote(1, day - MS + DAY, 1.0) for day in old])  # there is a day to drop
    async with connected(ticking.dsn) as second:
        dropping = asyncio.create_task(drop())
        await asyncio.gather(write(ticking, 1), write(second, 2), dropping)
    today = "select count(*) from option_tick where ts >= $1"
    assert await ticking.reads.fetchval(today, MIDNIGHT) == len(stored) <= sum(stored)
    await retention.apply(ticking, {"option_tick": 1}, NOW)
    assert await ticking.reads.fetchval("select count(*) from option_tick") == len(stored)
    assert await ticks.put(ticking, "option_tick", [quote(1, day, 1.0) for day in old]) == 0


async def test_a_day_that_is_being_dropped_stops_only_who_writes_to_it(ticking: Database) -> None:
    await ticks.put(ticking, "option_tick", [quote(1, NOW - 5 * DAY, 1.0)])
    async with ticking.reads.acquire() as copy, copy.transaction():
        part = (await partitions.listed(copy, "option_tick"))[0]  # type: ignore[arg-type]
        await ticks.close(copy, "option_tick", part)  # type: ignore[arg-type]
        late = asyncio.create_task(ticks.put(ticking, "option_tick", [quote(1, NOW - 5 * DAY + MS, 1.0)]))
        assert await asyncio.wait_for(ticks.put(ticking, "option_tick", [quote(1, NOW, 1.0)]), 20) == 1
        assert not late.done()
    assert await late == 1


async def test_the_newest_trades_and_the_holes(ticking: Database) -> None:
    seqs = {0: 5, 1: 6, 5: 10, 6: 9, 9: 11, 20: 15}
    rows = [trade(1, MIDNIGHT + hours * HOUR, seq) for hours, seq in seqs.items()]
    await ticks.put(ticking, "option_trade", [*rows, trade(2, MIDNIGHT - DAY, 3), trade(2, MIDNIGHT - DAY, 4)])
    old = MIDNIGHT - 2 * DAY
    assert await ticks.newest_trades(ticking, [1, 2, 3], old) == {1: (15, rows[-1][1]), 2: (4, MIDNIGHT - DAY)}
    times = {seq: MIDNIGHT + hours * HOUR for hours, seq in seqs.items()}
    holes = [(1, 7, 8, times[6], times[9]), (1, 12, 14, times[11], times[15])]
    assert (await ticks.newest_trades(ticking, [1, 2], MIDNIGHT)).keys() == {1}
    assert await ticks.missing_trades(ticking, [1, 2, 3], old, old) == holes
    assert await ticks.missing_trades(ticking, [1, 2], MIDNIGHT + 10 * HOUR, old) == holes[1:]
    assert await ticks.missing_trades(ticking, [1], MIDNIGHT + 21 * HOUR, old) == []
    assert await ticks.missing_trades(ticking, [1], MIDNIGHT + 10 * HOUR, MIDNIGHT + 10 * HOUR) == []


async def test_until_when_every_trade_is_stored(ticking: Database) -> None:
    assert await ticks.complete_until(ticking, "deribit:BTC") is None
    for moment in (NOW, NOW + HOUR):
        await ticks.note_complete(ticking, "deribit:BTC", moment)
        await ticks.note_complete(ticking, "deribit:ETH", NOW - HOUR)
        assert await ticks.complete_until(ticking, "deribit:BTC") == moment
