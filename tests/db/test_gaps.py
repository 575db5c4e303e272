"""What is missing is found, entered once, and settled when it has come."""

import asyncio
import random
import re
from datetime import timedelta
from itertools import pairwise

import pytest

from app.db import Database, driver, writing
from app.records import Instrument
from app.services import claims, gaps, holes, reference
from app.services.batches import Writer
from app.services.gaps import Hole
from app.services.holes import Pulled
from app.services.queries import sql
from app.services.store import put
from tests.db.facts import DAY, batch, series
from tests.db.importing import bring, candle
from tests.db.minutes import CANDLE, MINUTE, WIDE, ledger, look, minute, tell

OUTAGE, GONE = "outage", "upstream_keeps_no_more"
TWO_DAYS = 2 * 1440


@pytest.fixture
async def mine(clean_database: Database) -> int:
    return await series(clean_database, "binance", "BTCUSDT")


async def test_holes_and_the_end_are_entered_once(clean_database: Database, mine: int) -> None:
    db = clean_database
    await tell(db, mine, [n for n in range(TWO_DAYS) if n not in (7, 1438, 1439, 1440, 1441)])
    expected = [
        ("candles_1m", 7, 8, "open", OUTAGE),
        ("candles_1m", 1438, 1442, "open", OUTAGE),
        ("candles_1m", TWO_DAYS, TWO_DAYS + 5, "open", OUTAGE),
    ]
    await look(db, TWO_DAYS + 5)
    assert await ledger(db) == expected
    before = await db.reads.fetch("select * from gap order by id")
    for since in (None, 0, 1430, TWO_DAYS - 15):
        await look(db, TWO_DAYS + 5, since)
    assert await db.reads.fetch("select * from gap order by id") == before
    await look(db, TWO_DAYS + 9, TWO_DAYS)
    assert (await ledger(db))[2] == ("candles_1m", TWO_DAYS, TWO_DAYS + 9, "open", OUTAGE)


async def test_what_comes_settles_shrinks_or_splits(clean_database: Database, mine: int) -> None:
    db = clean_database
    await tell(db, mine, [*range(10), *range(30, 40), *range(50, 100), 110])
    await look(db, 111)
    assert [gap[1:3] for gap in await ledger(db)] == [(10, 30), (40, 50), (100, 110)]
    await tell(db, mine, [*range(10, 30), 40, 41, 103, 104, 109])
    await look(db, 111)
    assert await ledger(db) == [
        ("candles_1m", 10, 30, "repaired", OUTAGE),
        ("candles_1m", 42, 50, "open", OUTAGE),
        ("candles_1m", 100, 103, "open", OUTAGE),
        ("candles_1m", 105, 109, "open", OUTAGE),
    ]
    assert not await db.reads.fetchval("select count(*) from gap where (settled_at is null) = (state = 'repaired')")


async def test_a_row_without_a_candle_is_none(clean_database: Database, mine: int) -> None:
    await tell(clean_database, mine, [n for n in range(20) if n != 4])
    await tell(clean_database, mine, [4], oi_base=3.0)
    await look(clean_database, 20)
    assert await ledger(clean_database) == [("candles_1m", 4, 5, "open", OUTAGE)]


async def test_other_fields_between_the_first_and_the_last_told(clean_database: Database, mine: int) -> None:
    db = clean_database
    await tell(db, mine, range(100))
    for values in WIDE.values():
        await tell(db, mine, [n for n in range(10, 71, 5 if "long_short_ratio" in values else 1) if n != 35], **values)
    await look(db, 100)
    assert await ledger(db) == [
        ("long_short", 35, 40, "open", OUTAGE),
        *((name, 35, 36, "open", OUTAGE) for name in ("open_interest", "predicted_funding", "taker_volume")),
    ]


