"""What is exported comes back as it was: every value, how its interval is known and when it became known."""

from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from app.db import Database
from app.services.export import DATASETS, Wanted, export
from app.services.importing import Answer, import_files, options
from tests.conftest import EMPTY, shared
from tests.db.importing import bring, candle, funding, liquidation

TABLES = {
    "funding": ("funding", "predicted_funding"),
    "open-interest": ("open_interest",),
    "candles": ("perp_1m", "perp_1h"),
    "liquidations": ("liquidation",),
    "long-short": ("perp_1m",),
    "taker-volume": ("perp_1m", "perp_1h"),
    "fundamentals": (),
}
PEPE = {"exchange": "hyperliquid", "instrument": "kPEPE", "asset": "kPEPE"}
LATER = "2025-12-05T01:02:03.456789Z"


async def facts(db: Database, dataset: str) -> list[tuple[object, ...]]:
    """Every stored row of a dataset with all its columns, under the names of its contract instead of ids."""
    found: list[asyncpg.Record] = []
    for table in TABLES[dataset]:
        found += await db.reads.fetch(
            f"""select '{table}', x.slug, i.symbol, i.multiplier, e.canonical_id, o.slug,
              to_jsonb(f) - '{{series_id,batch_id}}'::text[]
            from {table} f join series s on s.id = f.series_id join source o on o.id = s.source_id
            join instrument i on i.id = s.instrument_id join exchange x on x.id = i.exchange_id
            join entity e on e.id = i.entity_id order by 1, 2, 3, 6, f.ts"""
        )
    if dataset == "fundamentals":
        found += await db.reads.fetch(
            """select t.source, t.name, t.unit, x.slug, e.canonical_id, v.ts, v.value, v.known_at
            from metric_value v join metric_series s on s.id = v.series_id join metric t on t.id = s.metric_id
            join entity e on e.id = s.entity_id left join exchange x on x.id = s.exchange_id order by 1, 2, 4, 6"""
        )
    return [tuple(row) for row in found]


async def round_trip(db: Database, dataset: str, folder: Path, suffix: str) -> Answer:
    """Export, empty the database, import; everything has to be what it was, and nothing earlier is kept of it."""
    before = await facts(db, dataset)
    assert before
    done = await export(db, DATASETS[dataset], folder, suffix, Wanted())
    assert done.rows == len(before)
    await db.reads.execute(EMPTY)
    answer = await import_files(db, dataset, files(folder), options(dataset))
    assert (answer.received, answer.inserted, answer.rejected) == (len(before), len(before), ())
    assert [notice for notice in answer.notices if "ignored" in notice] == []
    assert await facts(db, dataset) == before
    assert await db.reads.fetchval("select count(*) from revision") == 0
    return answer


def files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in files(folder)]


BOTH = pytest.mark.parametrize("suffix", ["parquet", "csv"])


