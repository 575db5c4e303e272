"""Pulling sources that answer for many things at once: what they list first, then batch by batch.

pull_fundamentals    a source about entities: its lists (which are values too), then what is asked by name
pull_hours           a source about perpetuals of many exchanges: the newest hours; what is older is a back-fill
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from app.ingest import places
from app.ingest.catching_up import Pair, asked_before, catch_up
from app.ingest.chunks import aim_at
from app.ingest.pages import Fetched
from app.ingest.plan import Span
from app.ingest.runner import key_of
from app.ingest.spec import Aim, Feed, Window
from app.ingest.work import IN_FLIGHT, Job, asked
from app.records import Metric, Record, SourceAsset
from app.services import metrics, products, source_assets, store
from app.services.products import Listed

HOUR = timedelta(hours=1)
NEWEST = 6 * HOUR
"""What is asked of at once: a longer gap is filled by a back-fill, the essential columns of it first."""
LATE = 3 * HOUR
"""How long an hour that did not come is asked for again."""


async def pull_fundamentals(job: Job) -> None:
    """Everything a source tells of entities now."""
    db, source = job.engine.db, job.source.id
    feeds = [feed for feed in job.feeds() if not feed.needs_key or key_of(job.source)]
    await metrics.put_catalogue(db, source, job.source.metrics)
    now = job.engine.web.now()
    values = await _lists(job, [feed for feed in feeds if feed.scope == "market"], Window(now, now))
    job.keeper.places = await places.of_entities(db, source)
    await job.keeper.keep(values)
    await job.keeper.flush()
    pieces = await _live_pieces(job, feeds, now)
    job.planned += len(pieces)
    await _work_off(job, pieces)


async def _lists(job: Job, feeds: Sequence[Feed], window: Window) -> list[Record]:
    """Ask all lists at once; keep what is listed, and return the values that came with it."""
    job.planned += len(feeds)
    answers = await asyncio.gather(*(_listed(job, feed, window) for feed in feeds))
    records = [record for answer in answers for record in answer.records]
    listed = [record for record in records if isinstance(record, SourceAsset)]
    named = [record for record in records if isinstance(record, Metric)]
    await source_assets.put_source_assets(job.engine.db, job.source.id, listed)
    await metrics.put_catalogue(job.engine.db, job.source.id, named)
    job.keeper.tally.received += len(listed) + len(named)
    job.keeper.tally.written += store.Written(len(listed) + len(named))
    return [record for record in records if not isinstance(record, SourceAsset | Metric)]


async def _listed(job: Job, feed: Feed, window: Window) -> Fetched:
    found = await asked(job, feed, window)
    job.done += 1
    job.tell()
    return found or Fetched()


async def _live_pieces(job: Job, feeds: Collection[Feed], now: datetime) -> list[tuple[Feed, Window]]:
    aim = await aim_at(job.engine.db, job.source, now, now, live=True)
    return [(feed, piece) for feed in feeds for piece in feed.cut(aim)]


async def pull_hours(job: Job) -> None:
    """The newest hours of every perpetual; the gap before them, where there is one, is left to a back-fill."""
    db, source, now = job.engine.db, job.source.id, _full_hour(job.engine.web.now())
    await metrics.put_catalogue(db, source, job.source.metrics)
    known = await products.listed(db, source)
    if not known:
        job.troubles["no products are known yet"] += 1
        return
    job.keeper.places = await places.of_hours(db, source, known)
    most = job.engine.most_traded.get(source)
    before = await asked_before(db, job.source)
    ranked = most is None or any(one.open_interest for one in known)
    wanted = most_traded(known, most, whole=False) if ranked else list[Listed]()
    gaps = _gaps(wanted, before, now, job.engine.history_days)
    await catch_up(db, job.source, gaps, now - NEWEST)
    chosen = most_traded(known, most, whole=now.hour == 0)
    newest = _newest(chosen, await products.missing(db, source, now - NEWEST, now), now, job.asked)
    ways = (_pieces(job.feeds(), way, now) for way in (newest, _together(newest)))
    pieces = min(ways, key=len)
    job.planned = len(pieces)
    if await _work_off(job, pieces):
        job.asked.update({_name(one): Span(now - NEWEST, now) for one in chosen})


def most_traded(known: Sequence[Listed], most: int | None, *, whole: bool) -> Sequence[Listed]:
    """The coins with the most open interest over all exchanges, on each.

    `whole`: all, as once a day, so that the order is of today; and as long as no open interest is known.
    """
    worth: dict[str, float] = defaultdict(float)
    for one in known:
        worth[one.coin] += one.open_interest or 0.0
    if most is None or whole or not any(worth.values()):
        return known
    best = sorted(worth, key=lambda coin: (-worth[coin], coin))[:most]
    return [one for one in known if one.coin in best]


def _newest(
    known: Iterable[Listed], holes: Mapping[tuple[str, str], datetime], now: datetime, answered: Mapping[str, Span]
) -> dict[datetime, set[Pair]]:
    """Exchange and coin by the first of the newest hours that is not there; what was answered is soon given up."""
    missing: dict[datetime, set[Pair]] = defaultdict(set)
    for one in known:
        before = answered.get(_name(one))
        bounds = [holes.get((one.exchange, one.symbol), now), one.begins and _full_hour(one.begins)]
        start = max(bound for bound in (*bounds, before and min(before.last, now - LATE)) if bound)
        if start < now:
            missing[start].add((one.exchange, one.coin))
    return missing


def _together(newest: Mapping[datetime, set[Pair]]) -> dict[datetime, set[Pair]]:
    """All pairs from the first hour on that any of them lacks: cells are spent to save requests."""
    return {min(newest): set[Pair]().union(*newest.values())} if newest else {}


def _pieces(feeds: Iterable[Feed], missing: Mapping[datetime, set[Pair]], end: datetime) -> list[tuple[Feed, Window]]:
    """The requests for what is missing, the newest first."""
    return [
        (feed, piece)
        for start, pairs in sorted(missing.items(), reverse=True)
        for feed in feeds
        for piece in feed.cut(Aim(start, end, live=True, pairs=frozenset(pairs), keyed=True))
    ]


def _gaps(
    known: Iterable[Listed], asked: Mapping[Pair, datetime], now: datetime, history_days: float
) -> dict[datetime, set[Pair]]:
    """Exchange and coin by the first hour that is not there, where that is longer ago than the newest hours.

    `asked`: until when each was ordered before, whatever came of it.
    """
    first = (now - timedelta(days=history_days)).replace(hour=0)
    missing: dict[datetime, set[Pair]] = defaultdict(set)
    for one in known:
        bounds = (first, one.last and one.last + HOUR, one.begins and _full_hour(one.begins))
        start = max(bound for bound in (*bounds, asked.get((one.exchange, one.coin))) if bound)
        if start < now - NEWEST:
            missing[start].add((one.exchange, one.coin))
    return missing


def _name(one: Listed) -> str:
    return f"{one.exchange}:{one.symbol}"


def _full_hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


async def _work_off(job: Job, pieces: Sequence[tuple[Feed, Window]]) -> bool:
    """A few at a time, in order; how often is for the budgets to say. True when all were answered."""
    queue, unanswered = iter(pieces), 0

    async def worker() -> None:
        nonlocal unanswered
        for feed, piece in queue:
            found = None if job.stopped else await asked(job, feed, piece)
            unanswered += found is None
            await job.keeper.keep(found.records if found else ())
            job.done += 1
            job.tell()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(IN_FLIGHT, len(pieces))):
            group.create_task(worker())
    await job.keeper.flush()
    return not unanswered
