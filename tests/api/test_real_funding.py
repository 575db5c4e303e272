"""Recorded histories, imported by the real command: every hour of every answer as plain Python has it."""

import csv
import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from tests.conftest import ROOT, shared
from tests.plain import Contract, best_pair, hours_of, weighted

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[str, str]
Settled = dict[Key, dict[datetime, float]]


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def time_of(row: Mapping[str, str]) -> datetime:
    """The stamp of a row, on the nearest minute."""
    return EPOCH + timedelta(minutes=(int(row["ts"]) + 30_000) // 60_000)


def told(path: Path, rate: str, coin: str, instrument: str | None = None) -> Settled:
    """Rates of a coin by exchange and contract."""
    found: Settled = defaultdict(dict)
    for row in rows_of(path):
        if row["coin"] == coin:
            found[row["venue"], row[instrument] if instrument else coin][time_of(row)] = float(row[rate])
    return found


def contracts_of(settled: Settled) -> list[Contract]:
    """Each with the interval of every settlement, read off the spacing by the rule in plain words."""
    found: list[Contract] = []
    for (exchange, name), rates in sorted(settled.items()):
        times = sorted(rates)
        paid = ((rates[time], hours) for time, hours in zip(times, hours_of(times), strict=True))
        found.append(Contract(exchange, dict(zip(times, paid, strict=True)), {}, name))
    return found


def imported(db: Database, dataset: str, path: Path, *words: str) -> dict[str, Any]:
    """What `perpstore import` says of a file."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "import", dataset, str(path), *words, "--map", "ts=time", "--json"],
        capture_output=True,
        text=True,
        env={**ours, "DATABASE_URL": db.dsn},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["rejected_count"], answer["inserted"]) == (0, answer["received"])
    return answer


async def rows(client: httpx.AsyncClient, path: str, **parameters: object) -> list[dict[str, Any]]:
    """All rows of a window."""
    answer = await client.get(path, params={"format": "ndjson", "time_format": "ms", **parameters})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def window(first: datetime, last: datetime) -> dict[str, str]:
    return {"start": first.isoformat(), "end": (last + HOUR).isoformat()}


def hourly(first: datetime, last: datetime) -> Iterable[datetime]:
    return (first + n * HOUR for n in range((last - first) // HOUR + 1))


def ms(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


async def same_means(
    client: httpx.AsyncClient, coin: str, contracts: list[Contract], first: datetime, last: datetime, weight: str
) -> list[dict[str, Any]]:
    """The mean of every hour, per 8 hours and per year, is that of plain Python. Returns the rows."""
    asked = {"weighted": weight, "interval": "1h", **window(first, last)}
    found = await rows(client, f"/funding/{coin}", **asked)
    yearly = await rows(client, f"/funding/{coin}", per="1y", **asked)
    assert len(found) == len(yearly) == (last - first) // HOUR + 1
    for row, year, moment in zip(found, yearly, hourly(first, last), strict=True):
        expected = weighted(contracts, moment, equal=weight == "equal")
        assert row["time"] == ms(moment)
        for name, value in expected.items():
            close = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert row[name] == close, (coin, moment, name)
        apr = expected["rate"]
        assert year["rate"] == (None if apr is None else pytest.approx(apr * 8760 / 8, rel=1e-9))  # type: ignore[operator]
    return found


async def same_spreads(
    client: httpx.AsyncClient, coin: str, contracts: list[Contract], first: datetime, last: datetime
) -> list[dict[str, Any]]:
    """The best pair of every hour is that of plain Python. Returns the rows."""
    found = await rows(client, f"/spreads/{coin}", pairs="best", interval="1h", **window(first, last))
    by_time = {row["time"]: row for row in found}
    expected = [(moment, best_pair(contracts, moment)) for moment in hourly(first, last)]
    assert len(found) == sum(best is not None for _, best in expected)
    for moment, best in expected:
        if best is None:
            assert ms(moment) not in by_time
            continue
        row = by_time[ms(moment)]
        for name, value in best.items():
            close = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert row[name] == close, (coin, moment, name, row)
    return found


async def test_a_year_of_seven_exchanges_weighted_by_open_interest(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    folder = shared("datasets/multivenue_2025_2026")
    path, held = folder / "funding_rates.csv.gz", folder / "open_interest_1h.csv.gz"
    names = ("--map", "venue=exchange", "--map", "coin=asset")
    imported(clean_database, "funding", path, *names, "--map", "funding_rate=rate")
    imported(clean_database, "open-interest", held, *names)
    first, last = datetime(2025, 3, 9, tzinfo=UTC), datetime(2026, 3, 7, tzinfo=UTC)
    for coin in ("BTC", "SOL"):
        contracts = contracts_of(told(path, "funding_rate", coin))
        by_exchange = {contract.exchange: contract for contract in contracts}
        for row in rows_of(held):
            if row["coin"] == coin:
                by_exchange[row["venue"]].held[time_of(row)] = float(row["oi_usd"])
        assert len(by_exchange) == 7
        means = await same_means(client, coin, contracts, first, last, "oi")
        assert sum(row["rate"] is not None for row in means) > 8000
        await same_spreads(client, coin, contracts, first, last)


async def test_three_exchanges_with_changing_intervals_and_several_contracts(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    path = shared("datasets/funding_3venues_2025_2026") / "funding.csv.gz"
    columns = ("venue=exchange", "venue_symbol=instrument", "coin=asset", "rate_raw=rate", "interval_hours=")
    imported(clean_database, "funding", path, *(word for column in columns for word in ("--map", column)))
    first, last = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 4, 15, tzinfo=UTC)
    for coin in ("BTC", "INJ"):
        contracts = contracts_of(told(path, "rate_raw", coin, "venue_symbol"))
        assert len(contracts) > len({contract.exchange for contract in contracts})
        await same_means(client, coin, contracts, first, last, "equal")
        await same_spreads(client, coin, contracts, first, last)


async def test_seven_exchanges_of_which_one_never_settles_with_the_others(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    path = shared("datasets/funding_7exchanges_2020_2023_btc") / "funding_utc.csv.gz"
    names = ("--map", "venue=exchange", "--map", "coin=asset", "--map", "funding_rate=rate")
    imported(clean_database, "funding", path, *names)
    contracts = contracts_of(told(path, "funding_rate", "BTC"))
    first, last = datetime(2021, 12, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    means = await same_means(client, "BTC", contracts, first, last, "equal")
    best = await same_spreads(client, "BTC", contracts, first, last)
    kucoin = next(contract for contract in contracts if contract.exchange == "kucoin")
    assert {time.hour for time in kucoin.settled} == {4, 12, 20}
    assert all("kucoin" in row["present"] for row in means), "it is in force at every hour, though it settles at others"
    assert any("kucoin" in (row["short_exchange"], row["long_exchange"]) for row in best)


async def test_hyperliquid_paid_every_8_hours_until_june_2023(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    folder = shared("datasets/hyperliquid_funding_2023_2025")
    names = ("--set", "exchange=hyperliquid", "--set", "asset=BTC", "--map", "funding_rate=rate")
    path = folder / "BTC_funding.csv.gz"
    imported(clean_database, "funding", path, *names)
    settled = {("hyperliquid", "BTC"): {time_of(row): float(row["funding_rate"]) for row in rows_of(path)}}
    first, last = datetime(2023, 5, 13, tzinfo=UTC), datetime(2023, 8, 1, tzinfo=UTC)
    await same_means(client, "BTC", contracts_of(settled), first, last, "equal")
    symbol = (await client.get("/instruments", params={"exchange": "hyperliquid"})).json()["data"][0]["symbol"]
    answer = await client.get(f"/instruments/hyperliquid/{symbol}/funding-intervals")
    stretches = [row for row in answer.json()["data"] if row["hours"] in (1, 8)]
    change = next(row["from"] for row in stretches if row["hours"] == 1)
    assert (stretches[0]["hours"], change) == (8, "2023-06-08T01:00:00Z")
