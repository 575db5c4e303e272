"""Whose fact a row is: exchanges, instruments and assets found, made or refused."""

import asyncio

import pytest

from app.db import Database
from app.records import Instrument
from app.services import reference
from tests.db.importing import WHEN, bring, codes, contracts, funding, stored


async def listed(db: Database, exchange: str, *records: Instrument) -> None:
    await reference.put_instruments(db, exchange, records)


async def test_an_instrument_not_seen_before_is_made_as_a_perpetual_of_its_asset(clean_database: Database) -> None:
    answer = await bring(clean_database, "funding", funding(exchange="NewEx", instrument="XBT-P", asset="btc"))
    assert codes(answer) == []
    assert await contracts(clean_database) == [("newex", "XBT-P", "perp", "bitcoin", 1)]
    assert await clean_database.reads.fetchval("select name from exchange where slug = 'newex'") == "newex"
    assert [*answer.notices] == ["new exchange `newex`", "new perpetuals: newex XBT-P"]


async def test_a_symbol_is_found_as_written_and_then_in_any_case(clean_database: Database) -> None:
    await listed(clean_database, "hyperliquid", Instrument("kPEPE", "kPEPE", "USDC"), Instrument("BTC", "BTC", "USDC"))
    rows = [funding(exchange="Hyperliquid", instrument=symbol, asset=None) for symbol in ("btc", "KPEPE", "kPEPE")]
    assert (await bring(clean_database, "funding", *rows)).inserted == 2
    assert [symbol for symbol, *_ in await stored(clean_database, "funding")] == ["BTC", "kPEPE"]


async def test_symbols_that_only_case_tells_apart(clean_database: Database) -> None:
    rows = [funding(exchange="x", instrument=symbol) for symbol in ("Abc", "aBC")]
    await bring(clean_database, "funding", rows[0])
    assert codes(await bring(clean_database, "funding", rows[1])) == []
    await listed(clean_database, "x", Instrument("aBC", "BTC", "USDT"))
    answer = await bring(clean_database, "funding", *rows, funding(exchange="x", instrument="ABC"))
    assert codes(answer) == [(2, "ambiguous_instrument")]


@pytest.mark.parametrize(
    ("symbol", "exchange", "entity", "multiplier"),
    [
        ("1000PEPEUSDT", "binance", "pepe", 1000),
        ("kPEPE", "hyperliquid", "pepe", 1000),
        ("BTC-PERPETUAL", "unheard-of", "bitcoin", 1),
        ("1000BONKUSDT", "unheard-of", "bonk", 1000),
        ("NVDAUSDT", "bybit", "eq-nvda", 1),
        ("METAUSDT", "bybit", "eq-meta", 1),
    ],
)
async def test_a_new_instrument_without_asset_is_known_by_its_own_id_or_symbol(
    clean_database: Database, symbol: str, exchange: str, entity: str, multiplier: float
) -> None:
    answer = await bring(clean_database, "funding", funding(exchange=exchange, instrument=symbol, asset=None))
    assert codes(answer) == []
    assert await contracts(clean_database) == [(exchange, symbol, "perp", entity, multiplier)]


@pytest.mark.parametrize("symbol", ["METAUSD", "NOSUCHCOINUSDT"])
async def test_a_new_instrument_of_nobody_knows_what_is_refused(clean_database: Database, symbol: str) -> None:
    answer = await bring(clean_database, "funding", funding(exchange="unheard-of", instrument=symbol, asset=None))
    assert codes(answer) == [(0, "unknown_instrument")]
    assert "name its `asset`" in answer.rejected[0].reason
    assert await contracts(clean_database) == []


async def test_an_asset_alone_is_the_one_perpetual_of_it(clean_database: Database) -> None:
    await listed(
        clean_database, "okx", Instrument("BTC-USDT-SWAP", "BTC", "USDT"), Instrument("BTC-F", "BTC", "USDT", "future")
    )
    answer = await bring(clean_database, "funding", funding(exchange="okx", instrument=None))
    assert answer.inserted == 1
    assert [symbol for symbol, *_ in await stored(clean_database, "funding")] == ["BTC-USDT-SWAP"]


async def test_an_asset_alone_with_several_perpetuals_is_refused(clean_database: Database) -> None:
    await listed(clean_database, "okx", *(Instrument(f"BTC-{q}", "BTC", q, listed_at=None) for q in ("USDT", "USDC")))
    answer = await bring(clean_database, "funding", funding(exchange="okx", instrument=None))
    assert codes(answer) == [(0, "ambiguous_instrument")]
    assert "BTC-USDC, BTC-USDT" in answer.rejected[0].reason


