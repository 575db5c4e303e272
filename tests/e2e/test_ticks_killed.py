"""Processes that collect ticks killed with -9 while these flow: no trade that REST still has is lost, none is twice."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.db import Database
from tests import ticks
from tests.conftest import ROOT
from tests.replay_sockets import Fast
from tests.replayed import deribit_sockets
from tests.replayed.deribit_sockets import Deribit

COMMAND = (sys.executable, "-m", "app.cli", "collect", "--source", "deribit", "--currency", "BTC", "--json")
Environment = dict[str, str]


@asynccontextmanager
async def replayed(db: Database, busy: float = 20.0) -> AsyncIterator[tuple[Deribit, Environment]]:
    """A Deribit that goes by the wall's time, and what points a process there."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with deribit_sockets.serving(ticks.world(now, busy), now=Fast(now, 1, patience=None)) as there:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
        yield there, {**ours, "DATABASE_URL": db.dsn, **ticks.pointing(there)}


@asynccontextmanager
async def collecting(environment: Environment, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has begun to collect; killed at the end if it is not over yet."""
    with log.open("a") as lines:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=lines
        )
    try:
        assert process.stdout
        async with asyncio.timeout(30):
            told = json.loads(await process.stdout.readline() or "null")
        assert told == {"source": "deribit", "currencies": ["BTC"], "pid": process.pid}
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.soak)])
async def test_killed_again_and_again(clean_database: Database, tmp_path: Path, kills: int) -> None:
    db, dice, log = clean_database, random.Random(7), tmp_path / "log"
    async with replayed(db) as (there, environment):
        async with collecting(environment, log):
            await ticks.listened(there)
            since = there.now()
            await asyncio.sleep(dice.uniform(1, 2))
        for _ in range(kills - 1):
            await asyncio.sleep(dice.uniform(0, 0.5))
            async with collecting(environment, log):
                await ticks.listened(there)
                await asyncio.sleep(dice.uniform(0.2, 2))
        async with collecting(environment, log) as process:
            await ticks.listened(there)
            await asyncio.sleep(1)
            end = there.now()
            await ticks.wait_for_trades(db, ticks.happened(there, since, end))
            told = there.now()
            await asyncio.sleep(0.3)
            last = there.now()
            await asyncio.sleep(0.4)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        assert ticks.happened(there, told, last) <= await ticks.stored(db), "who is told to end writes what has come"
        assert await db.reads.fetchval("select state from collector") == "closed"
        assert await ticks.wrong_trades(db, there) == []
        assert len(await ticks.stored(db)) > 20
        gaps = await db.reads.fetch(ticks.GAPS)
        assert {row["dataset"] for row in gaps} == {"book"}
        assert {row["symbol"] for row in gaps} == {ticks.PERPETUAL, "BTC-25DEC30", *ticks.OPTIONS[: ticks.QUOTED]}
        assert await ticks.unknown_breaks(db, there, since, end) == []


@pytest.mark.soak
async def test_who_is_interrupted_writes_what_has_come(clean_database: Database, tmp_path: Path) -> None:
    db = clean_database
    async with replayed(db, busy=4.0) as (there, environment):
        async with collecting(environment, tmp_path / "log") as process:
            await ticks.listened(there)
            await ticks.until(lambda: sum(there.told.values()) > 100)
            since = there.now()
            await asyncio.sleep(0.6)
            end = there.now()
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
        assert ticks.happened(there, since, end) <= await ticks.stored(db)
        assert await db.reads.fetchval("select state from collector") == "closed"
