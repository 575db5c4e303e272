"""Minutes of three exchanges collected far faster than they pass, with memory and lag watched."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import settings
from app.db import Database
from app.ingest import sources
from app.ingest.collecting import collecting
from app.ingest.engine import Engine
from app.ingest.runner import Patience, opened
from app.ingest.spec import Source
from app.records import PerpMinute
from app.services import batch, reference, retention, store
from tests import minutes
from tests.replay_sockets import Fast

EXCHANGES = ("binance", "bybit", "okx")
SPEED = 60.0
START = datetime(2026, 3, 10, 22, 50, 30, tzinfo=UTC)
KEPT = {"perp_1m": 1, "liquidation": 1}
NEWEST = "select max(ts) from perp_1m where close is not null and ts >= $1"


@dataclass(slots=True)
class Watched:
    """What was seen: MiB of memory, seconds (simulated) that stored minutes are behind, partitions dropped, counts."""

    memory: list[float] = field(default_factory=list[float])
    behind: list[float] = field(default_factory=list[float])
    dropped: int = 0
    stored: int = 0
    gaps: int = 0
    reconnects: int = 0

    def __str__(self) -> str:
        mib = f"MiB: first {self.memory[0]:.0f}, last {self.memory[-1]:.0f}, peak {max(self.memory):.0f}"
        late = f"behind: at most {max(self.behind):.0f} s, last {self.behind[-1]:.0f} s"
        counts = f"{self.stored} minutes stored, {self.gaps} gaps, {self.reconnects} reconnects"
        return f"{mib}; {late}; {counts}, {self.dropped} partitions dropped"


def resident() -> float:
    """MiB of this process, which is the collector's."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def exchanges(clock: Fast, contracts: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The replayed exchanges in a process of their own, by this clock."""
    told = [clock.start.isoformat(), str(clock.speed), str(clock.zero), str(contracts), *EXCHANGES]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.replay_sockets", *told, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        for name, value in json.loads(await process.stdout.readline()).items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        yield
    finally:
        process.kill()
        await process.wait()
        settings.environment.cache_clear()


def of_markets(source: Source) -> Source:
    """A source without what is asked for each contract apart: at this speed that would be hundreds a second."""
    return replace(minutes.without_limits(source), polls=tuple(feed for feed in source.polls if feed.scope == "market"))


async def old_minute(db: Database) -> None:
    """A minute of long ago, whose partition is to go."""
    series = await reference.series_of(db, "binance", "binance")
    row = PerpMinute(next(iter(series)), START.replace(second=0) - timedelta(days=5), {"mark_price": 1.0})
    await store.put(db, "perp_1m", [batch.minutes([row], series)])


async def run(db: Database, monkeypatch: pytest.MonkeyPatch, contracts: int, seconds: float, every: float) -> Watched:
    """Collect for so many seconds of the wall clock; look every so many."""
    await minutes.listed(db, monkeypatch, minutes.many(contracts, EXCHANGES))
    await old_minute(db)
    watched, clock = Watched(), Fast(START, SPEED, patience=None)
    asked = [of_markets(source) for source in sources.load(EXCHANGES).values()]
    async with exchanges(clock, contracts, monkeypatch), opened(Patience(tries=2, first=0.05), now=clock) as web:
        engine = Engine(db, replace(web, limiters={}, sleep=clock.sleep))
        async with collecting(engine, asked, 0):
            await asyncio.sleep(min(5.0, seconds / 3))
            for _ in range(round(seconds / every)):
                await asyncio.sleep(every)
                await look(db, clock, watched)
            watched.reconnects = await db.reads.fetchval("select sum(reconnects)::int from collector")
    watched.stored = await db.reads.fetchval("select count(*) from perp_1m where close is not null")
    watched.gaps = await db.reads.fetchval("select count(*) from gap")
    return watched


async def look(db: Database, clock: Fast, watched: Watched) -> None:
    """Memory, how late the newest stored minute is, and retention."""
    newest = await db.reads.fetchval(NEWEST, START - timedelta(minutes=1))
    due = newest + timedelta(minutes=2) if newest else START
    watched.behind.append(max(0.0, (clock() - due).total_seconds()))
    watched.memory.append(resident())
    removed = await retention.apply(db, KEPT, clock())
    watched.dropped += sum(one.partitions for one in removed)