async def test_an_asset_alone_makes_its_perpetual_once(clean_database: Database) -> None:
    rows = [funding(exchange="x", instrument=None, asset=word, time=n) for n, word in enumerate(WORDS, 1_755_734_400)]
    assert (await bring(clean_database, "funding", *rows)).rejected_count == 0
    assert await contracts(clean_database) == [("x", "BTC", "perp", "bitcoin", 1), ("x", "kPEPE", "perp", "pepe", 1000)]
    assert (await bring(clean_database, "funding", *rows)).unchanged == len(rows)


WORDS = ("btc", "bitcoin", "BTC", "Bitcoin", "kPEPE", "PEPE", "1000PEPE", "pepe")


async def test_rows_that_name_the_instrument_come_first(clean_database: Database) -> None:
    rows = [funding(exchange="x", instrument=None), funding(exchange="x", instrument="BTCUSDT", time=1_755_763_200)]
    for inserted in (2, 0):
        assert (await bring(clean_database, "funding", *rows)).inserted == inserted
    assert len(await contracts(clean_database)) == 1


async def test_an_asset_that_is_not_the_instruments_is_refused(clean_database: Database) -> None:
    await listed(clean_database, "binance", Instrument("BTCUSDT", "BTC", "USDT"))
    rows = [funding(asset="ETH"), funding(asset="bitcoin"), funding(instrument="ETHUSDT", asset="SOL")]
    answer = await bring(clean_database, "funding", *rows)
    assert codes(answer) == [(0, "asset_mismatch"), (2, "asset_mismatch")]
    assert "is of `bitcoin`, not of `ETH`" in answer.rejected[0].reason


async def test_an_unknown_asset_is_refused_or_made(clean_database: Database) -> None:
    rows = [funding(exchange="x", instrument=None, asset="kNEWC", time=n) for n in (1_755_734_400, 1_755_763_200)]
    rows.append(funding(exchange="x", instrument=None, asset="newc", time=1_755_792_000))
    assert codes(await bring(clean_database, "funding", *rows)) == [(n, "unknown_asset") for n in range(3)]
    try:
        answer = await bring(clean_database, "funding", *rows, create_assets=True)
        assert (answer.inserted, answer.rejected_count) == (3, 0)
        assert "new asset `newc`" in answer.notices
        made = await clean_database.reads.fetchrow("select * from entity where canonical_id = 'newc'")
        assert made is not None
        assert (made["symbol"], made["type"]) == ("NEWC", "token")
        assert await contracts(clean_database) == [("x", "kNEWC", "perp", "newc", 1000)]
        assert (await bring(clean_database, "funding", *rows)).unchanged == 3
    finally:
        await clean_database.reads.execute(FORGET_NEWC)


FORGET_NEWC = """
update instrument set entity_id = null;
delete from coin_1h_ready where entity_id in (select id from entity where canonical_id = 'newc');
delete from entity where canonical_id = 'newc'
"""


async def test_an_asset_no_id_can_be_made_of_is_refused(clean_database: Database) -> None:
    answer = await bring(clean_database, "funding", funding(instrument=None, asset="?!"), create_assets=True)
    assert codes(answer) == [(0, "unknown_asset")]


async def test_a_symbol_of_several_entities_needs_the_canonical_id(clean_database: Database) -> None:
    rows = [funding(exchange="x", instrument="META-P", asset=asset) for asset in ("META", "eq-meta", "META")]
    answer = await bring(clean_database, "funding", *rows[:1])
    assert codes(answer) == [(0, "ambiguous_asset")]
    assert "`eq-meta`, `meta-2-2`" in answer.rejected[0].reason
    assert codes(await bring(clean_database, "funding", *rows[1:])) == []
    assert codes(await bring(clean_database, "funding", funding(exchange="x", instrument=None, asset="META"))) == []
    assert len(await contracts(clean_database)) == 1


