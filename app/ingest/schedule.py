"""The schedule, derived from the sources: one job a source and dataset, as often as its feeds say, on the clock.

Of several processes on a database one leads: it runs the jobs, and those that any process asked for through `job`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.db import Database
from app.ingest.chores import chores, housekeeping
from app.ingest.engine import Engine
from app.ingest.jobs import datasets
from app.ingest.lead import EPOCH, Lead, Planned, logged
from app.ingest.spec import Source
from app.logs import tell_of_death
from app.services import log, upkeep

SPREAD_SECONDS = 10
TAKE_OVER_SECONDS, LISTEN_SECONDS = 5.0, 2.0

Beside = Callable[[], AbstractAsyncContextManager[None]]
"""What else runs in the process that leads, while it does."""

logger = logging.getLogger(__name__)


class UnknownJob(KeyError):
    """There is no job of this id."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A job as operators see it. `next_run` is None while it is paused."""

    id: str
    source: str
    dataset: str
    every: timedelta
    next_run: datetime | None
    paused: bool
    asked_at: datetime | None


def planned(sources: Iterable[Source]) -> dict[str, Planned]:
    """The jobs of these sources, by id. Each has its own few seconds, so that not all ask in step."""
    jobs: dict[str, Planned] = {}
    for source in sources:
        for dataset in datasets(source):
            feeds = [feed for feed in source.feeds if feed.dataset == dataset]
            own = timedelta(seconds=crc32(f"{source.id}:{dataset}".encode()) % SPREAD_SECONDS)
            after = max(feed.ready_after for feed in feeds) + own
            job = Planned(source, dataset, min(feed.every for feed in feeds), after)
            jobs[job.id] = job
    return jobs


async def listing(db: Database, jobs: Mapping[str, Planned]) -> list[Listed]:
    """The schedule, in any process."""
    states, now = await log.job_states(db), datetime.now(UTC)
    return [
        Listed(
            job.id,
            job.source.id,
            job.dataset,
            job.every,
            None if (state := states.get(job.id, log.JobState())).paused else job.next_run(now),
            state.paused,
            state.asked_at,
        )
        for job in jobs.values()
    ]


async def ask(db: Database, jobs: Mapping[str, Planned], wanted: Collection[str]) -> None:
    """Have these jobs run as soon as may be, by whichever process leads. Raises UnknownJob."""
    _check(jobs, wanted)
    for job in wanted:
        await log.ask_job(db, job)


async def pause(db: Database, jobs: Mapping[str, Planned], job: str, *, paused: bool = True) -> None:
    """Do not run a job on schedule any more, or do again. What runs runs on. Raises UnknownJob."""
    _check(jobs, [job])
    await log.pause_job(db, job, paused)


def _check(jobs: Mapping[str, Planned], wanted: Collection[str]) -> None:
    unknown = set(wanted) - jobs.keys()
    if unknown:
        raise UnknownJob(f"no job {', '.join(sorted(unknown))}; there are {', '.join(jobs)}")


def _clock(lead: Lead) -> AsyncIOScheduler:
    """Calls the leader when something is due."""
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    now = datetime.now(UTC)
    for job in lead.jobs.values():
        trigger = IntervalTrigger(seconds=round(job.every.total_seconds()), start_date=job.next_run(now), timezone=UTC)
        scheduler.add_job(lead.due, trigger, args=[job.id], id=job.id)
    sources = {job.source.id: job.source for job in lead.jobs.values()}
    for name, every, chore in chores(lead.engine, sources.values()):
        trigger = IntervalTrigger(seconds=round(every.total_seconds()), start_date=EPOCH, timezone=UTC)
        scheduler.add_job(lead.do, trigger, args=[name, chore])
    return scheduler


async def _lead(engine: Engine, jobs: Mapping[str, Planned], beside: Beside, lost: asyncio.Event) -> None:
    """Lead until that is lost: catch up with everything at once, then by the clock and as asked."""
    lead = Lead(engine, jobs)
    scheduler = _clock(lead)
    scheduler.start()
    try:
        await log.abandon(engine.db)
        for name, work in housekeeping(engine).items():
            await lead.do(name, work)
        lead.start(jobs)
        async with beside():
            while not lost.is_set():
                lead.start(await log.take_asked(engine.db, jobs.keys() - lead.tasks.keys()), asked=True)
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), LISTEN_SECONDS)
    finally:
        scheduler.shutdown(wait=False)
        await lead.stop()


async def _take_part(engine: Engine, jobs: Mapping[str, Planned], beside: Beside) -> None:
    """Lead whenever no other process does."""
    while True:
        with logged("schedule"):
            async with upkeep.leading(engine.db) as lost:
                if lost:
                    logger.info("this process runs the schedule of %d jobs", len(jobs))
                    await _lead(engine, jobs, beside, lost)
        await asyncio.sleep(TAKE_OVER_SECONDS)


@asynccontextmanager
async def running(
    engine: Engine, sources: Iterable[Source], beside: Beside = nullcontext
) -> AsyncGenerator[Mapping[str, Planned]]:
    """Pull these sources on schedule until the end, unless another process does; the jobs there are, by id."""
    jobs = planned(sources)
    task = asyncio.create_task(_take_part(engine, jobs, beside), name="schedule")
    task.add_done_callback(tell_of_death)
    try:
        yield jobs
    finally:
        task.cancel()
        await asyncio.wait([task])
