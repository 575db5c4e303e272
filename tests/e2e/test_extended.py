"""Extended over real sockets: from its answers to ours, and days of history for a list of tokens."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.sources.extended import SOURCE
from app.ingest.work import Order
from tests.conftest import ROOT
from tests.e2e.rounds import MINUTE, Clock, first_wanted, stored
from tests.replay import Fault, Replay
from tests.replayed import extended
from tests.replayed import markets as world
from tests.replayed.extended import MARKETS
from tests.replayed.markets import HOUR, Market

BTC, ETH, PEPE, INDEX, OLD = MARKETS


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """How often others asked in the last minute."""
    extended._recent.clear()


def paid(market: Market, since: datetime, now: datetime) -> list[tuple[datetime, float]]:
    """What was settled and told of by now."""
    told = world.settlements(market, since, now - timedelta(milliseconds=market.late_ms))
    return [(hour, world.rate(market, hour)) for hour in told]


def closes(market: Market, since: datetime, now: datetime, step: timedelta) -> list[tuple[datetime, float]]:
    grid = (time for time in world.grid(since, now - step, step) if extended.traded(time))
    return [(time, world.candle(market, time, step)[3]) for time in grid]


async def pulled(engine: Engine) -> None:
    done = await jobs.pull_all(engine, SOURCE, jobs.datasets(SOURCE), Order())
    assert {(one.status, one.error, one.counts.rejected) for one in done} == {("succeeded", None, 0)}


async def read(client: httpx.AsyncClient, path: str, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"exchanges": "extended", "limit": 10_000, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


async def test_what_it_tells_is_what_is_answered(
    engine: Engine, replay: Replay, client: httpx.AsyncClient, clock: Clock
) -> None:
    await pulled(engine)
    clock.now += HOUR
    await pulled(engine)
    since, now = first_wanted(clock.now - HOUR, HOUR), clock.now
    window = {"start": iso(since), "end": iso(now)}
    for market, asset in ((BTC, "BTC"), (ETH, "ETH"), (PEPE, "PEPE")):
        rows = await read(client, f"/funding/{asset}", per="1h", **window)
        assert {(row["instrument"], row["interval_hours"]) for row in rows} == {(market.symbol, 1)}
        assert [(row["time"], row["rate"]) for row in rows] == [(iso(t), r) for t, r in paid(market, since, now)]
        bars = await read(client, f"/candles/{asset}", interval="1m", **window)
        unit, first = 1000 if market is PEPE else 1, first_wanted(now - HOUR, MINUTE)
        expected = closes(market, max(since, first), now, MINUTE)
        assert [row["time"] for row in bars] == [iso(time) for time, _ in expected]
        assert [row["close"] for row in bars] == pytest.approx([close / unit for _, close in expected], rel=1e-12)
        samples = await read(client, f"/open-interest/{asset}", start=iso(since), end=iso(now + HOUR))
        held = {row["time"]: row for row in samples}
        for time in {*world.grid(since, now, HOUR), now}:
            assert held[iso(time)]["oi_base"] == pytest.approx(world.coins(market, time) * unit)
            assert held[iso(time)]["oi_usd"] == pytest.approx(world.usd(market, time))
    (row,) = await read(client, "/funding/BTC", kind="predicted", at=iso(now), per="native")
    assert row["rate"] == world.rate(BTC, now.replace(minute=0, second=0) + HOUR)
    assert all(asked.agent for asked in replay.asked)


async def test_what_is_no_coin_and_what_is_not_traded(
    engine: Engine, client: httpx.AsyncClient, clean_database: Database
) -> None:
    await pulled(engine)
    found = {row["symbol"]: row for row in (await client.get("/instruments?exchange=extended")).json()["data"]}
    assert {symbol: (row["asset"], row["multiplier"], row["active"]) for symbol, row in found.items()} == {
        "BTC-USD": ("BTC", 1, True),
        "ETH-USD": ("ETH", 1, True),
        "1000PEPE-USD": ("PEPE", 1000, True),
        "SPX500m-USD": ("SPX500m", 1, True),
        "OLD-USD": (None, 1, False),
    }
    for fact in ("funding", "open_interest", "predicted_funding"):
        assert ("extended", "OLD-USD") not in await stored(clean_database, fact, "ts")


async def test_who_asks_too_often_waits(engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extended, "MOST_IN_A_MINUTE", 5)
    answer = await asyncio.to_thread(lambda: [httpx.get(f"{replay.url}/api/v1/info/markets") for _ in range(6)])
    assert [one.status_code for one in answer] == [200] * 5 + [429]
    anonymous = await asyncio.to_thread(httpx.get, f"{replay.url}/api/v1/info/markets", headers={"User-Agent": ""})
    assert anonymous.status_code == 403
    monkeypatch.setattr(extended, "MOST_IN_A_MINUTE", 1000)
    replay.misbehave(Fault(429, b'{"status":"ERROR"}', (("Retry-After", "0"),)), to="/info/", times=3)
    await pulled(engine)


@pytest.fixture
def upstream() -> Iterator[Replay]:
    with Replay() as replay:
        yield replay


async def test_days_of_history_for_a_list_of_tokens(clean_database: Database, upstream: Replay) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
    environment = {**ours, **upstream.settings(), "DATABASE_URL": clean_database.dsn}
    command = [sys.executable, "-m", "app.cli", "backfill", "extended", "--days", "50", "--asset", "BTC,ETH", "--json"]
    words = [*command, *("--dataset", "funding,open-interest,candles-1h")]
    done = await asyncio.to_thread(
        subprocess.run, words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["windows_failed"], told["rejected"]) == ("succeeded", 0, 0)
    start, end = (datetime.fromisoformat(told[edge]) for edge in ("start", "end"))
    assert round((end - start) / HOUR) == 50 * 24
    sure = end.replace(minute=0, second=0, microsecond=0) - HOUR  # whatever struck while it ran
    for market in (BTC, ETH):
        grid = list(world.grid(start, sure, HOUR))
        expected = {
            "funding": [(time, world.rate(market, time)) for time in grid],
            "open_interest": [(time, world.coins(market, time)) for time in grid],
            "perp_1h": closes(market, start, sure + HOUR, HOUR),
        }
        for fact, column in (("funding", "rate"), ("open_interest", "oi_base"), ("perp_1h", "close")):
            found = await stored(clean_database, fact, column)
            assert found.keys() == {("extended", one.symbol) for one in (BTC, ETH)}
            assert [row for row in found["extended", market.symbol] if row[0] <= sure] == expected[fact]
    asked = Counter(asked.path.rpartition("/")[2] for asked in upstream.asked)
    assert asked == {"markets": 1, "funding": 4, "open-interests": 10, "trades": 4}