async def test_an_imported_series_ends_with_its_last_and_cannot_be_repaired(
    clean_database: Database, mine: int
) -> None:
    db = clean_database
    brought = (await reference.series_of(db, "import", "binance"))["BTCUSDT"].id
    await tell(db, brought, [*range(10), *range(20, 30)])
    await tell(db, brought, [1, 5], oi_base=2.0)
    await look(db, 5000)
    assert await ledger(db) == [("candles_1m", 10, 20, "unfillable", GONE)]
    assert "imported" in await db.reads.fetchval("select detail from gap")
    await tell(db, brought, range(10, 15))
    await look(db, 5000)
    assert await ledger(db) == [("candles_1m", 15, 20, "unfillable", GONE)]


async def test_only_while_it_is_listed(clean_database: Database) -> None:
    db, listed = clean_database, {"listed_at": minute(100) + timedelta(seconds=30), "delisted_at": minute(200)}
    early, gone = (
        await series(db, "binance", "BTCUSDT", **listed),
        await series(db, "binance", "ETHUSDT", "ETH", active=False),
    )
    for one in (early, gone):
        await tell(db, one, [50, *range(101, 150), *range(155, 190)])
    await look(db, 1000)
    assert await ledger(db, early) == [
        ("candles_1m", 150, 155, "open", OUTAGE),
        ("candles_1m", 190, 200, "open", OUTAGE),
    ]
    assert [gap[1:3] for gap in await ledger(db, gone)] == [(51, 101), (150, 155)]


async def test_of_what_retention_removed_nothing_is_missing(clean_database: Database, mine: int) -> None:
    db = clean_database
    await tell(db, mine, [0, 10, 20, 30, *range(60, 70)])
    await look(db, 70)
    assert [gap[1:3] for gap in await ledger(db)] == [(1, 10), (11, 20), (21, 30), (31, 60)]
    await db.reads.execute("insert into retention values ('perp_1m', $1)", minute(25))
    for _ in range(2):
        await look(db, 70)
        assert [gap[1:3] for gap in await ledger(db)] == [(25, 30), (31, 60)]


async def test_before_the_first_row(clean_database: Database) -> None:
    db = clean_database
    old = await series(db, "binance", "BTCUSDT", listed_at=minute(-9000))
    new = await series(db, "binance", "ETHUSDT", "ETH", listed_at=minute(-50))
    for one in (old, new):
        await tell(db, one, range(10))
    for keeps, since in ((minute(-100), minute(-200)), (minute(-150), minute(-190))):
        await holes.note_before(db, [Pulled("binance", minute(10), keeps), Pulled("okx", minute(10), None)], since)
    assert await ledger(db, old) == [("candles_1m", -150, 0, "open", "not_fetched_yet")]
    assert await ledger(db, new) == [
        ("candles_1m", -200, -50, "unfillable", "not_listed"),
        ("candles_1m", -50, 0, "open", "not_fetched_yet"),
    ]


async def test_a_collector_notes_minute_by_minute(clean_database: Database, mine: int) -> None:
    db = clean_database
    for first, last in ((5, 6), (6, 7), (6, 7), (5, 7), (7, 9), (12, 13), (8, 20)):
        await gaps.note(db, [Hole(mine, "candles_1m", minute(first), minute(last))])
    await gaps.note(
        db, [Hole(mine, "liquidations", minute(1), minute(3)), Hole(mine, "liquidations", minute(2), minute(4))]
    )
    assert await ledger(db) == [("candles_1m", 5, 20, "open", OUTAGE), ("liquidations", 1, 4, "open", OUTAGE)]
    await tell(db, mine, range(20))
    await look(db, 20)
    await db.reads.execute("delete from perp_1m where ts = $1", minute(7))
    await gaps.note(db, [Hole(mine, "candles_1m", minute(5), minute(9))])
    assert await ledger(db) == [
        ("candles_1m", 5, 20, "repaired", OUTAGE),
        ("candles_1m", 7, 8, "open", OUTAGE),
        ("liquidations", 1, 4, "open", OUTAGE),
    ]


