"""Working back-fills: a few chunks of each source at a time, each fetched and then stored as one.

working ── claim ── _work ── chunks.restored ── pages.fetch ── keep.put_records ── finish, in the same transaction
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.db import DATABASE_ERRORS, Database, Driver, is_gone
from app.ingest import places
from app.ingest.chunks import Gone, restored
from app.ingest.engine import Engine
from app.ingest.errors import Absent, Malformed, Refused, Throttled, UpstreamError
from app.ingest.keep import Keeper, Places
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.spec import Feed, Source, Window
from app.logs import redact, tell_of_death
from app.records import Instrument
from app.services import backfills, error_log, store
from app.services.backfills import Chunk, NotOurs, Worker
from app.services.log import Counts

AT_ONCE = 4
MOST_ATTEMPTS = 3
LOOK_SECONDS = 1.0
REST_SECONDS = 20.0
FRESH = timedelta(minutes=5)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """What is known of a source, for a while: its contracts, and where its records go."""

    at: datetime
    contracts: Mapping[str, Instrument]
    places: Places


@dataclass(slots=True)
class _Shift:
    """One process at work: its chunks by task, and until when a source is left alone."""

    engine: Engine
    sources: Mapping[str, Source]
    me: Worker
    tasks: dict[asyncio.Task[None], Chunk] = field(default_factory=dict[asyncio.Task[None], Chunk])
    resting: dict[str, float] = field(default_factory=dict[str, float])
    known: dict[tuple[str, str], _Known] = field(default_factory=dict[tuple[str, str], _Known])

    def free(self) -> list[str]:
        """Sources that another chunk may be taken of."""
        busy = Counter(chunk.source for chunk in self.tasks.values())
        now = asyncio.get_running_loop().time()
        return [one for one in self.sources if busy[one] < AT_ONCE and self.resting.get(one, 0) <= now]

    def rest(self, source: str, seconds: float) -> None:
        """Leave a source alone for a while."""
        self.resting[source] = asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def working(engine: Engine, sources: Mapping[str, Source]) -> AsyncGenerator[None]:
    """Work chunks of these sources until the end; what is begun then is given back."""
    task = asyncio.create_task(_work_on(engine, sources), name="backfills")
    task.add_done_callback(tell_of_death)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _work_on(engine: Engine, sources: Mapping[str, Source]) -> None:
    """Be a worker; when the database goes away, again once it is back."""
    while True:
        try:
            async with backfills.worker(engine.db) as me:
                await _shift(_Shift(engine, sources, me))
        except DATABASE_ERRORS as error:
            logger.warning("backfills: the database does not answer: %s", error)
        await asyncio.sleep(LOOK_SECONDS)


async def _shift(shift: _Shift) -> None:
    """Take chunks while this is a worker; stop those of back-fills that are being cancelled."""
    try:
        while not shift.me.lost.is_set():
            chunk = await backfills.claim(shift.engine.db, shift.me, shift.free())
            if chunk:
                task = asyncio.create_task(_logged(shift, chunk))
                shift.tasks[task] = chunk
                task.add_done_callback(lambda done: shift.tasks.pop(done, None))
                continue
            await backfills.let_go(shift.engine.db, shift.me, shift.tasks.values())
            ending = await backfills.settle(shift.engine.db)
            for task, begun in list(shift.tasks.items()):
                if begun.backfill in ending:
                    task.cancel()
            await _a_moment(shift)
    finally:
        begun = list(shift.tasks)
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


async def _a_moment(shift: _Shift) -> None:
    """Until a chunk has come to its end, or it is time to look again."""
    if shift.tasks:
        await asyncio.wait(shift.tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(LOOK_SECONDS)


async def _logged(shift: _Shift, chunk: Chunk) -> None:
    """A chunk, and what becomes of it where it is not done."""
    db, me = shift.engine.db, shift.me
    line = Line(shift.engine.web, shift.sources[chunk.source])
    try:
        await _work(shift, chunk, line)
    except asyncio.CancelledError:
        with suppress(*DATABASE_ERRORS):
            await asyncio.shield(backfills.give_back(db, me, chunk))
        raise
    except NotOurs:
        logger.info("chunk %d of back-fill %d went to another worker", chunk.number, chunk.backfill)
    except Throttled as error:
        shift.rest(chunk.source, error.retry_after or REST_SECONDS)
        await backfills.give_back(db, me, chunk, redact(str(error)), requests=line.requests)
    except (UpstreamError, Gone, *DATABASE_ERRORS) as error:
        await _failed(shift, chunk, error, line.requests)
    except Exception as error:
        logger.exception("back-fill %d, chunk %d failed", chunk.backfill, chunk.number)
        await _failed(shift, chunk, error, line.requests)


async def _failed(shift: _Shift, chunk: Chunk, error: Exception, requests: int) -> None:
    """Give it back: to be tried a few times, not at all where that is no use, and again while the database is away."""
    shift.rest(chunk.source, REST_SECONDS)
    told = redact(f"{error if isinstance(error, UpstreamError | Gone) else f'{type(error).__name__}: {error}'}")
    if is_gone(error):
        logger.warning("back-fill %d, chunk %d: %s", chunk.backfill, chunk.number, told)
        with suppress(*DATABASE_ERRORS):
            await backfills.give_back(shift.engine.db, shift.me, chunk)
        return
    hopeless = isinstance(error, Refused | Malformed | Gone) or chunk.attempts + 1 >= MOST_ATTEMPTS
    context = {"backfill": chunk.backfill, "chunk": chunk.number, "attempt": chunk.attempts + 1, "for_good": hopeless}
    code = type(error).__name__.lower()
    await error_log.note_error(shift.engine.db, "backfill", code, told, chunk.source, chunk.dataset, context)
    await backfills.give_back(shift.engine.db, shift.me, chunk, told, failed=True, for_good=hopeless, requests=requests)


async def _work(shift: _Shift, chunk: Chunk, line: Line) -> None:
    """Ask everything the chunk holds, then store it in one go. Raises what asking and storing raise."""
    engine, source = shift.engine, line.source
    known = await _known(shift, source, chunk.dataset)
    feed, windows = restored(source, chunk.window, known.contracts)
    keeper = _keeper(engine, chunk, known.places)
    found, absent = Fetched(), None
    for window in windows:
        try:
            found += await _fetched(keeper, line, feed, window)
        except Absent as error:
            absent = str(error)
    await keeper.reject(found.bad)

    async def done(copy: Driver, written: store.Written) -> None:
        tally = keeper.tally
        total = tally.written + written
        counts = Counts(line.requests, tally.received, total.inserted, total.updated, tally.rejected)
        await backfills.finish(copy, shift.me, chunk, counts, absent)

    await keeper.store_all(found.records, done)


async def _fetched(keeper: Keeper, line: Line, feed: Feed, window: Window) -> Fetched:
    try:
        return await fetch(line, feed, window, live=False)
    except Malformed as error:
        await keeper.put_aside(error)
        raise


def _keeper(engine: Engine, chunk: Chunk, places: Places) -> Keeper:
    async def stored() -> None:
        """A chunk tells of itself when it is done."""

    return Keeper(engine.db, chunk.source, chunk.dataset, engine.writers, stored, places)


async def _known(shift: _Shift, source: Source, dataset: str) -> _Known:
    """Read again now and then: what is listed, and what it is mapped to, changes."""
    key, now = (source.id, dataset), shift.engine.web.now()
    found = shift.known.get(key)
    if found is None or now - found.at > FRESH:
        found = _Known(now, *await _read(shift.engine.db, source, dataset))
        shift.known[key] = found
    return found


async def _read(db: Database, source: Source, dataset: str) -> tuple[Mapping[str, Instrument], Places]:
    match dataset:
        case "perp_1h":
            return {}, await places.of_hours(db, source.id)
        case "fundamentals":
            return {}, await places.of_entities(db, source.id)
        case _:
            return await places.of_contracts(db, source, dataset)
