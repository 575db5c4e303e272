"""What to ask for, read off what is held: pure functions, no I/O, no clock.

What is held of an instrument is one stretch without a hole. It grows at its end up to now, oldest page first, and at
its beginning back to where history is wanted from, newest page first; so it stays one wherever work is cut short.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from app.ingest.spec import Feed, Window
from app.records import Instrument

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARGIN = timedelta(hours=1)
LIVE_PAGES = 2
CANDLES = frozenset({"candles_1m", "candles_1h", "volatility_index"})
"""Datasets whose rows are of the step that begins with them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of an instrument are held, or were asked for, from `first` to `last`."""

    first: datetime
    last: datetime


def widened(stored: Span | None, asked: Span, overlap: timedelta) -> Span:
    """What is held, together with what was asked for in vain: but the newest of that may have come meanwhile."""
    until = max(asked.last - overlap, asked.first)
    return Span(min(stored.first, asked.first), max(stored.last, until)) if stored else Span(asked.first, until)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far back history is wanted: `history_days`, or `days`, which are asked for even where they are held."""

    now: datetime
    history_days: float
    days: float | None = None

    @property
    def since(self) -> datetime:
        """From when on."""
        return self.now - timedelta(days=self.history_days if self.days is None else self.days)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time to be asked of one feed, about one instrument or (None) all; `live` ones come before history."""

    feed: Feed
    start: datetime
    end: datetime
    instrument: Instrument | None = None
    live: bool = True
    newest_first: bool = False


def windows(stretch: Stretch, known: Mapping[str, Instrument]) -> Iterator[Window]:
    """The stretch in pages that the upstream answers whole, so that halving is rare."""
    whole = Window(stretch.start, stretch.end, stretch.instrument, {} if stretch.instrument else known)
    one = page(stretch.feed, stretch.instrument)
    if one is None or whole.end - whole.start <= one:
        yield whole
        return
    numbers = range(-((whole.start - whole.end) // one))
    for number in reversed(numbers) if stretch.newest_first else numbers:
        start = whole.start + number * one
        yield replace(whole, start=start, end=min(start + one, whole.end))


def plan(
    feeds: Collection[Feed], held: Mapping[str, Span], contracts: Collection[Instrument], wanted: Wanted
) -> list[Stretch]:
    """What to ask of the feeds of one dataset about these contracts: of all markets first, then live, then history."""
    market = [feed for feed in feeds if feed.scope == "market"]
    polls = [stretch for feed in market if (stretch := _of_all(feed, held, contracts, wanted))]
    each = (
        _of_each(feed, [one for one in market if one.is_about(contract)], contract, held.get(contract.symbol), wanted)
        for feed in feeds
        if feed.scope == "instrument"
        for contract in contracts
        if feed.is_about(contract)
    )
    return polls + sorted(chain.from_iterable(each), key=lambda stretch: not stretch.live)


def ends(contract: Instrument, now: datetime) -> datetime:
    """Until when there can be something of an instrument: now, or when it was gone or expired."""
    return min(bound for bound in (now, contract.delisted_at, contract.expires_at) if bound)


def _of_each(
    feed: Feed, market: list[Feed], contract: Instrument, span: Span | None, wanted: Wanted
) -> Iterator[Stretch]:
    """What to ask of one contract: how it stands now, while it is there, or what it did."""
    if feed.history:
        yield from _of_one(feed, market, contract, span, wanted)
    elif ends(contract, wanted.now) == wanted.now:
        yield Stretch(feed, wanted.now, wanted.now, contract)


def _of_one(
    feed: Feed, market: list[Feed], contract: Instrument, span: Span | None, wanted: Wanted
) -> Iterator[Stretch]:
    earliest, now = _earliest(feed, contract, wanted.now), ends(contract, wanted.now)
    since = max(earliest, _floor(wanted.since, min(feed.step or HOUR, HOUR)))
    if since >= now:
        return
    if span is None and market:
        yield Stretch(feed, since, now, contract, live=False, newest_first=True)
    elif span is None:
        one, step = page(feed, contract), feed.step or HOUR
        newest = since if one is None else max(since, _floor(now, step) + step - one)
        yield Stretch(feed, newest, now, contract)
        if since < newest:
            yield Stretch(feed, since, newest, contract, live=False, newest_first=True)
    else:
        if _is_due(feed, contract, span, now) and not any(_covers(m, feed, contract, span, now) for m in market):
            yield _caught_up(feed, contract, max(span.last, earliest), now)
        end = span.first if wanted.days is None else min(span.last, now)
        if end - since >= _apart(feed, contract):
            yield Stretch(feed, since, end, contract, live=False, newest_first=True)


def _caught_up(feed: Feed, contract: Instrument, last: datetime, now: datetime) -> Stretch:
    """From the newest row held on, and that row again: it may have been corrected. A long absence is history."""
    one = page(feed, contract)
    return Stretch(feed, last, now, contract, live=one is None or now - last <= LIVE_PAGES * one)


def _of_all(feed: Feed, held: Mapping[str, Span], contracts: Collection[Instrument], wanted: Wanted) -> Stretch | None:
    """One question about all markets: how things stand now or, where it tells the past, all since the oldest due."""
    now = wanted.now
    if not feed.history:
        return Stretch(feed, now, now)
    earliest = max(wanted.since, now - feed.keeps) if feed.keeps else wanted.since
    spans = [(contract, held.get(contract.symbol)) for contract in contracts if feed.is_about(contract)]
    starts = [earliest for _, span in spans if span is None] + [
        max(span.last, earliest)
        for contract, span in spans
        if span and _is_due(feed, contract, span, now) and _covers(feed, feed, contract, span, now)
    ]
    return Stretch(feed, min(starts), now) if starts else None


def spacing(feed: Feed, contract: Instrument | None) -> timedelta | None:
    """How far apart rows are: settlements by the contract's interval, others by the feed's step."""
    if feed.dataset == "funding" and contract and contract.funding_interval_hours:
        return timedelta(hours=contract.funding_interval_hours)
    return feed.step


def page(feed: Feed, contract: Instrument | None) -> timedelta | None:
    """How long a stretch fits one answer: one row less than it holds, since a full one may have been cut."""
    apart = spacing(feed, contract)
    return None if apart is None or feed.limit is None else apart * max(feed.limit - 1, 1)


def _apart(feed: Feed, contract: Instrument) -> timedelta:
    """How far apart rows are at the least. Settlements of an interval not told may come every hour."""
    if feed.dataset == "funding":
        return timedelta(hours=contract.funding_interval_hours or 1)
    return feed.step or HOUR


def _is_due(feed: Feed, contract: Instrument, span: Span, now: datetime) -> bool:
    """Whether a row after the last can be there."""
    step = _apart(feed, contract)
    if feed.dataset == "funding":
        return span.last + step <= now
    return _floor(span.last, step) + (2 * step if feed.dataset in CANDLES else step) <= now


def _covers(market: Feed, single: Feed, contract: Instrument, span: Span, now: datetime) -> bool:
    """Whether the feed of all markets brings everything since the last row: all it keeps, the newest row, a sample."""
    if market.history:
        return market.keeps is None or now - span.last < market.keeps
    apart = spacing(single, contract) or HOUR
    missing = (now - EPOCH) // apart - (span.last - EPOCH) // apart
    return missing <= 1 if single.dataset == "funding" else missing < 1 or now - span.last <= apart / 2


def _earliest(feed: Feed, contract: Instrument, now: datetime) -> datetime:
    """From when on an instrument's history can be had, on the grid of its rows."""
    bounds = [EPOCH]
    if feed.keeps:
        bounds.append(now - feed.keeps + MARGIN)
    if contract.listed_at:
        bounds.append(contract.listed_at)
    return _floor(max(bounds), min(feed.step or HOUR, HOUR))


def _floor(time: datetime, step: timedelta) -> datetime:
    return EPOCH + (time - EPOCH) // step * step
