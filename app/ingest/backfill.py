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

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database, Driver
from app.ingest.chunks import Gone, by_hours, chunked, restored
from app.ingest.engine import Engine
from app.ingest.errors import Absent, Malformed, Refused, Throttled, UpstreamError
from app.ingest.keep import Keeper, Places
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.spec import Feed, Source, Window
from app.records import Instrument
from app.services import backfills, products, reference, source_assets, store
from app.services.backfills import Chunk, NotOurs, Worker
from app.services.log import Counts

AT_ONCE = 4
MOST_ATTEMPTS = 3
LOOK_SECONDS = 1.0
REST_SECONDS = 20.0
FRESH = timedelta(minutes=5)
DATABASE_GONE = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)

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
        except DATABASE_GONE as error:
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
    try:
        await _work(shift, chunk)
    except asyncio.CancelledError:
        with suppress(*DATABASE_GONE):
            await asyncio.shield(backfills.give_back(db, me, chunk))
        raise
    except NotOurs:
        logger.info("chunk %d of back-fill %d went to another worker", chunk.number, chunk.backfill)
    except (UpstreamError, Gone) as error:
        hopeless = isinstance(error, Refused | Malformed | Gone) or chunk.attempts >= MOST_ATTEMPTS
        throttled = isinstance(error, Throttled)
        shift.rest(chunk.source, (throttled and error.retry_after) or REST_SECONDS)
        await backfills.give_back(db, me, chunk, str(error), for_good=hopeless and not throttled)
    except DATABASE_GONE as error:
        logger.warning("back-fill %d, chunk %d: %s", chunk.backfill, chunk.number, error)
        shift.rest(chunk.source, REST_SECONDS)
        with suppress(*DATABASE_GONE):
            await backfills.give_back(db, me, chunk, "the database did not answer")


async def _work(shift: _Shift, chunk: Chunk) -> None:
    """Ask everything the chunk holds, then store it in one go. Raises what asking and storing raise."""
    engine, source = shift.engine, shift.sources[chunk.source]
    known = await _known(shift, source, chunk.dataset)
    feed, windows = restored(source, chunk.window, known.contracts)
    line, keeper = Line(engine.web, source), _keeper(engine, chunk, known.places)
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
        found = _Known(now, *await _places(shift.engine.db, source, dataset))
        shift.known[key] = found
    return found


async def _places(db: Database, source: Source, dataset: str) -> tuple[Mapping[str, Instrument], Places]:
    match dataset:
        case "perp_1h":
            listed = await products.listed(db, source.id)
            return {}, Places(hours={(one.exchange, one.symbol): one.series for one in listed})
        case "fundamentals":
            return {}, Places(entities=source_assets.one_each(await source_assets.entities_of(db, source.id)))
        case _:
            contracts = await reference.instruments(db, source.id)
            return contracts, Places(await reference.series_of(db, source.id, source.id))


async def catch_up(db: Database, source: Source, gaps: Mapping[datetime, set[tuple[str, str]]], end: datetime) -> None:
    """Order the hours of these pairs of exchange and coin that are missing, once."""
    feeds = [(number, feed) for number, feed in enumerate(source.feeds) if feed.scope == "batch" and feed.history]
    pieces = [piece for number, feed in feeds for piece in chunked(number, feed, by_hours(feed, gaps, end))]
    if not pieces:
        return
    start = min(gaps)
    told = {"start": start.isoformat(), "end": end.isoformat()}
    asked = {"request": {"catch_up": start.isoformat()}, "datasets": ["perp_1h"], "assets": [], "exchanges": [], **told}
    key = f"catch-up {source.id} from {start.isoformat()}"
    with suppress(backfills.Conflict):
        await backfills.order(db, source.id, asked, pieces, asked_by="schedule", key=key)
