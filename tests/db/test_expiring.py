"""Contracts that expire: out of the way of those that trade, and still there for who asks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.db import Database
from app.ingest.keep import Places, put_records
from app.records import Depth, IndexPrice, Instrument, OptionSnapshot
from app.services import reference, upkeep

NOW = datetime.now(UTC).replace(microsecond=0)
PERP = Instrument("BTC-PERPETUAL", "BTC", "USD", margin="coin")
INDEX = Instrument("btc_usd", "BTC", "USD", "index")
OPTION = Instrument(
    "BTC-1JAN27-80000-C",
    "BTC",
    "BTC",
    "option",
    "coin",
    expires_at=NOW - timedelta(hours=1),
    strike=80_000.0,
    option_type="call",
)
LIVING = replace(OPTION, symbol="BTC-2JAN27-80000-C", expires_at=NOW + timedelta(days=1))
KINDS = ("perp", "option", "index")
LISTED = (PERP, INDEX, OPTION, LIVING)


async def test_who_has_expired_is_left_out_unless_it_is_wanted(clean_database: Database) -> None:
    db = clean_database
    await reference.put_instruments(db, "deribit", LISTED)
    assert len(await reference.series_of(db, "deribit", "deribit", KINDS, expired=False)) == 4
    await upkeep.retire(db, "deribit", [OPTION.symbol, PERP.symbol])
    for found in (reference.instruments(db, "deribit", KINDS), reference.series_of(db, "deribit", "deribit", KINDS)):
        assert (await found).keys() == {one.symbol for one in LISTED}
    living = await reference.instruments(db, "deribit", KINDS, expired=False)
    series = await reference.series_of(db, "deribit", "deribit", KINDS, expired=False)
    assert living.keys() == series.keys() == {PERP.symbol, INDEX.symbol, LIVING.symbol}
    all_there_are = await reference.instruments(db, "deribit", KINDS)
    assert (all_there_are[OPTION.symbol].active, all_there_are[OPTION.symbol].delisted_at) == (False, OPTION.expires_at)
    assert (living[PERP.symbol].active, living[PERP.symbol].delisted_at) == (False, None)


async def test_what_is_told_of_an_instant_again_changes_nothing(clean_database: Database) -> None:
    db = clean_database
    await reference.put_instruments(db, "deribit", LISTED)
    places = Places(await reference.series_of(db, "deribit", "deribit", KINDS))
    told = [
        OptionSnapshot(LIVING.symbol, NOW, None, 0.02, 0.015, 0.5, 80_010.0, 80_000.0, 12.0, 3.0),
        IndexPrice("btc_usd", NOW, 80_000.0),
        Depth(PERP.symbol, NOW, 42, ((79_999.5, 10.0), (79_999.0, 20.0)), ()),
    ]
    assert (await put_records(db, "deribit", told, places)).inserted == 3
    again = await put_records(db, "deribit", told, places)
    assert (again.received, again.inserted, again.updated) == (3, 0, 0)
    row = await db.reads.fetchrow("select bid_prices, bid_amounts, ask_prices, ask_amounts, change_id from depth")
    assert tuple(row) == ([79_999.5, 79_999.0], [10.0, 20.0], [], [], 42)
    assert await db.reads.fetchval("select count(*) from revision") == 0


async def test_the_newest_of_an_index_is_found_in_its_own_table(clean_database: Database) -> None:
    db = clean_database
    await reference.put_instruments(db, "deribit", LISTED)
    places = Places(await reference.series_of(db, "deribit", "deribit", KINDS))
    minutes = [IndexPrice("btc_usd", NOW - n * timedelta(minutes=1), 80_000.0 + n) for n in range(3)]
    await put_records(db, "deribit", minutes, places)
    since = NOW - timedelta(days=1)
    assert await upkeep.last_times(db, "deribit", "index_price", ("index",), since) == {"btc_usd": NOW}
    assert await upkeep.first_times(db, "deribit", "index_price", ("index",), since) == {"btc_usd": minutes[-1].time}
    assert await upkeep.last_times(db, "deribit", "index_price", ("perp",), since) == {}
    assert await upkeep.last_times(db, "deribit", "index_price", ("index",), NOW + timedelta(minutes=1)) == {}
