"""What no socket tells of the minute: asked for, as often as its feed says, a sample of every minute."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zlib import crc32

from app.db import DATABASE_ERRORS
from app.ingest.errors import Malformed, Refused, Throttled, UpstreamError
from app.ingest.heard import Health, Heard
from app.ingest.line import Clock
from app.ingest.minutes import MINUTE, floor
from app.ingest.missing import Missing
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.runner import Web
from app.ingest.socket import Known
from app.ingest.spec import Feed, Said, Source, Window
from app.ingest.telling import Telling
from app.records import Instrument, OpenInterest, PerpMinute, PredictedFunding, Record
from app.services.log import Unread

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPREAD = 20
"""Seconds into the period within which a poll begins; each has its own."""
SHARE = 0.5
"""Share of its period over which a poll asks for one contract after the other."""
PATIENCE = 0.95
"""Share of its period after which who has not answered is given up, so that the next round begins on time."""
OVERLAP = 3
"""Rows of history that are asked for again."""

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Who hears what was asked for."""

    known: Known
    missing: Missing
    telling: Telling

    def take(self, records: Iterable[Record], *, finished: bool = True) -> None:
        """Records have come."""


@dataclass(slots=True)
class Poll:
    """One feed that is asked again and again."""

    listener: Listener
    web: Web
    source: Source
    feed: Feed
    health: Health = field(default_factory=Health)

    @property
    def id(self) -> str:
        """`binance:poll:open_interest`"""
        return f"{self.source.id}:poll:{self.feed.dataset}"

    @property
    def offset(self) -> timedelta:
        """How long after the start of its period it begins."""
        own = timedelta(seconds=2 + crc32(self.id.encode()) % SPREAD)
        return own + (self.feed.ready_after if self.feed.history else timedelta())


async def keep_asking(poll: Poll, clock: Clock) -> None:
    """Ask in every period, for ever."""
    every, period = poll.feed.every, 0
    while True:
        now = clock.now()
        period = max(period, (now - EPOCH - poll.offset) // every) + 1  # who wakes too early does not ask twice
        due = EPOCH + period * every + poll.offset
        await clock.sleep((due - now).total_seconds())
        await _round(poll, clock, due + PATIENCE * every)


async def _round(poll: Poll, clock: Clock, until: datetime) -> None:
    """One question for all markets, or one for each contract, evenly over a part of the period that ends at `until`."""
    wanted = [poll.listener.known.instruments[symbol] for symbol in poll.listener.known.wanted]
    if poll.feed.scope == "market":
        await _ask(poll, None, wanted, until)
        return
    pause = SHARE * poll.feed.every.total_seconds() / max(1, len(wanted))
    hopeless = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for one in wanted:
            if hopeless.is_set():
                _miss(poll, [one])
                continue
            group.create_task(_ask(poll, one, [one], until, hopeless))
            await clock.sleep(pause)


async def _ask(
    poll: Poll, one: Instrument | None, of: list[Instrument], until: datetime, hopeless: asyncio.Event | None = None
) -> None:
    """Ask, and hand on what comes; what does not is noted. `hopeless` is set where the others need not be asked."""
    now = poll.web.now()
    try:
        async with asyncio.timeout((until - now).total_seconds()):
            found = await fetch(Line(poll.web, poll.source), poll.feed, _window(poll, one, now))
    except UpstreamError as error:
        if isinstance(error, Malformed):
            asked = error.question.request
            poll.listener.telling.put_aside(Unread(asked, error.status, error.message, error.body))
        if hopeless and (isinstance(error, Throttled) or (isinstance(error, Refused) and error.everywhere)):
            hopeless.set()
        _fail(poll, of, str(error))
    except TimeoutError:
        _fail(poll, of, f"{poll.id}: not answered within its period")
    except DATABASE_ERRORS as error:  # budgets are kept there
        _fail(poll, of, f"{poll.id}: the database does not answer: {error}")
    else:
        _take(poll, found)


def _take(poll: Poll, found: Fetched) -> None:
    """Samples are of the minute they came in: none is known in a minute that was over before."""
    now = poll.web.now()
    records = found.records if poll.feed.history else [_sampled(record, now) for record in found.records]
    poll.health.state = "connected"
    poll.health.heard(now, Heard(Said.DATA, records, found.bad))
    poll.listener.take(records)
    poll.listener.telling.reject(found.bad)


def _fail(poll: Poll, of: Iterable[Instrument], why: str) -> None:
    if why != poll.health.error:
        logger.warning("%s", why)
    poll.health.failed(why)
    _miss(poll, of)


def _window(poll: Poll, one: Instrument | None, now: datetime) -> Window:
    known, feed = poll.listener.known.instruments, poll.feed
    if not feed.history:
        return Window(now, now, one, known)
    return Window(floor(now) - feed.every - OVERLAP * (feed.step or MINUTE), now, one, known)


def _sampled(record: Record, at: datetime) -> Record:
    """How things stand is told of the minute of the answer, however old what is told may be."""
    match record:
        case OpenInterest() | PredictedFunding():
            return replace(record, time=at)
        case PerpMinute():
            return replace(record, time=floor(at))
        case _:
            return record


def _miss(poll: Poll, of: Iterable[Instrument]) -> None:
    now = poll.web.now()
    for one in of:
        for fact in poll.feed.facts:
            poll.listener.missing.note_failure(fact, one.symbol, now, poll.feed.every)