@pytest.mark.parametrize("dataset", ["candles_1m", "liquidations"])
async def test_a_hole_that_grows_while_it_is_repaired(clean_database: Database, mine: int, dataset: str) -> None:
    """A collector tells the whole of it each minute, from its beginning."""
    db = clean_database
    for last in (12, 13):
        await gaps.note(db, [Hole(mine, dataset, minute(10), minute(last))])
        claimed = await claims.claim(db, "binance", timedelta(minutes=5))
        assert claimed
        if dataset == "candles_1m":
            await tell(db, mine, range(10, last))
        await gaps.note(db, [Hole(mine, dataset, minute(10), minute(last + 1))])
        await claims.asked(db, claimed, "asked", minute(1000))
    assert await ledger(db) == [
        (dataset, first, last, state, OUTAGE)
        for first, last, state in ((10, 12, "repaired"), (12, 13, "repaired"), (13, 14, "open"))
    ]


async def test_of_events_what_is_young_stays_open_and_what_is_forgotten_is_given_up(
    clean_database: Database, mine: int
) -> None:
    db = clean_database
    await gaps.note(db, [Hole(mine, "liquidations", minute(0), minute(100))])
    claimed = await claims.claim(db, "binance", timedelta(minutes=5))
    assert claimed
    forgotten, claimed = await claims.cut(db, claimed, minute(30))
    await claims.hopeless(db, forgotten, "forgotten")
    await claims.asked(db, claimed, "asked", minute(80))
    assert await ledger(db) == [
        ("liquidations", 0, 30, "unfillable", GONE),
        ("liquidations", 30, 80, "repaired", OUTAGE),
        ("liquidations", 80, 100, "open", OUTAGE),
    ]


async def test_who_waits_for_the_ledger_waits_without_a_connection(clean_database: Database, mine: int) -> None:
    db = clean_database
    await gaps.note(db, [Hole(mine, "candles_1m", minute(0), minute(1))])
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted and objid = $1"
    async with db.reads.acquire() as other, asyncio.TaskGroup() as group, other.transaction():
        await other.execute("select pg_advisory_xact_lock($1)", gaps.LEDGER_LOCK)
        for number in range(30):
            group.create_task(gaps.note(db, [Hole(mine, "candles_1m", minute(number), minute(number + 1))]))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5), writing(db) as connection:
            copy = await driver(connection)
            assert await copy.fetchval(waiting, gaps.LEDGER_LOCK) == 1
    assert await ledger(db) == [("candles_1m", 0, 30, "open", OUTAGE)]


async def test_a_note_looks_only_at_what_is_near(clean_database: Database, mine: int) -> None:
    """Of a series with a month of isolated minutes; a thousand more are entered some at a time."""
    db = clean_database
    await db.reads.execute(
        """insert into gap (series_id, dataset, first, last, reason, state)
        select $1, 'candles_1m', $2::timestamptz + n * interval '2 minutes', $2::timestamptz
          + n * interval '2 minutes' + interval '1 minute', 'outage', s
        from generate_series(1, 20000) n, unnest('{unfillable, repaired}'::text[]) s""",
        *(mine, minute(-50_000)),
    )
    await db.reads.execute("analyze gap")
    told = [[mine], ["candles_1m"], [minute(-9999)], [minute(-9998)], [OUTAGE], ["open"], [None]]
    for name, arguments in (("note", told), ("join", told[:4])):
        async with db.reads.acquire() as connection, connection.transaction():
            rows = await connection.fetch("explain (analyze, timing off, costs off) " + sql("gaps", name), *arguments)
        plan = "\n".join(row[0] for row in rows)
        assert "Seq Scan on gap" not in plan, plan
        assert max(int(float(n)) for n in re.findall(r"rows=([\d.]+)", plan)) < 10, plan


