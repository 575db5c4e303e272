"""Hours of quotes are candles: right whenever quotes come, and kept when those are removed."""

import asyncio
from datetime import UTC, datetime, timedelta

from app.db import Database
from app.services import retention, tick_rollup, ticks
from tests.db.facts import series
from tests.db.ticks import DAY, HOUR, MS, quote

HOURS = "select * from option_tick_1h order by series_id, ts"


async def listed_series(db: Database) -> tuple[int, int]:
    return await series(db, "bybit", "BTCUSDT"), await series(db, "bybit", "ETHUSDT", "ETH")


def candles(told: list[ticks.Row]) -> list[tuple[object, ...]]:
    """The same in plain Python: of each series and hour the first, greatest, least and last bid and ask; how many."""
    hours: dict[tuple[int, datetime], list[ticks.Row]] = {}
    for row in sorted(told, key=lambda row: row[:2]):
        hours.setdefault((row[0], row[1].replace(minute=0, second=0, microsecond=0)), []).append(row)  # type: ignore
    found: list[tuple[object, ...]] = []
    for key, rows in sorted(hours.items()):
        sides = [[row[side] for row in rows if row[side] is not None] for side in (2, 3)]
        of = [(s[0], max(s), min(s), s[-1]) if s else (None,) * 4 for s in sides]  # type: ignore[type-var]
        found.append((*key, *of[0], *of[1], len(rows)))
    return found


async def rolled_up(db: Database) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await db.reads.fetch(HOURS)]


async def test_hours_of_quotes_are_candles_of_both_sides(ticking: Database) -> None:
    one, other = await listed_series(ticking)
    now = datetime.now(UTC)
    values = [3.0, None, 5.0, 1.0, 2.0, 4.0, None]
    told = [quote(one, now - n * timedelta(minutes=25), value) for n, value in enumerate(values * 2)]
    told += [quote(other, now - 3 * HOUR, None), quote(other, now - 3 * HOUR + MS, None)]
    await ticks.put(ticking, "option_tick", told)
    await ticking.reads.execute("truncate option_tick_late")  # as if each had been stored when it was told
    assert await tick_rollup.refresh(ticking, now) == len(candles(told))
    assert await rolled_up(ticking) == candles(told)
    assert await tick_rollup.refresh(ticking, now) == 0
    later = [quote(one, now - MS, 9.0), quote(one, now - 2 * MS, 0.5)]
    await ticks.put(ticking, "option_tick", later)
    assert await tick_rollup.refresh(ticking, now) == len(candles(later))
    assert await rolled_up(ticking) == candles([*told, *later])


async def test_quotes_that_come_late_are_in_their_hour(ticking: Database) -> None:
    one, other = await listed_series(ticking)
    now = datetime.now(UTC)
    told = [quote(one, now, 1.0), quote(one, now - 30 * HOUR, 2.0)]
    await ticks.put(ticking, "option_tick", told)
    await tick_rollup.refresh(ticking, now)
    late = [quote(one, now - 30 * HOUR + MS, 3.0), quote(other, now - 31 * HOUR, 4.0), quote(one, now - 90 * DAY, 5.0)]
    await ticks.put(ticking, "option_tick", late)
    assert await tick_rollup.refresh(ticking, now) == 3
    assert await rolled_up(ticking) == candles([*told, *late])
    assert not await ticking.reads.fetchval("select count(*) from option_tick_late")


async def test_who_comes_late_skips_no_hour(ticking: Database) -> None:
    """Quotes stored on time while nobody rolled up for days, then one that came late in the newest of these hours."""
    one, other = await listed_series(ticking)
    now = datetime.now(UTC)
    told = [quote(one, now - n * HOUR, 1.0 + n) for n in range(60)]
    await ticks.put(ticking, "option_tick", told[50:])
    await tick_rollup.refresh(ticking, now - 50 * HOUR)
    await ticks.put(ticking, "option_tick", told[:50])
    await ticking.reads.execute("truncate option_tick_late")
    late = quote(other, now - HOUR, 2.0)
    await ticks.put(ticking, "option_tick", [late])
    await tick_rollup.refresh(ticking, now - 20 * HOUR)
    assert await rolled_up(ticking) == candles(told[20:])
    await tick_rollup.refresh(ticking, now)
    assert await rolled_up(ticking) == candles([*told, late])


async def test_hours_stay_when_their_quotes_are_removed(ticking: Database) -> None:
    one, _ = await listed_series(ticking)
    now = datetime.now(UTC)
    told = [quote(one, now - n * DAY, 1.0 + n) for n in range(6)]
    await ticks.put(ticking, "option_tick", told)
    await tick_rollup.refresh(ticking, now)
    (removed,) = await retention.apply(ticking, {"option_tick": 2}, now)
    assert removed.partitions == 3
    assert await ticks.put(ticking, "option_tick", [quote(one, now - 5 * DAY, 9.0)]) == 0
    await tick_rollup.refresh(ticking, now)
    hours = {row[1]: row[2] for row in await rolled_up(ticking)}
    assert list(hours.values()) == [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]


async def test_an_hour_is_right_however_writes_and_roll_ups_meet(ticking: Database) -> None:
    one, _ = await listed_series(ticking)
    now = datetime.now(UTC)
    told = [quote(one, now - 50 * HOUR + n * MS, float(n % 17)) for n in range(400)]

    async def roll_up() -> None:
        while not written.done():
            await tick_rollup.refresh(ticking, now)

    async def write() -> None:
        for start in range(0, len(told), 10):
            await ticks.put(ticking, "option_tick", told[start : start + 10])

    written = asyncio.create_task(write())
    await asyncio.gather(written, roll_up())
    await tick_rollup.refresh(ticking, now)
    assert await rolled_up(ticking) == candles(told)
