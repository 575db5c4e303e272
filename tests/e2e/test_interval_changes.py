"""Settlements pulled one by one: a change of interval shows by itself, and what was answered before stays so."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.work import Order
from tests.e2e.rounds import Clock, source
from tests.replayed import markets as world
from tests.replayed.markets import HOUR, Market

PEPE = world.find("bybit", "1000PEPEUSDT")
PATH = "/instruments/bybit/1000PEPEUSDT/funding-intervals"
SETTLED = (0, 8, 16, 20, 24, 32, 36, 44, 52)
FOUND = {
    0: [(0, 1, "assumed", 0)],
    8: [(0, 8, "inferred", 0)],
    16: [(0, 8, "inferred", 0)],
    20: [(0, 8, "inferred", 0), (20, 4, "inferred", 0)],  # shorter: at once
    24: [(0, 8, "inferred", 0), (20, 4, "inferred", 0)],
    32: [(0, 8, "inferred", 0), (20, 4, "inferred", 1)],  # longer once: one is missing, as far as is known
    36: [(0, 8, "inferred", 0), (20, 4, "inferred", 1)],  # it was missing: a gap stays a gap
    44: [(0, 8, "inferred", 0), (20, 4, "inferred", 2)],
    52: [(0, 8, "inferred", 0), (20, 4, "inferred", 1), (44, 8, "inferred", 0)],  # longer twice running
}
"""Hour of the last settlement pulled → from, hours, known and gaps of each stretch."""


def told(rows: list[dict[str, Any]], start: datetime) -> list[tuple[float, float, str, int]]:
    return [
        ((datetime.fromisoformat(row["from"]) - start) / HOUR, row["hours"], row["known"], row["gaps"]) for row in rows
    ]


async def ask(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_changes_are_found_as_settlements_arrive(
    engine: Engine, client: httpx.AsyncClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now.replace(minute=0, second=0)
    since = clock.now - start

    def settlements(market: Market, first: datetime, last: datetime) -> Iterator[datetime]:
        times = (start + hour * HOUR for hour in SETTLED)
        return (time for time in times if market is PEPE and first <= time <= last)

    monkeypatch.setattr(world, "settlements", settlements)
    answered: dict[str, list[dict[str, Any]]] = {}
    for hour in SETTLED:
        clock.now = start + hour * HOUR + since
        (pulled,) = await jobs.pull_all(engine, source("bybit"), ["funding"], Order())
        assert (pulled.status, pulled.counts.inserted) == ("succeeded", 1)
        rows = await ask(client)
        assert told(rows, start) == FOUND[hour]
        moment = await engine.db.reads.fetchval("select clock_timestamp()")
        answered[moment.isoformat()] = rows
    for moment, rows in answered.items():
        assert await ask(client, known_at=moment) == rows
    learned = {row["from"]: datetime.fromisoformat(row["known_at"]) for row in rows}
    moments = [datetime.fromisoformat(moment) for moment in answered]
    at_once, at_last = (learned[f"{start + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}"] for hour in (20, 44))
    assert moments[2] < at_once < moments[3]
    assert moments[7] < at_last < moments[8]
    assert {(row["declared_hours"], row["disagrees"]) for row in rows[-1:]} == {(1, True)}


async def test_an_estimate_is_of_the_interval_then(
    engine: Engine, client: httpx.AsyncClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Binance tells no interval with its estimates: each is converted with that of the settlement in force then."""
    btc = world.find("binance", "BTCUSDT")
    start = clock.now.replace(minute=0, second=0)
    monkeypatch.setattr(world, "rate", lambda market, time: 1e-4)

    def settlements(market: Market, first: datetime, last: datetime) -> Iterator[datetime]:
        times = (start + hour * HOUR for hour in (-8, 0, 4, 8))
        return (time for time in times if market is btc and first <= time <= last)

    monkeypatch.setattr(world, "settlements", settlements)
    for hour in (1, 5):
        clock.now = start + hour * HOUR
        await jobs.pull_all(engine, source("binance"), ["funding", "predicted_funding"], Order())
    end = start + timedelta(hours=6)
    asked = {"kind": "predicted", "start": start.isoformat(), "end": end.isoformat(), "exchanges": "binance"}
    rows = (await client.get("/funding/BTC", params=asked)).json()["data"]
    assert [(row["interval_hours"], row["rate"]) for row in rows] == [(8, 1e-4), (4, 2e-4)]
