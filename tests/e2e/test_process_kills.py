"""Processes killed with -9 while they fetch history, and one of two that serve."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import keys
from tests.conftest import ROOT
from tests.replay import Replay, slow
from tests.replayed import velo

COMMAND = (sys.executable, "-m", "app.cli")
BACKFILL = [*COMMAND, "backfill", "velo", "--days", "30", "--json"]
MARKETS = {("binance-futures", "bybit", "okex-swap", "hyperliquid"): 4, ("binance-futures", "bybit"): 8, ("bybit",): 4}
Environment = dict[str, str]


@pytest.fixture
def upstream() -> Iterator[Replay]:
    velo.calm()
    velo.mood.markets, velo.mood.allowed = velo.listing(MARKETS), 10_000
    with Replay() as replay:
        yield replay
    velo.calm()


@pytest.fixture
def environment(clean_database: Database, upstream: Replay) -> Environment:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
    told = {"DATABASE_URL": clean_database.dsn, "VELO_API_KEY": velo.KEY, "PERPSTORE_SOURCES": "velo"}
    return {**ours, **upstream.settings(), **told}


def killed(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def killed_asking(environment: Environment, upstream: Replay, requests: int, seconds: float) -> None:
    """Begin or go on with the back-fill, and be killed so long after so many requests."""
    begun = len(questions(upstream))
    process = subprocess.Popen(BACKFILL, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 30
    while len(questions(upstream)) < begun + requests and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(seconds)
    killed(process)
    time.sleep(0.3)


async def chunks(db: Database, state: str) -> set[tuple[Any, ...]]:
    """What the chunks in a state ask, as the upstream sees it."""
    rows = await db.reads.fetch("select piece from backfill_chunk where state = $1", state)
    pieces = [json.loads(row["piece"]) for row in rows]
    return {(p["start"], p["end"], *map(frozenset, (p["subjects"], p["exchanges"], p["columns"]))) for p in pieces}


def questions(replay: Replay, first: int = 0) -> list[tuple[Any, ...]]:
    ours = {"binance-futures": "binance", "okex-swap": "okx"}
    found = [asked.query for asked in replay.asked[first:] if asked.path == "/api/v1/rows"]
    return [
        (
            *(datetime.fromtimestamp(int(q[edge]) / 1000, UTC).isoformat() for edge in ("begin", "end")),
            frozenset(q["coins"].split(",")),
            frozenset(ours.get(name, name) for name in q["exchanges"].split(",")),
            frozenset(q["columns"].split(",")),
        )
        for q in found
    ]


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.soak)])
async def test_a_back_fill_killed_again_and_again(
    clean_database: Database, environment: Environment, upstream: Replay, kills: int
) -> None:
    """30 days; killed at random moments; finished after restarts; every row once; nothing committed is asked again."""
    dice, committed = random.Random(7), list[tuple[int, set[tuple[Any, ...]]]]()
    upstream.storm([slow(0.15)], share=1.0)
    for _ in range(kills):
        moment = dice.randrange(4, 9), dice.uniform(0, 0.2)
        await asyncio.to_thread(killed_asking, environment, upstream, *moment)
        committed.append((len(upstream.asked), await chunks(clean_database, "done")))
    upstream.storm([])
    done = await asyncio.to_thread(subprocess.run, BACKFILL, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["state"], row["id"]) == ("succeeded", 1)
    assert len({len(already) for _, already in committed}) > 1
    for first, already in committed:
        assert not already & set(questions(upstream, first))
    await check_rows(clean_database, row)


async def check_rows(db: Database, row: dict[str, Any]) -> None:
    hours = await db.reads.fetch(
        """select count(*) as rows, count(*) filter (where num_nulls(open, close, funding_rate_8h, liquidation_usd) > 0)
        as holes, count(distinct (series_id, ts)) as facts, min(ts) as first, max(ts) as last from perp_1h"""
    )
    (told,) = hours
    span = round((told["last"] - told["first"]).total_seconds() / 3600) + 1
    assert span == 720
    assert (told["rows"], told["facts"], told["holes"]) == (720 * len(velo.mood.markets),) * 2 + (0,)
    assert not await db.reads.fetchval("select count(*) from revision where fact = 'perp_1h'")


@contextmanager
def serving(environment: Environment, log: Path) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A `serve` on the database they share, and its address; killed at the end if it is not yet."""
    command = [*COMMAND, "serve", "--port", "0", "--json"]
    with log.open("w") as lines:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=lines, text=True)
    assert process.stdout
    try:
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        killed(process)
        process.stdout.close()


def schedules(log: Path) -> bool:
    """Whether this process says that it runs the schedule."""
    return "runs the schedule" in log.read_text()


async def leads(log: Path) -> None:
    """Wait until this process runs the schedule: 30 seconds at the most."""
    for _ in range(300):
        if schedules(log):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nobody took over")


async def ordered(client: httpx.AsyncClient, url: str) -> httpx.Response:
    order = {"source": "velo", "start": "2025-01-01", "end": "2025-01-11"}
    answer = await client.post(f"{url}/admin/backfills", json=order, headers={"Idempotency-Key": "k"})
    assert answer.status_code in (200, 202), answer.text
    return answer


async def watched(db: Database, client: httpx.AsyncClient, url: str) -> tuple[dict[str, Any], set[int]]:
    """How it ended, and who was seen at it."""
    workers, row = set[int](), dict[str, Any](state="queued")
    while row["state"] in ("queued", "running"):
        found = await db.reads.fetch("select distinct worker from backfill_chunk where worker is not null")
        workers |= {one["worker"] for one in found}
        row = (await client.get(url)).json()["data"][0]
    return row, workers


async def test_two_serve_one_schedules_both_work_and_one_takes_over(
    clean_database: Database, environment: Environment, upstream: Replay, tmp_path: Path
) -> None:
    upstream.storm([slow(0.1)], share=1.0)
    key = await keys.create(clean_database, "test", ["admin"])
    client = httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30)
    async with client:
        logs = tmp_path / "one", tmp_path / "two"
        with serving(environment, logs[0]) as (one, url), serving(environment, logs[1]) as (_, other):
            await leads(logs[0])
            answer, again = await ordered(client, url), await ordered(client, other)
            assert (answer.status_code, again.status_code) == (202, 200)
            assert again.json()["data"][0]["id"] == answer.json()["data"][0]["id"]
            row, workers = await watched(clean_database, client, f"{other}{answer.headers['location']}")
            assert row["state"] == "succeeded", row
            assert row["windows_done"] == row["windows_planned"] == row["requests"]
            assert len(workers) == 2
            assert not schedules(logs[1])
            killed(one)
            await leads(logs[1])
    asked = [question for question in questions(upstream) if question[0] < "2025-01-12"]
    assert len(asked) == len(set(asked)) == row["requests"]
