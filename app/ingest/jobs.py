"""A job: what is held, what to ask, ask, keep, and one row in `pull`. All its state is in the database.

It may be killed anywhere and nothing is wrong, only late: the next one goes on from what is stored.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Literal, cast

from sqlalchemy.exc import DBAPIError

from app.db import Database
from app.ingest.engine import Engine, started
from app.ingest.keep import Keeper
from app.ingest.listing import list_contracts
from app.ingest.pages import Line
from app.ingest.rounds import pull_fundamentals, pull_hours
from app.ingest.snapshots import list_venues, pull_snapshots
from app.ingest.spec import Source
from app.ingest.work import Job, Order, Progress, pull_facts
from app.logs import redact
from app.services import error_log, log, reference

STALE = timedelta(minutes=70)  # an hour, and the time a scheduled listing may take
AGAIN = timedelta(minutes=2)
SHOWN_TROUBLES = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of a job. `error` says what went wrong, without secrets."""

    source: str
    dataset: str
    status: Literal["succeeded", "partial", "failed"] = "failed"
    counts: log.Counts = field(default_factory=log.Counts)
    error: str | None = log.CANCELLED


def datasets(source: Source) -> list[str]:
    """What a source tells, its instruments first."""
    return sorted(dict.fromkeys(feed.dataset for feed in source.feeds), key=lambda dataset: dataset != "instruments")


async def pull(
    db: Database,
    source: Source,
    dataset: str | None = None,
    *,
    days: float | None = None,
    symbols: Collection[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    history_days: float = 30,
    pulled: Collection[str] = (),
) -> list[Pulled]:
    """Pull one dataset of a source or, without one, all of them, instruments first; what became of each.

    `days` of history are asked for outright, whatever is held; `symbols` are native; `pulled` the sources that are
    pulled on schedule (none: all). Raises what the database raises.
    """
    async with started(db, history_days, pulled=pulled) as engine:
        order = Order(days, None if symbols is None else frozenset(symbols), progress=progress)
        return await pull_all(engine, source, [dataset] if dataset else datasets(source), order)


async def pull_all(engine: Engine, source: Source, wanted: Collection[str], order: Order) -> list[Pulled]:
    """These datasets of a source: instruments first, the others together."""
    first = [await run(engine, source, "instruments", order)] if "instruments" in wanted else []
    others = [asyncio.create_task(run(engine, source, one, order)) for one in wanted if one != "instruments"]
    try:
        return first + await asyncio.gather(*others)
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def run(engine: Engine, source: Source, dataset: str, order: Order) -> Pulled:
    """One job, written down in `pull` whatever becomes of it. Raises only what the database raises, or cancellation."""
    if dataset != "instruments":
        await list_first(engine, source)
    job = _job(engine, source, dataset, order)
    pulled = Pulled(source.id, dataset)
    try:
        await _to_its_end(_begin(job))
        await _way(source, dataset)(job)
        pulled = _outcome(job)
    except Exception as error:
        logger.exception("%s:%s failed", source.id, dataset)
        pulled = replace(pulled, error=_words(error))
    finally:
        if pulled.status == "failed":
            engine.asked.pop((source.id, dataset), None)  # what was asked may not have been stored
        pulled = replace(pulled, counts=job.counts)
        await _to_its_end(_write_down(job, pulled))
    return pulled


async def _write_down(job: Job, pulled: Pulled) -> None:
    """How it went, in the log of pulls; what went wrong in that of errors too. That somebody ended it is no error."""
    await log.finish(job.engine.db, job.number, pulled.status, pulled.counts, pulled.error)
    if pulled.error and pulled.error != log.CANCELLED:
        context = {"pull": job.number, **asdict(pulled.counts)}
        whose = pulled.source, pulled.dataset
        code = log.UNREACHABLE if job.unreachable else pulled.status
        await error_log.note_error(job.engine.db, "pull", code, pulled.error, *whose, context)


def _way(source: Source, dataset: str) -> Callable[[Job], Awaitable[None]]:
    """How a dataset of a source is pulled."""
    if dataset == "instruments":
        return list_venues if source.feed(dataset, "batch") else list_contracts
    if dataset == "fundamentals":
        return pull_fundamentals
    if dataset == "perp_snapshot":
        return pull_snapshots
    return pull_hours if source.feed(dataset, "batch") else pull_facts


def _job(engine: Engine, source: Source, dataset: str, order: Order) -> Job:
    async def stored() -> None:
        await log.note(engine.db, job.number, job.counts)

    keeper = Keeper(engine.db, source.id, dataset, engine.writers, stored)
    asked = engine.asked.setdefault((source.id, dataset), {})
    again = partial(_list_again, engine, source)
    job = Job(engine, source, dataset, order, Line(engine.web, source), keeper, asked, again)
    return job


async def _begin(job: Job) -> None:
    await reference.put_source(job.engine.db, job.source.id, on_request=job.source.on_request)
    job.number = await log.begin(job.engine.db, job.source.id, job.dataset)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Not left half done by a cancellation, which then goes on."""
    task, stopped = asyncio.create_task(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            stopped = error
    task.result()
    if stopped:
        raise stopped


async def list_first(engine: Engine, source: Source, stale: timedelta = STALE) -> None:
    """Intervals, contract sizes and multipliers come with the instruments, so those must not be older than `stale`."""
    async with engine.listing[source.id]:
        now, tried = engine.web.now(), engine.listed.get(source.id)
        told = await log.last_success(engine.db, source.id, "instruments")
        fresh = (told and now - told < stale) or (tried and now - tried < AGAIN)
        if not fresh and source.feed("instruments"):
            await _list(engine, source)


async def _list_again(engine: Engine, source: Source) -> None:
    """List what there is now, unless that was done in the last minutes."""
    async with engine.listing[source.id]:
        tried = engine.listed.get(source.id)
        if tried is None or engine.web.now() - tried >= AGAIN:
            await _list(engine, source)


async def _list(engine: Engine, source: Source) -> None:
    engine.listed[source.id] = engine.web.now()
    await run(engine, source, "instruments", Order())


def _outcome(job: Job) -> Pulled:
    """Failed where nothing was answered, or asking was no use; partial where something was not."""
    most = job.troubles.most_common(SHOWN_TROUBLES)
    shown = [f"{text} ({count} times)" if count > 1 else text for text, count in most]
    more = len(job.troubles) - len(shown)
    error = redact("; ".join([*shown, *([f"and {more} others"] if more else [])])) or None
    status = "succeeded" if not error else "partial" if job.answered and not job.hopeless else "failed"
    return Pulled(job.source.id, job.dataset, status, error=error)


def _words(error: BaseException) -> str:
    """What went wrong in one line: of errors of workers the first, of the database its own."""
    if isinstance(error, BaseExceptionGroup):
        return _words(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    if isinstance(error, DBAPIError) and error.orig:
        return _words(error.orig)
    return redact(f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")
