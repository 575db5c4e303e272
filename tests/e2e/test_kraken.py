"""Kraken over real sockets: a recorded year, told as the exchange tells it, is what the same values imported are."""

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.work import Order
from app.services.importing import import_files, options
from tests.conftest import shared
from tests.e2e.rounds import Clock, source, stored
from tests.replay import Fault, Replay

COINS = {"BTC": "PF_XBTUSD", "ETH": "PF_ETHUSD", "SOL": "PF_SOLUSD"}
PRICE = 80_000.0
"""What the amount of money is to its fraction; whoever takes the one for the other is that far off."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 7, 8, 20, tzinfo=UTC))


def recorded(name: str) -> Iterator[dict[str, str]]:
    path = shared("datasets/multivenue_2025_2026") / name
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from (row for row in csv.DictReader(file) if row["venue"] == "kraken")


def told(**body: Any) -> Fault:
    return Fault(body=json.dumps({"result": "success", "serverTime": "2026-03-07T08:20:00Z", **body}).encode())


def rates(coin: str) -> list[dict[str, Any]]:
    """As the exchange tells them: the time in words, an amount, and the fraction it is."""
    return [
        {
            "timestamp": row["time"],
            "fundingRate": float(row["funding_rate"]) * PRICE,
            "relativeFundingRate": float(row["funding_rate"]),
        }
        for row in recorded("funding_rates.csv.gz")
        if row["coin"] == coin
    ]


def listed(symbol: str, base: str) -> dict[str, Any]:
    return {"symbol": symbol, "base": base, "quote": "USD", "contractSize": 1, "tradeable": True}


@pytest.fixture
def market(replay: Replay) -> dict[str, list[dict[str, Any]]]:
    bases = {"BTC": "XBT", "ETH": "ETH", "SOL": "SOL"}
    replay.misbehave(told(instruments=[listed(COINS[coin], base) for coin, base in bases.items()]), to="/instruments")
    paid = {symbol: rates(coin) for coin, symbol in COINS.items()}
    for symbol, rows in paid.items():
        replay.misbehave(told(rates=rows), to=f"historicalfundingrates?symbol={symbol}")
    return paid


async def test_a_year_of_rates_is_asked_once_and_is_what_an_import_of_them_is(
    engine: Engine, market: dict[str, list[dict[str, Any]]], replay: Replay, tmp_path: Path
) -> None:
    pulled = await jobs.pull_all(engine, source("kraken"), ["instruments", "funding"], Order(days=400))
    assert [(one.dataset, one.status, one.error) for one in pulled] == [
        ("instruments", "succeeded", None), ("funding", "succeeded", None)]  # fmt: skip
    assert len([one for one in replay.asked if "historicalfundingrates" in one.path]) == len(COINS)
    bitcoin = "select symbol from instrument where entity_id = (select id from entity where canonical_id = 'bitcoin')"
    assert await engine.db.reads.fetchval(bitcoin) == "PF_XBTUSD"
    funding = await stored(engine.db, "funding", "rate, interval_hours")
    kept_since = datetime(2026, 3, 7, 8, 20, tzinfo=UTC) - timedelta(days=365) + timedelta(hours=1)
    for coin, symbol in COINS.items():
        file = [row for row in recorded("funding_rates.csv.gz") if row["coin"] == coin]
        told = {EPOCH + timedelta(milliseconds=int(row["ts"])): float(row["funding_rate"]) for row in file}
        rows = {time: rate for time, rate, _ in funding["kraken", symbol]}
        assert rows == {time: rate for time, rate in told.items() if time >= kept_since}
        assert len(rows) > 8_700
        assert {hours for _, _, hours in funding["kraken", symbol]} == {1.0}
    path = tmp_path / "kraken.csv"
    path.write_text("time,exchange,instrument,rate\n" + "".join(
        f"{row['timestamp']},kraken,{symbol},{row['relativeFundingRate']!r}\n"
        for symbol, rows in market.items() for row in rows))  # fmt: skip
    answer = await import_files(engine.db, "funding", [path], options("funding"))
    assert answer.rejected_count == 0
    rows = await _by_source(engine.db)
    assert rows["import"].items() >= rows["kraken"].items()
    assert len(rows["kraken"]) == sum(map(len, funding.values()))


async def _by_source(db: Database) -> dict[str, dict[tuple[str, datetime], float]]:
    found = await db.reads.fetch(
        """select o.slug, i.symbol, f.ts, f.rate from funding f join series s on s.id = f.series_id
        join source o on o.id = s.source_id join instrument i on i.id = s.instrument_id"""
    )
    told: dict[str, dict[tuple[str, datetime], float]] = {}
    for source_, symbol, ts, rate in found:
        told.setdefault(source_, {})[symbol, ts] = rate
    return told
