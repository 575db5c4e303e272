"""What the store keeps, replaces, remembers and infers."""

import asyncio
from datetime import UTC, datetime, timedelta

from app.db import Database
from app.services import rollup
from app.services.store import put
from tests.db.facts import at, batch, hold, series, settle, stored_intervals


async def test_rows_go_in_once(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    first = await settle(clean_database, btc, {0: 0.0001, 8: 0.0002, 16: 0.0003})
    again = await settle(clean_database, btc, {0: 0.0001, 8: 0.0002, 16: 0.0003})
    assert (first.inserted, first.updated, first.unchanged) == (3, 0, 0)
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 3)


async def test_of_one_fact_twice_the_later_wins_and_repeating_changes_nothing(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    rows = [{"series_id": btc, "ts": at(0), "oi_usd": value} for value in (1.0, 2.0, 3.0)]
    for expected in ((1, 0, 2), (0, 0, 3)):
        done = await put(clean_database, "open_interest", [batch("open_interest", [row]) for row in rows])
        assert (done.inserted, done.updated, done.unchanged) == expected
    assert await clean_database.reads.fetchval("select oi_usd from open_interest") == 3.0
    assert await clean_database.reads.fetchval("select count(*) from revision") == 0


async def test_a_changed_value_keeps_its_earlier_version(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, btc, {0: 0.0001, 8: 0.0002})
    before = datetime.now(UTC)
    done = await settle(clean_database, btc, {8: 0.0009})
    assert (done.inserted, done.updated) == (0, 1)
    known = "select rate from funding_known($1) where ts = $2"
    assert await clean_database.reads.fetchval(known, None, at(8)) == 0.0009
    assert await clean_database.reads.fetchval(known, before, at(8)) == 0.0002
    assert await clean_database.reads.fetchval(known, before - timedelta(days=1), at(8)) is None


async def test_an_absent_value_does_not_erase_a_known_one(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    for row in ({"oi_usd": 5.0}, {"oi_base": 2.0}):
        await put(clean_database, "open_interest", [batch("open_interest", [{"series_id": btc, "ts": at(0), **row}])])
    assert tuple(await clean_database.reads.fetchrow("select oi_base, oi_usd from open_interest")) == (2.0, 5.0)


async def test_stamps_are_laid_on_the_minute(clean_database: Database) -> None:
    btc = await series(clean_database, "binance", "BTCUSDT")
    await settle(clean_database, btc, {0: 0.1, 8.0000001: 0.2, 15.99999: 0.3})
    assert [hour for hour, *_ in await stored_intervals(clean_database, btc)] == [0, 8, 16]


async def test_intervals_are_inferred_over_calls(clean_database: Database) -> None:
    inj = await series(clean_database, "bybit", "INJUSDT", "INJ")
    await settle(clean_database, inj, {0: 0.1})
    assert await stored_intervals(clean_database, inj) == [(0, 8, 0)]
    await settle(clean_database, inj, {4: 0.1, 12: 0.1})
    assert await stored_intervals(clean_database, inj) == [(0, 4, 0), (4, 4, 1), (12, 4, 0)]
    await settle(clean_database, inj, {20: 0.1})
    assert await stored_intervals(clean_database, inj) == [(0, 4, 0), (4, 4, 1), (12, 8, 1), (20, 8, 1)]
    await settle(clean_database, inj, {8: 0.1, 16: 0.1})
    assert await stored_intervals(clean_database, inj) == [
        (0, 4, 0), (4, 4, 1), (8, 4, 1), (12, 4, 1), (16, 4, 1), (20, 4, 1),
    ]  # fmt: skip


async def test_a_declared_interval_stays(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    await settle(clean_database, btc, {0: 0.1, 8: 0.1})
    await settle(clean_database, btc, {16: 0.1}, hours=8)
    await settle(clean_database, btc, {16: 0.1})
    assert await stored_intervals(clean_database, btc) == [(0, 8, 0), (8, 8, 1), (16, 8, 2)]


async def test_latest_keeps_the_newest_whatever_the_order(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, btc, {16: 0.3})
    await settle(clean_database, btc, {8: 0.2})
    await hold(clean_database, btc, {1: 10.0, 2: 20.0})
    row = await clean_database.reads.fetchrow("select * from latest where series_id = $1", btc)
    assert row is not None
    assert (row["funding_ts"], row["rate"], row["oi_ts"], row["oi_usd"]) == (at(16), 0.3, at(2), 20.0)


async def test_facts_of_any_day_find_room(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    days = [datetime(year, month, 28, 23, 59, tzinfo=UTC) for year in (2019, 2024) for month in (2, 12)]
    price = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    rows = [{"series_id": btc, "ts": day, **price} for day in days]
    assert (await put(clean_database, "perp_1m", [batch("perp_1m", rows)])).inserted == 4


async def test_writers_of_one_fact_do_not_lose_each_other(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await asyncio.gather(*(hold(clean_database, btc, {h: float(n) for h in range(50)}) for n in range(6)))
    assert await clean_database.reads.fetchval("select count(*) from open_interest") == 50
    versions = await clean_database.reads.fetchval("select count(*) from revision")
    assert versions == 50 * 5


async def test_a_write_makes_the_rollup_due_from_its_first_hour(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, btc, {0: 0.0001, 8: 0.0002})
    await hold(clean_database, btc, dict.fromkeys(range(9), 10.0))
    assert await rollup.refresh(clean_database) > 0
    due = "select ready_to from coin_1h_ready"
    await hold(clean_database, btc, {7.5: 11.0})
    assert await clean_database.reads.fetchval(due) == at(7)
    rate = await clean_database.reads.fetchval("select rate from coin_1h where ts = $1", at(8))
    assert rate == 0.0002


async def test_a_correction_with_its_own_time_ends_the_version_before(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, btc, {0: 1e-4, 8: 1e-4})
    told = datetime.now(UTC) - timedelta(hours=1)
    corrected = {"series_id": btc, "ts": at(8), "rate": 2e-4, "known_at": told}
    await put(clean_database, "funding", [batch("funding", [corrected])])
    for moment in (None, datetime.now(UTC), told + timedelta(minutes=1)):
        rows = await clean_database.reads.fetch("select rate from funding_known($1) where ts = $2", moment, at(8))
        assert [row["rate"] for row in rows] == [2e-4]


async def test_the_preferred_source_can_be_set(clean_database: Database) -> None:
    from app.services import reference

    await series(clean_database, "binance", "A")
    await reference.series_of(clean_database, "velo", "binance")
    ranks = "select o.slug, s.preference from series s join source o on o.id = s.source_id order by 1"
    await reference.prefer(clean_database, ["velo", "exchange"])
    assert [tuple(row) for row in await clean_database.reads.fetch(ranks)] == [("binance", 1), ("velo", 0)]
    await reference.prefer(clean_database, ["exchange", "import"])
    assert [tuple(row) for row in await clean_database.reads.fetch(ranks)] == [("binance", 0), ("velo", 2)]
