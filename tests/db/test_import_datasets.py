"""Real files, imported as their columns are."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv, parquet

from app.db import Database
from app.services.importing import Answer, Options, import_files, import_rows, options
from tests.conftest import shared
from tests.db.importing import codes, contracts

THREE = {"venue": "exchange", "venue_symbol": "instrument", "coin": "asset", "rate_raw": "rate"}
SEVEN = {"ts": "time", "venue": "exchange", "coin": "asset", "funding_rate": "rate"}
INTERVALS = """
select e.slug || ' ' || i.symbol as name, f.ts, f.interval_hours, f.interval_known, f.rate
from funding f join series s on s.id = f.series_id join instrument i on i.id = s.instrument_id
join exchange e on e.id = i.exchange_id order by f.ts
"""


def told(dataset: str, columns: dict[str, str], **values: str) -> Options:
    names = {column: field for column, field in columns.items() if field != "rate" or dataset == "funding"}
    return options(dataset, columns=names.items(), values=values.items())


@pytest.fixture(scope="module")
def three() -> Path:
    return shared("datasets") / "funding_3venues_2025_2026" / "funding.csv.gz"


@pytest.fixture(scope="module")
def seven() -> Path:
    return shared("datasets") / "multivenue_2025_2026"


def table_of(path: Path) -> pa.Table:
    return csv.read_csv(path)


def whole(answer: Answer, received: int) -> None:
    """All rows of a file were new, and none was refused."""
    assert codes(answer) == []
    assert (answer.received, answer.inserted) == (received, received)


async def check_intervals(db: Database, table: pa.Table) -> None:
    """Every stored interval is the one the file tells, wherever it tells one."""
    names = pc.binary_join_element_wise(table["venue"], table["venue_symbol"], " ").to_pylist()
    minutes = [(ms + 30_000) // 60_000 for ms in table["ts"].to_pylist()]
    kept = {(r["name"], r["ts"].timestamp() / 60): r for r in await db.reads.fetch(INTERVALS)}
    assert len(kept) == table.num_rows
    columns = (table["interval_hours"].to_pylist(), table["rate_raw"].to_pylist())
    for name, minute, hours, rate in zip(names, minutes, *columns, strict=True):
        found = kept[name, minute]
        assert found["rate"] == rate
        assert hours is None or found["interval_hours"] == hours, (name, found)


async def changes(db: Database, name: str) -> list[tuple[datetime, float]]:
    """When the interval of an instrument changed, and to what."""
    rows = [row for row in await db.reads.fetch(INTERVALS) if row["name"] == name]
    return [(b["ts"], b["interval_hours"]) for a, b in pairwise(rows) if a["interval_hours"] != b["interval_hours"]]


async def test_three_venues_with_their_intervals(clean_database: Database, three: Path) -> None:
    for repeated in (False, True):
        answer = await import_files(clean_database, "funding", [three], told("funding", THREE))
        assert codes(answer) == []
        assert (answer.inserted, answer.updated, answer.unchanged) == ((0, 0, 186148) if repeated else (186148, 0, 0))
    await check_intervals(clean_database, table_of(three))


@pytest.mark.one_server
async def test_three_venues_with_intervals_inferred(clean_database: Database, three: Path) -> None:
    table = table_of(three)
    bare = table.drop_columns(["interval_hours", "rate_apr"])
    for inserted in (table.num_rows, 0):
        answer = await import_rows(clean_database, "funding", bare.to_batches(20_000), told("funding", THREE))
        assert (answer.inserted, answer.updated, answer.rejected_count) == (inserted, 0, 0)
    await check_intervals(clean_database, table)
    assert await changes(clean_database, "bybit INJUSDT") == [
        (datetime(2026, 2, 19, 17, tzinfo=UTC), 1),
        (datetime(2026, 2, 27, 0, tzinfo=UTC), 6),
        (datetime(2026, 2, 27, 8, tzinfo=UTC), 8),
    ]
    known = Counter(row["interval_known"] for row in await clean_database.reads.fetch(INTERVALS))
    assert known == {1: table.num_rows - 72, 0: 72}, "only the first settlement of each contract is assumed"


@pytest.mark.one_server
async def test_three_venues_in_any_order_are_the_same(clean_database: Database, three: Path) -> None:
    table = table_of(three).drop_columns(["interval_hours"]).sort_by("rate_raw")
    for part in (table.slice(100_000), table.slice(0, 100_000)):
        await import_rows(clean_database, "funding", part.to_batches(20_000), told("funding", THREE))
    await check_intervals(clean_database, table_of(three))


async def test_stocks_of_three_venues_are_no_coins(clean_database: Database, three: Path) -> None:
    await import_files(clean_database, "funding", [three], told("funding", THREE))
    found = {(exchange, symbol): entity for exchange, symbol, _, entity, _ in await contracts(clean_database)}
    assert found["hyperliquid-xyz", "xyz:NVDA"] == found["bybit", "NVDAUSDT"] == "eq-nvda"
    assert (found["bybit", "METAUSDT"], found["bybit", "SPYUSDT"]) == ("eq-meta", "idx-spy")
    assert (found["binance", "BTCUSDC"], found["bybit", "BTCPERP"], found["hyperliquid", "BTC"]) == ("bitcoin",) * 3
    assert None not in found.values()


async def test_funding_and_open_interest_of_seven_venues(clean_database: Database, seven: Path) -> None:
    answer = await import_files(clean_database, "funding", [seven / "funding_rates.csv.gz"], told("funding", SEVEN))
    whole(answer, 68_601)
    assert len(await contracts(clean_database)) == 21
    hours = await clean_database.reads.fetch(
        """select e.slug, array_agg(distinct f.interval_hours) as hours from funding f
        join series s on s.id = f.series_id join instrument i on i.id = s.instrument_id
        join exchange e on e.id = i.exchange_id group by 1"""
    )
    eight = {"binance", "bybit", "okx"}
    assert len(hours) == 7
    assert all(row["hours"] == [8 if row["slug"] in eight else 1] for row in hours)
    files = [seven / "open_interest_1h.csv.gz", seven / "hyperliquid_1min_oi_funding.csv.gz"]
    answer = await import_files(clean_database, "open-interest", files, told("open-interest", SEVEN))
    empty = [reject for reject in answer.rejected if reject.code == "no_value"]
    assert answer.rejected_count == len(empty) == 36
    assert answer.inserted == answer.received - 36
    assert len(await contracts(clean_database)) == 21


async def test_hourly_candles_of_seven_venues(clean_database: Database, seven: Path) -> None:
    columns = {"ts": "time", "venue": "exchange", "coin": "asset", "volume": "volume_base"}
    read = told("candles", columns, interval="1h")
    whole(await import_files(clean_database, "candles", [seven / "candles_1h.csv.gz"], read), 73_896)
    assert await clean_database.reads.fetchval("select count(*) from perp_1h") == 73_896


@pytest.mark.one_server
async def test_minutes_of_many_coins_in_parquet(clean_database: Database) -> None:
    path = shared("datasets") / "hyperliquid_1m_allcoins_2025_07" / "candles_1m.parquet"
    read = told("candles", {"ts": "time", "coin": "asset", "volume": "volume_base"}, exchange="hyperliquid")
    whole(await import_files(clean_database, "candles", [path], read), 797_460)
    multipliers = {symbol: multiplier for _, symbol, _, _, multiplier in await contracts(clean_database)}
    assert {symbol for symbol, multiplier in multipliers.items() if multiplier == 1000} >= {"kPEPE", "kBONK", "kSHIB"}
    rows = parquet.read_table(path, filters=[("coin", "=", "kPEPE")])
    prices, volume = await clean_database.reads.fetchrow(
        """select array_agg(close order by ts) as prices, sum(volume_base) as volume
        from perp_1m f join series s on s.id = f.series_id
        join instrument i on i.id = s.instrument_id where i.symbol = 'kPEPE'"""
    )
    assert prices == [close / 1000 for close in rows["close"].to_pylist()]
    assert volume == pytest.approx(1000 * pc.sum(rows["volume"]).as_py())
