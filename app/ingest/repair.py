"""Repairing what is missing: gaps of the ledger are asked for again, and what becomes of them is written in it.

repair ── _work_off ── claims.claim ── _repaired ── _asked ── pages.fetch ── Keeper ── claims.asked

Whoever claims gaps holds them for `HOLD`, and longer as long as it lives; then anybody may take them. What has come is
stored page by page, and only what is still missing is asked for again.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db import DATABASE_ERRORS
from app.ingest import places
from app.ingest.engine import Engine
from app.ingest.errors import Absent, Malformed, Refused, UpstreamError
from app.ingest.keep import Keeper, Places
from app.ingest.minutes import floor
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.plan import Stretch, page, windows
from app.ingest.spec import Feed, Source, Window
from app.logs import redact
from app.records import Instrument, OpenInterest, PerpMinute, Record
from app.services import claims, error_log
from app.services.claims import Claim

logger = logging.getLogger(__name__)

HOLD = timedelta(minutes=5)
SURE = timedelta(minutes=15)
"""What is younger an exchange may yet tell of, though it was asked."""
AT_ONCE, AGES = 4, timedelta(days=36500)
MARGIN = timedelta(minutes=5)
"""What an exchange is about to forget is not asked for."""
NEAR = timedelta(hours=6)
"""Gaps no further apart are asked for as one, if they fit one answer."""

REFUSALS = 3
"""What was asked for so often and is refused is not asked for again."""

NOBODY = "the exchange tells no history of it"
NOT_LISTED = "the exchange does not list it any more"
FORGOTTEN = "the exchange keeps only the last {keeps}"
NOT_THERE = "the exchange was asked and has no such rows"
QUIET = f"{NOT_THERE}: some skip minutes without a trade"


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is needed to repair gaps of one source."""

    engine: Engine
    source: Source
    contracts: Mapping[str, Instrument]
    places: Places


async def repair(engine: Engine, sources: Iterable[Source]) -> None:
    """Ask for all gaps of these sources that are due, the newest first. What cannot be written down is tried again."""
    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(_of_source(engine, source))


async def _of_source(engine: Engine, source: Source) -> None:
    try:
        if not await claims.due(engine.db, source.id):
            return
        bench = _Bench(engine, source, *await places.of_contracts(engine.db, source))
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(_work_off(bench))
    except* DATABASE_ERRORS as errors:
        logger.warning("repair of %s: the database does not answer: %s", source.id, errors.exceptions[0])


async def _work_off(bench: _Bench) -> None:
    """Gaps after gaps until there are none, or one could not be asked for and others had better wait too."""
    while claimed := await claims.claim(bench.engine.db, bench.source.id, HOLD):
        async with _held(bench.engine, claimed):
            if not await _repaired(bench, claimed):
                return


@asynccontextmanager
async def _held(engine: Engine, claimed: Claim) -> AsyncGenerator[None]:
    """Hold on to gaps while they are worked at; given back if that is broken off."""

    async def hold() -> None:
        while True:
            await asyncio.sleep(HOLD.total_seconds() / 3)
            with suppress(*DATABASE_ERRORS):
                await claims.hold(engine.db, claimed, HOLD)

    holding = asyncio.create_task(hold())
    try:
        yield
    except BaseException:  # cancellation too: the claim is given back, and the error goes on
        with suppress(*DATABASE_ERRORS):
            await asyncio.shield(claims.give_back(engine.db, claimed))
        raise
    finally:
        holding.cancel()


async def _repaired(bench: _Bench, claimed: Claim) -> bool:
    """Ask for what is missing and write down what became of it; whether others may be asked for."""
    db, now = bench.engine.db, bench.engine.web.now()
    feed, contract = feed_of(bench.source, claimed.dataset), bench.contracts.get(claimed.symbol)
    if feed is None or contract is None:
        await claims.hopeless(db, claimed, NOBODY if feed is None else NOT_LISTED)
        return True
    oldest = floor(now - feed.keeps + MARGIN if feed.keeps else now - AGES)
    forgotten, claimed = await claims.cut(db, claimed, oldest)
    await claims.hopeless(db, forgotten, FORGOTTEN.format(keeps=feed.keeps))
    try:
        for stretch in stretches(feed, contract, claimed, oldest, now):
            await _asked(bench, claimed, stretch)
    except UpstreamError as error:
        return await _failed(bench, claimed, contract, error)
    await claims.asked(db, claimed, _why(feed, claimed), floor(now - SURE))
    return True


