"""Files of options and of index prices: read in every format, and written so that they come back as they were."""

import gzip
import json
from pathlib import Path

import asyncpg
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from app.db import Database
from app.services import batches
from app.services.batches import Writer
from app.services.export import DATASETS, Wanted, export
from app.services.importing import import_files, options
from tests.conftest import FACT_TABLES
from tests.db.importing import OPTION, bring, codes, contracts, option, stored

GREEKS = {"delta": 0.4, "gamma": 2e-05, "vega": 90.5, "theta": -120.25, "rho": 15.5}
PUT = "BTC-27DEC24-100000-P"
LINEAR = "XRP_USDC-21SEP26-1d325-C"
KEY = Writer("desk", "api", "a body")
LATER = "2024-12-02T00:00:00.123456Z"
FLAT = dict.fromkeys(("open", "high", "low"), 0.5)


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    """The rows in a file of the format its name says."""
    kind, *packed = path.name.split(".")[1:]
    plain = path.with_name(f"plain.{kind}") if packed else path
    match kind:
        case "csv":
            csv.write_csv(pa.Table.from_pylist(rows), plain)
        case "parquet":
            parquet.write_table(pa.Table.from_pylist(rows), plain)
        case "json":
            plain.write_text(json.dumps(rows))
        case _:
            plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if packed:
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


async def test_columns_renamed_and_fixed_in_every_format(clean_database: Database, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"ts": 1733011201250, "instrument_name": name, "bid_price": bid, "implied_volatility": 0.61, "strike": 100000.0}
        for name, bid in ((OPTION, 0.02), (PUT, None))
    ]
    columns = {"ts": "time", "instrument_name": "instrument", "bid_price": "bid", "implied_volatility": "mark_iv"}
    told = options("options", columns=columns.items(), values=[("exchange", "deribit")])
    for number, suffix in enumerate(("csv", "ndjson", "json", "parquet", "csv.gz", "ndjson.gz")):
        answer = await import_files(clean_database, "options", [written(tmp_path / f"chain.{suffix}", rows)], told)
        assert codes(answer) == []
        assert [notice for notice in answer.notices if "ignored" in notice] == []
        assert (answer.inserted, answer.unchanged) == ((0, 2) if number else (2, 0)), suffix
    assert await stored(clean_database, "option_1m", "bid", "mark_iv") == [
        (OPTION, "import", 0.02, 0.61), (PUT, "import", None, 0.61),
    ]  # fmt: skip


async def test_unmapped_columns_are_named_with_the_field_they_may_be(clean_database: Database) -> None:
    answer = await bring(clean_database, "options", {**option(bid=None, mark_iv=None), "bid_price": 1, "iv": 50})
    ignored = [notice for notice in answer.notices if "ignored" in notice]
    assert ignored == ["column `bid_price` was ignored; map it to `bid` if it is that",
                       "column `iv` was ignored; map it to `mark_iv` if it is that"]  # fmt: skip


async def test_assets_nobody_knows_are_made_when_asked_for(clean_database: Database) -> None:
    row = option(instrument="NEWCOIN_USDC-27DEC24-1d5-P", asset="newcoin")
    assert codes(await bring(clean_database, "options", row)) == [(0, "unknown_asset")]
    assert codes(await bring(clean_database, "options", row, create_assets=True)) == []
    assert await contracts(clean_database) == [("deribit", row["instrument"], "option", "newcoin", 1)]


def index(**fields: object) -> dict[str, object]:
    return {"time": LATER, "exchange": "deribit", "instrument": "btc_usd", "price": 96000.5, **fields}