async def test_what_was_repaired_is_forgotten_after_a_month(clean_database: Database, mine: int) -> None:
    db = clean_database
    await tell(db, mine, [*range(5), *range(10, 15), *range(20, 25)])
    await look(db, 25)
    await tell(db, mine, range(5, 10))
    await look(db, 25)
    for days, left in ((29, [(5, 10), (15, 20)]), (2, [(15, 20)])):
        await db.reads.execute("update gap set settled_at = settled_at - $1::interval", timedelta(days=days))
        await look(db, 25, 0)
        await look(db, 25)
        assert [gap[1:3] for gap in await ledger(db)] == left


async def test_at_what_was_given_up_only_the_look_at_everything_looks_again(
    clean_database: Database, mine: int
) -> None:
    db = clean_database
    await gaps.note(db, [Hole(mine, "candles_1m", minute(2), minute(5), GONE, "unfillable")])
    await tell(db, mine, range(10))
    await look(db, 10, 0)
    assert await ledger(db) == [("candles_1m", 2, 5, "unfillable", GONE)]
    await look(db, 10)
    assert await ledger(db) == [("candles_1m", 2, 5, "repaired", GONE)]


async def test_an_import_is_looked_at_at_once(clean_database: Database) -> None:
    """In what it brought and up to what was there before and after, and nowhere else."""
    db, by = clean_database, Writer("desk", "api", "a body")

    async def brought(*minutes: int) -> list[tuple[int, int, str]]:
        rows = [candle(time=minute(n).isoformat()) for n in minutes]
        assert (await bring(db, "candles", *rows, by=by)).inserted == len(rows)
        return [gap[1:4] for gap in await ledger(db)]

    year = 365 * 1440
    assert await brought(10, 11, 14) == [(12, 14, "unfillable")]
    assert await brought(5000, 5002) == [(12, 14, "unfillable"), (15, 5000, "unfillable"), (5001, 5002, "unfillable")]
    await db.reads.execute("delete from gap")
    before, after = (-year + 1, 10, "unfillable"), (15, 1440, "unfillable")
    assert await brought(-year) == [before, (12, 14, "unfillable"), after], "to the end of the day"
    assert await brought(12, 13) == [before, (12, 14, "repaired"), after]


async def test_no_two_overlap_whoever_writes(clean_database: Database, mine: int) -> None:
    """Random rows come and go in the mind of a collector; the ledger is what is missing, in stretches apart."""
    db, dice, stored = clean_database, random.Random(5), {0, 299}
    await tell(db, mine, stored)
    for _ in range(12):
        some = {dice.randrange(300) for _ in range(40)}
        stored |= some
        await tell(db, mine, sorted(some))
        first = dice.randrange(290)
        missing = [n for n in range(first, first + 10) if n not in stored]
        await gaps.note(db, [Hole(mine, "candles_1m", minute(n), minute(n + 1)) for n in missing])
        await look(db, 300, dice.choice([None, 100, 250]))
    await look(db, 300)
    found = [gap for gap in await ledger(db) if gap[3] != "repaired"]
    assert {n for gap in found for n in range(gap[1], gap[2])} == set(range(300)) - stored
    assert all(one[2] < other[1] for one, other in pairwise(found))


async def test_days_after_days_of_other_series(clean_database: Database) -> None:
    """One look at many: what each lacks is its own."""
    db = clean_database
    await reference.put_instruments(db, "binance", [Instrument(f"C{n}USDT", f"C{n}", "USDT") for n in range(30)])
    each = sorted(one.id for one in (await reference.series_of(db, "binance", "binance")).values())
    rows = [
        {"series_id": one, "ts": DAY + k * MINUTE, **CANDLE} for one in each for k in range(100) if k != one % 7 + 1
    ]
    await put(db, "perp_1m", [batch("perp_1m", rows)])
    await look(db, 100)
    found = await db.reads.fetch("select series_id, first from gap order by series_id")
    assert [(row["series_id"], (row["first"] - DAY) // MINUTE) for row in found] == [(one, one % 7 + 1) for one in each]
