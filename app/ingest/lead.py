"""The leader at work: which jobs it runs, each once at a time, of each source its instruments first."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db import DATABASE_ERRORS
from app.ingest.engine import Engine
from app.ingest.jobs import run
from app.ingest.spec import Source
from app.ingest.work import Order
from app.services import log

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHARE_FOR_HISTORY = 0.8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    """A job of the schedule: every so often, `after` that much past the full period of the clock."""

    source: Source
    dataset: str
    every: timedelta
    after: timedelta

    @property
    def id(self) -> str:
        """`bybit:funding`"""
        return f"{self.source.id}:{self.dataset}"

    def next_run(self, now: datetime) -> datetime:
        """When it is due next."""
        periods = (now - self.after - EPOCH) // self.every + 1
        return EPOCH + periods * self.every + self.after


@dataclass(slots=True)
class Lead:
    """The leader at work, and what it runs, by job."""

    engine: Engine
    jobs: Mapping[str, Planned]
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])

    async def due(self, job: str) -> None:
        """The clock says so."""
        self.start([job])

    def start(self, wanted: Collection[str], *, asked: bool = False) -> None:
        """Run these jobs, of each source its instruments first; not what runs already nor, unless asked, is paused."""
        for job in sorted(wanted, key=lambda job: not job.endswith(":instruments")):
            first = self.tasks.get(f"{self.jobs[job].source.id}:instruments")
            self.spawn(job, self._run(self.jobs[job], first, asked))

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Work in the background, unless the same still runs."""
        if name in self.tasks:
            work.close()
            return
        self.tasks[name] = asyncio.create_task(work, name=name)
        self.tasks[name].add_done_callback(lambda _: self.tasks.pop(name))

    async def _run(self, job: Planned, first: asyncio.Task[None] | None, asked: bool) -> None:
        if first:
            await asyncio.wait([first])
        with logged(job.id):
            states = await log.job_states(self.engine.db)
            if asked or not states.get(job.id, log.JobState()).paused:
                until = datetime.now(UTC) + job.every * SHARE_FOR_HISTORY
                await run(self.engine, job.source, job.dataset, Order(until=until))

    async def do(self, name: str, chore: Callable[[], Awaitable[Any]]) -> None:
        """What is not of one source and dataset."""
        self.spawn(name, self._do(name, chore))

    async def _do(self, name: str, chore: Callable[[], Awaitable[Any]]) -> None:
        with logged(name):
            await chore()

    async def stop(self) -> None:
        """Cancel what runs, and wait until it has said so."""
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def logged(name: str) -> Generator[None]:
    """A database that does not answer is told of; the next round tries again."""
    try:
        yield
    except DATABASE_ERRORS as error:
        logger.warning("%s: the database does not answer: %s", name, error)