async def test_index_prices_of_instants_and_candles(clean_database: Database) -> None:
    db = clean_database
    rows = [
        index(),
        index(instrument="BTC-DVOL", price=0.475, open=0.47, high=0.48, low=0.465),
        index(instrument="BTC-USDT", exchange="okx", price=96001),
        index(instrument="MYINDEX", asset="ETH", price=1.5),
    ]
    number = (await bring(db, "index", *rows, by=KEY)).imports[0]
    columns = ("open", "high", "low", "close")
    assert await stored(db, "index_price", *columns) == [
        ("BTC-DVOL", "import", 0.47, 0.48, 0.465, 0.475),
        ("BTC-USDT", "import", None, None, None, 96001),
        ("MYINDEX", "import", None, None, None, 1.5),
        ("btc_usd", "import", None, None, None, 96000.5),
    ]
    assert [(symbol, kind, entity) for _, symbol, kind, entity, _ in await contracts(db)] == [
        ("BTC-DVOL", "index", "bitcoin"), ("MYINDEX", "index", "ethereum"), ("btc_usd", "index", "bitcoin"),
        ("BTC-USDT", "index", "bitcoin"),
    ]  # fmt: skip
    again = await bring(db, "index", *rows)
    assert (again.unchanged, again.notices) == (4, ())
    await batches.take_back(db, number)
    assert len(await stored(db, "index_price")) == 4


REFUSED: list[tuple[str, dict[str, object]]] = [
    ("no_value", {"price": None}),
    ("negative", {"price": -1}),
    ("looks_like_percent", {"instrument": "BTC-DVOL", "price": 47.5}),
    ("no_value", {"open": 96000}),
    ("no_value", {"open": 96000, "high": 97000}),
    ("high_low", {"open": 96000, "high": 96000.25, "low": 95000}),
    ("no_instrument", {"instrument": None, "asset": "BTC"}),
    ("unknown_instrument", {"instrument": "nosuchcoin_usd"}),
]


async def test_indexes_that_cannot_be(clean_database: Database) -> None:
    wrong = [index(**fields) for _, fields in REFUSED]
    answer = await bring(clean_database, "index", index(), *wrong, index(time="2024-12-03T00:00:00Z"))
    assert codes(answer) == [(row, code) for row, (code, _) in enumerate(REFUSED, 1)]
    assert answer.inserted == 2


async def stored_rows(db: Database) -> list[asyncpg.Record]:
    """Every stored row with all its columns, under the names of its contract instead of ids."""
    found: list[asyncpg.Record] = []
    for table in ("option_1m", "greeks", "index_price"):
        found += await db.reads.fetch(
            f"""select '{table}', x.slug, e.canonical_id, o.slug, to_jsonb(f) - '{{series_id,batch_id}}'::text[],
              to_jsonb(i) - '{{id,exchange_id,entity_id,seen_at}}'::text[] from {table} f
            join series s on s.id = f.series_id join source o on o.id = s.source_id
            join instrument i on i.id = s.instrument_id join exchange x on x.id = i.exchange_id
            join entity e on e.id = i.entity_id order by 1, 2, i.symbol, 4, f.ts"""
        )
    return found


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
async def test_what_is_exported_comes_back_as_it_was(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    db = clean_database
    greeks_alone = {"time": "2024-12-03T00:00:00Z", "exchange": "deribit", "instrument": OPTION, **GREEKS}
    rows = [
        option(**GREEKS, bid=0.1 + 0.2),
        option(known_at=LATER, time="2024-11-30T23:59:59.999999Z", volume=0),
        option(instrument=LINEAR, source="velo", time="2026-01-05T00:00:00Z", ask=None, rho=0),
        greeks_alone,
    ]
    assert (await bring(db, "options", *rows)).inserted == 4
    assert (await bring(db, "options", {**option(bid=None), "delta": 0.9})).updated == 1
    assert (await bring(db, "index", index(), index(instrument="BTC-DVOL", price=0.5, known_at=LATER, **FLAT))).inserted
    await db.reads.execute("truncate revision")
    before = await stored_rows(db)
    done = await export(db, DATASETS["options"], tmp_path / "options", suffix, Wanted())
    assert (done.files, done.rows) == (3, 5)  # the state of the first has another `known_at` than its greeks by now
    assert (await export(db, DATASETS["index"], tmp_path / "index", suffix, Wanted())).rows == 2
    await db.reads.execute(f"truncate {FACT_TABLES} restart identity cascade")
    for dataset, count in (("options", 5), ("index", 2)):
        files = sorted(path for path in (tmp_path / dataset).rglob("*") if path.is_file())
        answer = await import_files(db, dataset, files, options(dataset))
        assert (answer.received, answer.inserted, answer.rejected) == (count, count, ())
        assert [notice for notice in answer.notices if "ignored" in notice] == []
    assert await stored_rows(db) == before
    assert await db.reads.fetchval("select count(*) from revision") == 0
