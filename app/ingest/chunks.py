"""Cutting history into chunks: what to ask of a source for a stretch of time, and how long that will take."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db import Database
from app.ingest.limits import HISTORY_SHARE
from app.ingest.plan import Stretch, ends, page, spacing, windows
from app.ingest.runner import key_of
from app.ingest.spec import Aim, Feed, Source, Window
from app.records import Instrument
from app.services import metrics, products, reference, source_assets
from app.services.backfills import NothingToAsk, Piece, Plan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAGES_A_CHUNK = 8
MOST_CHUNKS = 50_000  # of a back-fill; before that many, chunks grow
MOST_ROWS = 50_000  # of a chunk of several pages, since it is stored at once


class Gone(LookupError):
    """What a chunk is about is not there any more: its feed, or its contract."""


@dataclass(frozen=True, slots=True)
class Wish:
    """History that is wanted of a source: datasets (empty: all), entities and exchanges (None: all), `[start, end)`."""

    source: Source
    start: datetime
    end: datetime
    datasets: tuple[str, ...] = ()
    entities: tuple[int, ...] | None = None
    exchanges: tuple[str, ...] | None = None


def datasets_with_history(source: Source) -> tuple[str, ...]:
    """What of a source can be asked for in the past."""
    return tuple(dict.fromkeys(feed.dataset for feed in source.feeds if _has_history(feed)))


def _has_history(feed: Feed) -> bool:
    return feed.history and (feed.scope == "batch" or (feed.scope == "instrument" and feed.step is not None))


async def plan(db: Database, wish: Wish) -> Plan:
    """The chunks of a wish, the most wanted first. Raises NothingToAsk."""
    wanted, found = datasets_of(wish), list[tuple[int, Feed, Sequence[Window | Aim]]]()
    for number, feed in enumerate(wish.source.feeds):
        if not _has_history(feed) or feed.dataset not in wanted or (feed.needs_key and not key_of(wish.source)):
            continue
        asked = _by_contract(db, wish, feed) if feed.scope == "instrument" else _by_batch(db, wish, feed)
        found.append((number, feed, await asked))
    return await asyncio.to_thread(_planned, wish, found)


def _planned(wish: Wish, found: Iterable[tuple[int, Feed, Sequence[Window | Aim]]]) -> Plan:
    """The plan, given what is to be asked of which feed. Takes a second for years of everything."""
    source, cut = wish.source, [(number, feed, _cut(feed, asked)) for number, feed, asked in found]
    each = [(feed, window) for _, feed, asked in cut for window in asked]
    if not each:
        raise NothingToAsk(f"{source.id} tells nothing of that: no contract or id of it is known there")
    pages = _pages_a_chunk(each)
    pieces = tuple(piece for number, feed, asked in cut for piece in chunked(number, feed, asked, pages))
    requests, rows = sum(piece.requests for piece in pieces), sum(piece.rows for piece in pieces)
    return Plan(source.id, datasets_of(wish), wish.start, wish.end, pieces, requests, rows, _seconds(source, each))


def _cut(feed: Feed, asked: Iterable[Window | Aim]) -> list[Window]:
    """Windows that are not empty: of a batch one a request, of a contract all of its time."""
    each = ([one] if isinstance(one, Window) else feed.cut(one) for one in asked)
    return [window for pieces in each for window in pieces if window.start < window.end]


def _pages_a_chunk(asked: Collection[tuple[Feed, Window]]) -> int:
    """How many pages make chunks that are not too many. Raises NothingToAsk."""
    pages = PAGES_A_CHUNK
    while (chunks := sum(_times(_lengths(feed, window, pages)[1], window) for feed, window in asked)) > MOST_CHUNKS:
        if pages > MOST_ROWS:
            raise NothingToAsk(
                f"that makes {chunks:,} windows, and one back-fill has at most {MOST_CHUNKS:,}: "
                "order fewer datasets or assets, or less time, in several back-fills"
            )
        pages *= 2
    return pages


def datasets_of(wish: Wish) -> tuple[str, ...]:
    """Which datasets are wished for; all with a history where none is named. Raises NothingToAsk."""
    there = datasets_with_history(wish.source)
    strange = [one for one in wish.datasets if one not in there]
    if not there:
        raise NothingToAsk(f"{wish.source.id} has no history: how things stand now is sampled while the service runs")
    if strange:
        raise NothingToAsk(f"{wish.source.id} has no history of {', '.join(strange)}; it has {', '.join(there)}")
    return wish.datasets or there


async def _by_contract(db: Database, wish: Wish, feed: Feed) -> list[Window]:
    """The time of each contract in which it traded."""
    if wish.exchanges is not None and wish.source.id not in wish.exchanges:
        raise NothingToAsk(f"{wish.source.id} tells of no exchange but itself")
    known = await reference.instruments(db, wish.source.id, feed.kinds)
    mine = None if wish.entities is None else await reference.symbols_of(db, wish.source.id, wish.entities)
    chosen = [one for one in known.values() if feed.is_about(one) and (mine is None or one.symbol in mine)]
    return [_whole(feed, one, wish) for one in chosen]


def _whole(feed: Feed, contract: Instrument, wish: Wish) -> Window:
    floor = wish.end - feed.keeps if feed.keeps else wish.start
    start = max(bound for bound in (wish.start, floor, contract.listed_at) if bound)
    end = ends(contract, wish.end)
    return Window(min(start, end), end, contract)


async def _by_batch(db: Database, wish: Wish, feed: Feed) -> list[Aim]:
    """Full hours of perpetuals, or full days of entities."""
    if feed.dataset == "perp_1h":
        known = await products.listed(db, wish.source.id, wish.entities, wish.exchanges)
        wish = replace(wish, start=floored(wish.start, HOUR), end=floored(wish.end, HOUR))
        return _aims(_begun(known, wish), wish.end)
    start, end = floored(wish.start, DAY), floored(wish.end, DAY)
    return [await aim_at(db, wish.source, start, end, live=False, entities=wish.entities)]


def floored(time: datetime, step: timedelta) -> datetime:
    """The start of the full hour or UTC day that holds a time."""
    return EPOCH + (time - EPOCH) // step * step


def _begun(known: Iterable[products.Listed], wish: Wish) -> dict[datetime, set[tuple[str, str]]]:
    """Exchange and coin by the day from which on there can be something."""
    groups: dict[datetime, set[tuple[str, str]]] = defaultdict(set)
    for one in known:
        begins = one.begins and one.begins.replace(hour=0, minute=0, second=0, microsecond=0)
        start = max(wish.start, begins or wish.start)
        if start < wish.end:
            groups[start].add((one.exchange, one.coin))
    return groups


def by_hours(feed: Feed, groups: Mapping[datetime, Collection[tuple[str, str]]], end: datetime) -> list[Window]:
    """The requests for pairs of exchange and coin, by the time from which on they are wanted."""
    return [piece for aim in _aims(groups, end) for piece in feed.cut(aim)]


def _aims(groups: Mapping[datetime, Collection[tuple[str, str]]], end: datetime) -> list[Aim]:
    each = sorted(groups.items())
    return [Aim(start, end, live=False, pairs=frozenset(pairs), keyed=True) for start, pairs in each]


async def aim_at(
    db: Database, source: Source, start: datetime, end: datetime, *, live: bool, entities: Collection[int] | None = None
) -> Aim:
    """What a source about entities is to be asked."""
    return Aim(
        start,
        end,
        live,
        assets=await source_assets.ids_of(db, source.id, entities),
        metrics=await metrics.names(db, source.id),
        keyed=key_of(source) is not None,
    )


def chunked(number: int, feed: Feed, asked: Iterable[Window], pages: int = PAGES_A_CHUNK) -> Iterator[Piece]:
    """Windows of one feed as chunks: a batch by itself, all of a contract so many pages at a time.

    `number` is where the feed stands in its source.
    """
    for window in asked:
        one, length = _lengths(feed, window, pages)
        for at in range(_times(length, window)):
            start = window.start + at * length
            part = replace(window, start=start, end=min(start + length, window.end))
            yield _piece(number, feed, part, _times(one, part))


def _lengths(feed: Feed, window: Window, pages: int) -> tuple[timedelta, timedelta]:
    """How long a page and a chunk of a window are: so many pages, or as many as can be stored at once."""
    one, apart = page(feed, window.instrument), spacing(feed, window.instrument)
    if window.instrument is None or one is None or apart is None:
        return window.end - window.start, window.end - window.start
    return one, one * min(pages, max(MOST_ROWS * apart // one, 1))


def _times(length: timedelta, window: Window) -> int:
    """How many of that length a window takes; none if it is empty."""
    return -((window.start - window.end) // length) if window.start < window.end else 0


def _piece(number: int, feed: Feed, window: Window, requests: int) -> Piece:
    told: dict[str, Any] = {
        "feed": _name(feed),
        "number": number,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "symbol": window.instrument and window.symbol,
        "subjects": list(window.subjects),
        "exchanges": list(window.exchanges),
        "columns": list(window.columns),
    }
    apart = spacing(feed, window.instrument) or DAY
    things = max(len(window.subjects), 1) * max(len(window.exchanges), 1)
    return Piece(feed.dataset, told, requests, things * -((window.start - window.end) // apart))


def _name(feed: Feed) -> str:
    """What a feed is called in a chunk, which later versions read: not its place, which changes."""
    return f"{feed.dataset} {feed.scope} {feed.request.__qualname__}"


def restored(source: Source, told: Mapping[str, Any], known: Mapping[str, Instrument]) -> tuple[Feed, list[Window]]:
    """The feed and windows of a chunk. Raises Gone for a feed or a contract that is not known any more."""
    feed = _feed(source, told)
    start, end = (datetime.fromisoformat(told[name]) for name in ("start", "end"))
    if not told["symbol"]:
        batch = {name: tuple(told[name]) for name in ("subjects", "exchanges", "columns")}
        return feed, [replace(Window(start, end), **batch)]
    if (contract := known.get(told["symbol"])) is None:
        raise Gone(f"{source.id} lists no contract {told['symbol']} any more")
    return feed, list(windows(Stretch(feed, start, end, contract, live=False), known))


def _feed(source: Source, told: Mapping[str, Any]) -> Feed:
    """The feed of that name; of several the one in its old place, for nothing else tells them apart."""
    alike = {number: feed for number, feed in enumerate(source.feeds) if _name(feed) == told["feed"]}
    number = next(iter(alike)) if len(alike) == 1 else told.get("number")
    if number not in alike:
        raise Gone(f"{source.id} is not asked any more the way this window was planned ({told['feed']}): order it anew")
    return alike[number]


def _seconds(source: Source, asked: Iterable[tuple[Feed, Window]]) -> float:
    """How long the tightest budget makes it last, at the share that history has of it."""
    spent: dict[str, float] = defaultdict(float)
    for feed, window in asked:
        one, _ = _lengths(feed, window, 1)
        first = replace(window, end=min(window.start + one, window.end))
        for name, cost in feed.request(first).costs:
            spent[name] += cost * _times(one, window)
    return max(
        (used * source.budgets[name].period.total_seconds() / (source.budgets[name].limit * HISTORY_SHARE))
        for name, used in spent.items()
    )