async def _failed(bench: _Bench, claimed: Claim, contract: Instrument, error: UpstreamError) -> bool:
    """Write down that it could not be asked for; whether others may be. Who is refused for good asks no more."""
    refused = isinstance(error, Refused) and not error.everywhere
    for_good = refused and (not contract.active or claimed.attempts >= REFUSALS)
    told, whose = redact(str(error)), (bench.source.id, claimed.dataset)
    context = {"symbol": claimed.symbol, "attempt": claimed.attempts + 1, "for_good": for_good}
    logger.warning("repair of %s: %s", claimed.dataset, told)
    await (claims.hopeless if for_good else claims.failed)(bench.engine.db, claimed, told)
    await error_log.note_error(bench.engine.db, "repair", type(error).__name__.lower(), told, *whose, context)
    return refused


def feed_of(source: Source, dataset: str) -> Feed | None:
    """Who can be asked for a past time of one contract: of what takers traded, candles may tell."""
    names = [dataset, "candles_1m"] if dataset == "taker_volume" else [dataset]
    asked = [feed for feed in (*source.polls, *source.feeds) if feed.scope == "instrument" and feed.history]
    return next((feed for name in names for feed in asked if feed.dataset == name), None)


def stretches(feed: Feed, contract: Instrument, claimed: Claim, floor: datetime, now: datetime) -> list[Stretch]:
    """What to ask for from `floor` until now, the newest first: gaps that are near each other as one."""
    near, found = min(page(feed, contract) or NEAR, NEAR), list[Stretch]()
    for gap in claimed.gaps:
        start, end = max(gap.first, floor), min(gap.last, now)
        if found and end - found[-1].start <= near:
            start = found.pop().start
        if start < end:
            found.append(Stretch(feed, start, end, contract, live=False, newest_first=True))
    return found[::-1]


async def _asked(bench: _Bench, claimed: Claim, stretch: Stretch) -> None:
    """Store all that is told of a stretch, page by page. Raises UpstreamError where one is not answered."""
    keeper = _keeper(bench, claimed)
    line = Line(bench.engine.web, bench.source)
    for window in windows(stretch, {}):
        found = await _fetched(keeper, line, stretch.feed, window)
        await keeper.reject(found.bad)
        await keeper.keep([*found.records, *_minutes(found.records)])
        await keeper.flush()


async def _fetched(keeper: Keeper, line: Line, feed: Feed, window: Window) -> Fetched:
    """What is told of a window, after all that is asked for now. That there is no such thing is an answer."""
    try:
        return await fetch(line, feed, window, live=False)
    except Absent:
        return Fetched()
    except Malformed as error:
        await keeper.put_aside(error)
        raise


def _keeper(bench: _Bench, claimed: Claim) -> Keeper:
    async def stored() -> None:
        """The ledger tells what has come of it."""

    return Keeper(bench.engine.db, bench.source.id, claimed.dataset, bench.engine.writers, stored, bench.places)


def _minutes(records: Sequence[Record]) -> list[PerpMinute]:
    """Samples of open interest are also what the minutes say in which they were taken."""
    samples = [record for record in records if isinstance(record, OpenInterest)]
    told = [{"oi_base": one.oi_base, "oi_usd": one.oi_usd} for one in samples]
    return [
        PerpMinute(
            one.symbol, one.time.replace(second=0, microsecond=0), {k: v for k, v in values.items() if v is not None}
        )
        for one, values in zip(samples, told, strict=True)
    ]


def _why(feed: Feed, claimed: Claim) -> str:
    """Why something is missing still."""
    if claimed.dataset == "candles_1m":
        return QUIET
    if feed.step and feed.step > timedelta(minutes=1):
        return f"{NOT_THERE}: of the past it tells one every {feed.step.total_seconds() / 60:g} minutes"
    return NOT_THERE
