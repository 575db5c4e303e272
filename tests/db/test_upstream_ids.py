"""What a contract is called upstream: asked by it from the next listing on, with a date for every change."""

from app.db import Database
from app.records import Instrument
from app.services import reference


async def listed(db: Database, *contracts: Instrument) -> dict[str, str | None]:
    await reference.put_instruments(db, "lighter", list(contracts))
    return {symbol: one.upstream_id for symbol, one in (await reference.instruments(db, "lighter")).items()}


async def noted(db: Database) -> list[tuple[str, str]]:
    rows = await db.reads.fetch(
        """select i.symbol, f.value from instrument_fact f join instrument i on i.id = f.instrument_id
        where f.fact = 'upstream_id' order by i.symbol, f.valid_from"""
    )
    return [tuple(row) for row in rows]


async def test_the_newest_id_is_asked_by_and_every_one_is_dated(clean_database: Database) -> None:
    eth, btc = Instrument("ETH", "ETH", "USDC", upstream_id="0"), Instrument("BTC", "BTC", "USDC", upstream_id="1")
    foo, moved = Instrument("FOO", "FOO", "USDC"), Instrument("ETH", "ETH", "USDC", upstream_id="7")
    assert await listed(clean_database, eth, btc, foo) == {"BTC": "1", "ETH": "0", "FOO": None}
    assert await listed(clean_database, moved, btc) == {"BTC": "1", "ETH": "7", "FOO": None}
    assert await noted(clean_database) == [("BTC", "1"), ("ETH", "0"), ("ETH", "7")]


async def test_a_list_without_ids_takes_none_away(clean_database: Database) -> None:
    await listed(clean_database, Instrument("ETH", "ETH", "USDC", upstream_id="0"))
    assert await listed(clean_database, Instrument("ETH", "ETH", "USDC")) == {"ETH": "0"}
    assert await noted(clean_database) == [("ETH", "0")]