async def test_an_instrument_nobody_knew_the_coin_of_takes_the_asset_of_its_row(clean_database: Database) -> None:
    await listed(clean_database, "binance", Instrument("WHATUSDT", "WHAT", "USDT"))
    assert await contracts(clean_database) == [("binance", "WHATUSDT", "perp", None, 1)]
    assert codes(await bring(clean_database, "funding", funding(instrument="WHATUSDT", asset=None))) == []
    assert codes(await bring(clean_database, "funding", funding(instrument="WHATUSDT", asset="SOL"))) == []
    assert await contracts(clean_database) == [("binance", "WHATUSDT", "perp", "solana", 1)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"exchange": None}, "no_exchange"),
        ({"exchange": "  "}, "no_exchange"),
        ({"exchange": "two words"}, "bad_exchange"),
        ({"exchange": "a" * 65}, "bad_exchange"),
        ({"exchange": "../etc"}, "bad_exchange"),
        ({"source": "a b"}, "bad_source"),
        ({"instrument": None, "asset": None}, "no_instrument"),
        ({"instrument": "a\u0000b"}, "bad_instrument"),
        ({"instrument": "a" * 129}, "bad_instrument"),
        ({"asset": "\n" + "a\nb"}, "bad_asset"),
    ],
)
async def test_words_that_name_nothing_are_refused(
    clean_database: Database, fields: dict[str, object], code: str
) -> None:
    assert codes(await bring(clean_database, "funding", funding(**fields))) == [(0, code)]
    assert await contracts(clean_database) == []


async def test_sources_are_told_apart(clean_database: Database) -> None:
    rows = [funding(), funding(source="Velo", rate=0.0002), funding(source="binance", rate=0.0003)]
    assert (await bring(clean_database, "funding", *rows)).inserted == 3
    assert [(source, rate) for _, source, rate in await stored(clean_database, "funding", "rate")] == [
        ("binance", 0.0003), ("import", 0.0001), ("velo", 0.0002),
    ]  # fmt: skip
    ranks = await clean_database.reads.fetch(
        "select o.slug, s.preference from series s join source o on o.id = s.source_id order by s.preference"
    )
    assert [tuple(row) for row in ranks] == [("binance", 0), ("import", 1), ("velo", 2)]
    assert (await bring(clean_database, "funding", funding(), source="mine")).inserted == 1


async def test_what_only_refused_rows_name_is_not_made(clean_database: Database) -> None:
    answer = await bring(clean_database, "funding", funding(exchange="never-made", rate="x"))
    assert codes(answer) == [(0, "bad_number")]
    assert await clean_database.reads.fetchval("select count(*) from exchange where slug = 'never-made'") == 0
    assert answer.notices == ()


async def test_a_dry_run_leaves_nothing(clean_database: Database) -> None:
    rows = [funding(exchange="never-made", asset="NEVERMADE"), funding(exchange="never-made", time=1_755_763_200)]
    rows += [
        funding(exchange="never-made", asset="NEVERMADE", kind="predicted"),
        funding(exchange="never-made", rate="x"),
    ]
    answer = await bring(clean_database, "funding", *rows[:3], create_assets=True, dry_run=True)
    assert (answer.inserted, codes(answer)) == (2, [(1, "asset_mismatch")])
    tables = ("funding", "predicted_funding", "series", "instrument", "source", "latest", "coin_1h_ready")
    for table in tables:
        assert await clean_database.reads.fetchval(f"select count(*) from {table}") == 0
    assert await clean_database.reads.fetchval("select count(*) from exchange where slug = 'never-made'") == 0
    assert await clean_database.reads.fetchval("select count(*) from entity where symbol = 'NEVERMADE'") == 0


async def test_a_dry_run_tells_what_would_become_of_rows(clean_database: Database) -> None:
    await bring(clean_database, "funding", funding())
    rows = [funding(), funding(rate=0.5), funding(time=1_755_763_200)]
    answer = await bring(clean_database, "funding", *rows, dry_run=True)
    assert (answer.inserted, answer.updated, answer.unchanged) == (1, 1, 1)
    assert "dry run: nothing was written" in answer.notices
    assert await stored(clean_database, "funding", "rate") == [("BTCUSDT", "import", 0.0001)]


@pytest.mark.parametrize("dataset", ["funding", "open-interest"])
async def test_imports_that_make_the_same_things_at_once(clean_database: Database, dataset: str) -> None:
    rows = [
        {"time": WHEN, "exchange": "x", "instrument": f"{coin}-P", "asset": coin, "rate": 0.1, "oi_usd": 5}
        for coin in ("BTC", "ETH", "SOL")
    ]
    answers = await asyncio.gather(*(bring(clean_database, dataset, *rows[::step]) for step in (1, -1, 1, -1)))
    assert sum(answer.inserted for answer in answers) == 3
    assert sum(answer.unchanged for answer in answers) == 9
    table = dataset.replace("-", "_")
    assert [symbol for symbol, *_ in await stored(clean_database, table)] == ["BTC-P", "ETH-P", "SOL-P"]
    assert await clean_database.reads.fetchval("select count(*) from series") == 3
