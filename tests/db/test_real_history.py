"""Recorded histories, imported as a user would: intervals found, and the weighted mean as plain Python has it."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.db import Database
from app.services import rollup
from app.services.importing import import_files, options
from app.services.queries import sql
from tests.conftest import shared
from tests.plain import Contract, weighted

HOUR = timedelta(hours=1)
HOURS = {"hyperliquid": 1.0, "lighter": 1.0, "kraken": 1.0, "dydx": 1.0, "binance": 8.0, "bybit": 8.0, "okx": 8.0}


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def time_of(row: dict[str, str]) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(row["ts"]))


@pytest.mark.one_server
async def test_weighted_funding_of_seven_exchanges_for_a_year(clean_database: Database) -> None:
    folder = shared("datasets/multivenue_2025_2026")
    funding, held = folder / "funding_rates.csv.gz", folder / "open_interest_1h.csv.gz"
    columns = [("ts", "time"), ("venue", "exchange"), ("coin", "asset")]
    for dataset, path, more in (("funding", funding, [("funding_rate", "rate")]), ("open-interest", held, [])):
        answer = await import_files(clean_database, dataset, [path], options(dataset, columns=[*columns, *more]))
        assert (answer.rejected_count, answer.inserted) == (0, answer.received)
    await rollup.refresh(clean_database)
    for coin, canonical in (("BTC", "bitcoin"), ("SOL", "solana")):
        await _compare(clean_database, coin, canonical, funding, held)


async def _compare(db: Database, coin: str, canonical: str, funding: Path, held: Path) -> None:
    contracts = {name: Contract(name) for name in HOURS}
    for row in rows_of(funding):
        if row["coin"] == coin:
            stamp = time_of(row) + timedelta(seconds=30)
            contracts[row["venue"]].settled[stamp.replace(second=0, microsecond=0)] = (
                float(row["funding_rate"]),
                HOURS[row["venue"]],
            )
    for row in rows_of(held):
        if row["coin"] == coin:
            contracts[row["venue"]].held[time_of(row)] = float(row["oi_usd"])
    first, last = datetime(2025, 3, 8, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
    entity = await db.reads.fetchval("select id from entity where canonical_id = $1", canonical)
    found = await db.reads.fetch(sql("funding_mean", "weighted_hourly"), entity, first, last, 8.0, 0.0)
    assert len(found) == (last - first) / HOUR + 1
    assert sum(row["rate"] is not None for row in found) > 8000
    for row in found:
        expected = weighted(list(contracts.values()), row["time"])
        for name, value in expected.items():
            close = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert row[name] == close, (coin, row["time"], name)


@pytest.mark.one_server
async def test_every_interval_of_three_exchanges_is_found(clean_database: Database) -> None:
    path = shared("datasets/funding_3venues_2025_2026") / "funding.csv.gz"
    columns = [("venue", "exchange"), ("venue_symbol", "instrument"), ("coin", "asset"), ("rate_raw", "rate")]
    told = options("funding", columns=[*columns, ("interval_hours", "")])
    first = await import_files(clean_database, "funding", [path], told)
    assert (first.received, first.inserted, first.rejected_count) == (186_148, 186_148, 0)
    again = await import_files(clean_database, "funding", [path], told)
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 186_148)
    stored = {
        (row["slug"], row["symbol"], row["ts"]): (row["interval_hours"], row["interval_known"])
        for row in await clean_database.reads.fetch(
            """select e.slug, i.symbol, f.* from funding f join series s on s.id = f.series_id
            join instrument i on i.id = s.instrument_id join exchange e on e.id = i.exchange_id"""
        )
    }
    known: Counter[int] = Counter()
    for row in rows_of(path):
        stamp = (time_of(row) + timedelta(seconds=30)).replace(second=0, microsecond=0)
        hours, how = stored[row["venue"], row["venue_symbol"], stamp]
        known[how] += 1
        if row["interval_hours"]:
            assert hours == float(row["interval_hours"]), row
    series = len({key[:2] for key in stored})
    assert known == {1: 186_148 - series, 0: series}
    inj = {ts: hours for (venue, symbol, ts), (hours, _) in stored.items() if (venue, symbol) == ("bybit", "INJUSDT")}
    changes = [(ts, hours) for ts, hours in sorted(inj.items()) if inj.get(_before(inj, ts), hours) != hours]
    assert [(f"{ts:%m-%d %H}", hours) for ts, hours in changes] == [
        ("02-19 17", 1.0), ("02-27 00", 6.0), ("02-27 08", 8.0),
    ]  # fmt: skip


def _before(times: dict[datetime, float], ts: datetime) -> datetime | None:
    return max((t for t in times if t < ts), default=None)
