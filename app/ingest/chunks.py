"""Cutting history into chunks: what to ask of a source for a stretch of time, and how long that will take."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db import Database
from app.ingest.limits import HISTORY_SHARE
from app.ingest.plan import Stretch, page, spacing, windows
from app.ingest.runner import key_of
from app.ingest.spec import Aim, Feed, Source, Window
from app.records import Instrument
from app.services import metrics, products, reference, source_assets
from app.services.backfills import NothingToAsk, Piece, Plan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAGES_A_CHUNK = 8


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
    source, found = wish.source, list[tuple[Feed, Piece]]()
    feeds = [feed for feed in source.feeds if _has_history(feed) and feed.dataset in _wanted(wish)]
    for feed in feeds:
        if feed.needs_key and not key_of(source):
            continue
        number = source.feeds.index(feed)
        pieces = _by_contract(db, wish, feed) if feed.scope == "instrument" else _by_batch(db, wish, feed)
        found += [(feed, piece) for piece in chunked(number, feed, await pieces)]
    if not found:
        raise NothingToAsk(f"{source.id} tells nothing of that: no contract or id of it is known there")
    pieces = tuple(piece for _, piece in found)
    requests, rows = sum(piece.requests for piece in pieces), sum(piece.rows for piece in pieces)
    return Plan(source.id, _wanted(wish), wish.start, wish.end, pieces, requests, rows, _seconds(source, found))


def _wanted(wish: Wish) -> tuple[str, ...]:
    there = datasets_with_history(wish.source)
    strange = [one for one in wish.datasets if one not in there]
    if strange or not there:
        has = f"it has {', '.join(there)}" if there else "it has none"
        raise NothingToAsk(f"{wish.source.id} has no history of {', '.join(strange) or 'anything'}; {has}")
    return wish.datasets or there


async def _by_contract(db: Database, wish: Wish, feed: Feed) -> list[Window]:
    """Page after page of each contract that traded then."""
    if wish.exchanges is not None and wish.source.id not in wish.exchanges:
        raise NothingToAsk(f"{wish.source.id} tells of no exchange but itself")
    known = await reference.instruments(db, wish.source.id)
    mine = None if wish.entities is None else await reference.symbols_of(db, wish.source.id, wish.entities)
    chosen = [one for one in known.values() if mine is None or one.symbol in mine]
    return [window for one in chosen for window in windows(_stretch(feed, one, wish), known)]


def _stretch(feed: Feed, contract: Instrument, wish: Wish) -> Stretch:
    floor = wish.end - feed.keeps if feed.keeps else wish.start
    start = max(bound for bound in (wish.start, floor, contract.listed_at) if bound)
    end = min(wish.end, contract.delisted_at or wish.end)
    return Stretch(feed, min(start, end), end, contract, live=False)


async def _by_batch(db: Database, wish: Wish, feed: Feed) -> list[Window]:
    """Full hours of perpetuals, or full days of entities."""
    if feed.dataset == "perp_1h":
        known = await products.listed(db, wish.source.id, wish.entities, wish.exchanges)
        wish = replace(wish, start=floored(wish.start, HOUR), end=floored(wish.end, HOUR))
        return by_hours(feed, _begun(known, wish), wish.end)
    start, end = floored(wish.start, DAY), floored(wish.end, DAY)
    return feed.cut(await aim_at(db, wish.source, start, end, live=False, entities=wish.entities))


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
    aims = (Aim(start, end, live=False, pairs=frozenset(pairs), keyed=True) for start, pairs in sorted(groups.items()))
    return [piece for aim in aims for piece in feed.cut(aim)]


async def aim_at(
    db: Database,
    source: Source,
    start: datetime,
    end: datetime,
    *,
    live: bool,
    entities: Collection[int] | None = None,
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


def chunked(number: int, feed: Feed, asked: Sequence[Window]) -> Iterator[Piece]:
    """Windows of one feed as chunks: a batch by itself, pages of one contract a few together."""
    together: list[Window] = []
    for window in asked:
        if window.start >= window.end:
            continue
        if together and (feed.scope == "batch" or _parts(together[0], window) or len(together) >= PAGES_A_CHUNK):
            yield _piece(number, feed, together)
            together = []
        together.append(window)
    if together:
        yield _piece(number, feed, together)


def _parts(one: Window, other: Window) -> bool:
    return (one.instrument and one.symbol) != (other.instrument and other.symbol)


def _piece(number: int, feed: Feed, together: Sequence[Window]) -> Piece:
    first, last = together[0], together[-1]
    told: dict[str, Any] = {
        "feed": number,
        "start": first.start.isoformat(),
        "end": last.end.isoformat(),
        "symbol": first.instrument and first.symbol,
        "subjects": list(first.subjects),
        "exchanges": list(first.exchanges),
        "columns": list(first.columns),
    }
    apart = spacing(feed, first.instrument) or DAY
    things = max(len(first.subjects), 1) * max(len(first.exchanges), 1)
    return Piece(feed.dataset, told, len(together), things * -((first.start - last.end) // apart))


def restored(source: Source, told: Mapping[str, Any], known: Mapping[str, Instrument]) -> tuple[Feed, list[Window]]:
    """The feed and windows of a chunk. Raises KeyError for a contract that is not known any more."""
    feed = source.feeds[int(told["feed"])]
    contract = known[told["symbol"]] if told["symbol"] else None
    start, end = (datetime.fromisoformat(told[name]) for name in ("start", "end"))
    if contract is None:
        batch = {name: tuple(told[name]) for name in ("subjects", "exchanges", "columns")}
        return feed, [replace(Window(start, end), **batch)]
    return feed, list(windows(Stretch(feed, start, end, contract, live=False), known))


def _seconds(source: Source, found: Sequence[tuple[Feed, Piece]]) -> float:
    """How long the tightest budget makes it last, at the share that history has of it."""
    spent: dict[str, float] = defaultdict(float)
    for feed, piece in found:
        for name, cost in _costs(feed, piece):
            spent[name] += cost * piece.requests
    return max(
        (used * source.budgets[name].period.total_seconds() / (source.budgets[name].limit * HISTORY_SHARE))
        for name, used in spent.items()
    )


def _costs(feed: Feed, piece: Piece) -> tuple[tuple[str, float], ...]:
    told = piece.window
    symbol = told["symbol"]
    contract = Instrument(symbol, symbol, "USDT") if symbol else None
    start, end = (datetime.fromisoformat(told[name]) for name in ("start", "end"))
    one = page(feed, contract)
    window = Window(start, min(end, start + one) if one else end, contract)
    batch = {name: tuple(told[name]) for name in ("subjects", "exchanges", "columns")}
    return feed.request(replace(window, **batch)).costs
