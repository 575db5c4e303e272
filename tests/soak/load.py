"""Many readers, a real `serve` process, and so many updates a second: what was lost, how late, and how much memory."""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.db import Database
from tests.conftest import ROOT
from tests.streaming import listening, many, predict, settle

A_SECOND = 100
SPREADS_EVERY = 50
QUIET = {"PERPSTORE_SCHEDULER": "off", "PERPSTORE_BACKFILLS": "off", "PERPSTORE_LOG_LEVEL": "WARNING"}


@dataclass(frozen=True)
class Load:
    """What the readers heard (`tests.soak.readers`), the server's memory in MiB over time, and what was sent."""

    heard: dict[str, Any]
    memory: list[float]
    updates: int
    seconds: float
    ended_after: float


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A Python process, killed at the end if it has not ended."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments), cwd=ROOT, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def resident(pid: int) -> float:
    """Memory of a process, in MiB."""
    told = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert told
    return int(told[1]) / 1024


async def line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout
    return (await child.stdout.readline()).decode()


async def run(db: Database, readers: int, seconds: int, fill: int = 0) -> Load:
    """So many readers for so long; before that, so many frames in one reader's time, so that all that grows has."""
    series, updates = await many(db, 1000 if fill else 50), A_SECOND * seconds
    command = ("-m", "app.cli", "serve", "--port", "0", "--json")
    async with process(*command, **QUIET, DATABASE_URL=db.dsn) as server:
        url = json.loads(await line(server))["url"]
        first = await listening(url, "?topics=spreads:ETH")
        for _ in range(fill // len(series)):
            await predict(db, dict.fromkeys(series, 1e-4))
        await asyncio.sleep(1 if fill else 0)
        asked = (f"{url}/stream?topics=funding,spreads", str(readers), str(updates))
        async with process("-m", "tests.soak.readers", *asked) as others:
            assert await line(others) == "ready\n"
            memory, took = await _write(db, series, updates, server.pid)
            heard = json.loads(await line(others))
            last = await listening(url, "?topics=spreads:ETH")
            began = time.monotonic()
            server.terminate()
            assert await server.wait() == 0
            ended = time.monotonic() - began
        first.close(), last.close()
    return Load(heard, memory, updates, took, ended)


async def _write(db: Database, series: list[int], updates: int, pid: int) -> tuple[list[float], float]:
    """One update a write, evenly; every now and then a settlement that changes the best pair."""
    memory, began = list[float](), time.monotonic()
    for number in range(updates):
        await asyncio.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
        if number % SPREADS_EVERY:
            await predict(db, {series[number % len(series)]: number * 1e-9})
        else:
            await settle(db, {series[number // SPREADS_EVERY % len(series)]: number * 1e-9})
        if number % (5 * A_SECOND) == 0:
            memory.append(resident(pid))
    took = time.monotonic() - began
    return [*memory, resident(pid)], took