@BOTH
async def test_funding_of_both_kinds(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    rates = [1e-4, -3.3333333333333335e-05, 0.1 + 0.2, 5e-324, 0.0]
    told = [funding(time=f"2025-11-30T{8 * n:02}:00:00Z", rate=rate) for n, rate in enumerate(rates[:3])]
    told += [funding(time=f"2025-12-01T{8 * n:02}:00:00Z", rate=rate) for n, rate in enumerate(rates[3:])]
    told += [
        funding(time="2025-12-01T00:00:00Z", source="velo", interval_hours=8, known_at=LATER),
        funding(time="2025-12-01T08:00:00Z", source="velo", interval_hours=4, interval_known="inferred"),
        funding(time="2025-12-01T12:00:00Z", source="velo", interval_hours=24, interval_known="assumed"),
        funding(**PEPE, time="2025-12-01T01:00:00Z", rate=1.25e-5),
        funding(time="2025-12-01T01:00:01.5Z", kind="predicted", rate=2e-4, for_time="2025-12-01T08:00:00Z"),
        funding(time="2025-12-01T01:01:00Z", kind="predicted", rate=2e-4, interval_hours=8, known_at=LATER),
    ]
    assert (await bring(clean_database, "funding", *told)).rejected == ()
    await round_trip(clean_database, "funding", tmp_path / "out", suffix)
    assert names(tmp_path / "out") == [
        f"exchange=binance/month=2025-11/settled.{suffix}",
        f"exchange=binance/month=2025-12/predicted.{suffix}",
        f"exchange=binance/month=2025-12/settled.{suffix}",
        f"exchange=hyperliquid/month=2025-12/settled.{suffix}",
    ]


@BOTH
async def test_intervals_that_were_told_are_not_judged_anew(
    clean_database: Database, tmp_path: Path, suffix: str
) -> None:
    """Months come back one after the other, and the rows around their seam would be judged otherwise by themselves."""
    seam = ("2025-11-30T00", "2025-11-30T08", "2025-11-30T16", "2025-12-01T00", "2025-12-01T08", "2025-12-01T12")
    told = [
        funding(time=f"{time}:00:00Z", interval_hours=hours, interval_known=known)
        for time, hours, known in zip(seam, (8, 4, 1, 8, 8, 8), ("assumed",) * 3 + ("inferred",) * 3, strict=True)
    ]
    await bring(clean_database, "funding", *told)
    await round_trip(clean_database, "funding", tmp_path, suffix)


@BOTH
async def test_open_interest_of_thousands(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    row = {"time": "2025-12-01T00:00:00Z", **PEPE}
    await bring(
        clean_database,
        "open-interest",
        {**row, "oi_base": 1234567.891},
        {**row, "time": "2025-12-01T00:05:00.25Z", "oi_usd": 1e9 / 7, "known_at": LATER},
        {**row, "source": "velo", "oi_base": 0.1, "oi_usd": 0},
    )
    await round_trip(clean_database, "open-interest", tmp_path, suffix)
    held = [row[-1] for row in await facts(clean_database, "open-interest")]
    assert '"oi_base": 1234567891' in str(held[0])


@BOTH
async def test_candles_of_both_lengths(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    prices = {"open": 0.0123, "high": 0.0129, "low": 0.0101, "close": 0.0111}
    await bring(
        clean_database,
        "candles",
        candle(**PEPE, **prices, volume_base=3.3, buy_volume_base=1.1, volume_usd=0.04, trades=7, known_at=LATER),
        candle(**PEPE, **prices, interval="1h"),
        candle(exchange="okx", instrument="BTC-USDT-SWAP"),
    )
    await round_trip(clean_database, "candles", tmp_path, suffix)
    assert names(tmp_path)[:2] == [f"exchange=hyperliquid/month=2025-08/{name}.{suffix}" for name in ("1h", "1m")]


@BOTH
async def test_liquidations_and_the_minutes_they_are_laid_into(
    clean_database: Database, tmp_path: Path, suffix: str
) -> None:
    told = [liquidation(**PEPE, price=0.012345, quantity=n / 7, side="short", known_at=LATER) for n in range(1, 1200)]
    fine = liquidation(time="2025-08-21T00:00:00.123456Z", known_at=LATER)
    assert (await bring(clean_database, "liquidations", *told, fine)).inserted > 600
    minutes = "select ts, liquidation_price, long_liquidation_base, short_liquidation_base, known_at from perp_1m"
    before = await clean_database.reads.fetch(f"{minutes} order by 2")
    await round_trip(clean_database, "liquidations", tmp_path, suffix)
    assert await clean_database.reads.fetch(f"{minutes} order by 2") == before
    assert names(tmp_path)[0] == f"exchange=binance/month=2025-08/liquidations.{suffix}"


@BOTH
async def test_ratios_of_accounts(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    row = {"time": "2025-08-21T00:00:00Z", "exchange": "okx", "asset": "BTC", "long_short_ratio": 1.1 / 3}
    await bring(clean_database, "long-short", row, {**row, **PEPE, "source": "desk", "known_at": LATER})
    await round_trip(clean_database, "long-short", tmp_path, suffix)


@BOTH
async def test_volume_of_takers_of_both_lengths(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    row = {"time": "2025-08-21T00:00:00Z", **PEPE, "buy_volume_base": 1.1, "sell_volume_base": 3.3}
    await bring(clean_database, "taker-volume", row, {**row, "interval": "1h", "known_at": LATER})
    await bring(clean_database, "taker-volume", {**row, "asset": "BTC", "instrument": None, "sell_volume_base": None})
    await round_trip(clean_database, "taker-volume", tmp_path, suffix)
    assert names(tmp_path) == [f"exchange=hyperliquid/month=2025-08/{name}.{suffix}" for name in ("1h", "1m")]


async def test_a_wide_minute_comes_back_from_its_parts(clean_database: Database, tmp_path: Path) -> None:
    """In any order of the files: what is absent in one of them stays as another told it."""
    prices = dict.fromkeys(("open", "high", "low", "close"), 9.5)
    await bring(clean_database, "candles", candle(**prices, volume_base=3.0, known_at=LATER))
    row = {"time": "2025-08-21T00:00:30Z", "exchange": "binance", "asset": "BTC", "known_at": LATER}
    await bring(clean_database, "long-short", {**row, "long_short_ratio": 2.0})
    await bring(clean_database, "taker-volume", {**row, "time": "2025-08-21T00:00:00Z", "sell_volume_base": 1.0})
    before = await facts(clean_database, "candles")
    assert len(before) == 1
    told = ("taker-volume", "candles", "long-short")
    for dataset in told:
        await export(clean_database, DATASETS[dataset], tmp_path / dataset, "parquet", Wanted())
    await clean_database.reads.execute(EMPTY)
    for dataset in told:
        assert (await import_files(clean_database, dataset, files(tmp_path / dataset), options(dataset))).inserted == 1
    assert await facts(clean_database, "candles") == before


@BOTH
async def test_metrics_of_an_exchange_and_of_none(clean_database: Database, tmp_path: Path, suffix: str) -> None:
    row = {"time": "2025-12-01T00:00:00Z", "asset": "aave", "metric": "TVL", "source": "defillama", "value": 1e9 / 7}
    later = {**row, "time": "2026-01-01T00:00:00Z", "value": 0, "known_at": "2026-02-05T01:02:03.456789Z"}
    await bring(clean_database, "fundamentals", row, later, {**row, "exchange": "bybit", "unit": "USD", "metric": "X"})
    await round_trip(clean_database, "fundamentals", tmp_path, suffix)
    nowhere = "exchange=__HIVE_DEFAULT_PARTITION__"
    assert names(tmp_path) == [
        f"{nowhere}/month=2025-12/fundamentals.{suffix}",
        f"{nowhere}/month=2026-01/fundamentals.{suffix}",
        f"exchange=bybit/month=2025-12/fundamentals.{suffix}",
    ]


@pytest.mark.one_server
async def test_a_year_of_three_exchanges(clean_database: Database, tmp_path: Path) -> None:
    path = shared("datasets/funding_3venues_2025_2026") / "funding.csv.gz"
    columns = [("venue", "exchange"), ("venue_symbol", "instrument"), ("coin", "asset"), ("rate_raw", "rate")]
    await import_files(
        clean_database, "funding", [path], options("funding", columns=[*columns, ("interval_hours", "")])
    )
    answer = await round_trip(clean_database, "funding", tmp_path, "parquet")
    assert answer.received == 186_148
    again = await import_files(clean_database, "funding", files(tmp_path), options("funding"))
    assert again.unchanged == again.received == 186_148
