"""Pulling a source that lists the exchanges there are, what trades on each, and how all of it stands now.

list_venues       its exchanges, and the perpetuals of those that are due
pull_snapshots    how every perpetual stands, on the instrument that it is known to be
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from app.ingest.keep import UNKNOWN, Places
from app.ingest.sources import load
from app.ingest.spec import Aim, Bad, Feed, Window
from app.ingest.work import IN_FLIGHT, Job, asked
from app.records import PerpSnapshot, Product, SourceAsset, Venue
from app.services import products, source_assets, store, venues


async def list_venues(job: Job) -> None:
    """The exchanges a source lists now, then the perpetuals of each, as often as their feed says."""
    db, source, now = job.engine.db, job.source.id, job.engine.web.now()
    for feed in (feed for feed in job.feeds() if feed.scope == "market"):
        found = await asked(job, feed, Window(now, now))
        listed = [record for record in found.records if isinstance(record, Venue)] if found else []
        await venues.put_venues(db, source, listed)
        _count(job, len(listed), 0)
    for feed in (feed for feed in job.feeds() if feed.scope == "batch"):
        due = others(await venues.due(db, source, now - feed.every), load(job.engine.pulled))
        await _list_each(job, feed, feed.cut(Aim(now, now, live=True, venues=due)))


def others(known: Iterable[Venue], own: Collection[str]) -> tuple[Venue, ...]:
    """Without the exchanges that are pulled themselves (`own`): what those do not list does not count."""
    return tuple(venue for venue in known if venue.exchange not in own)


async def _list_each(job: Job, feed: Feed, pieces: Sequence[Window]) -> None:
    """A few at a time; how often is for the budgets to say."""
    queue, job.planned = iter(pieces), len(pieces)

    async def worker() -> None:
        for piece in queue:
            if not job.stopped:
                await _list(job, feed, piece)
            job.done += 1
            job.tell()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(IN_FLIGHT, len(pieces))):
            group.create_task(worker())


async def _list(job: Job, feed: Feed, piece: Window) -> None:
    """Keep what is listed on one exchange. One that does not answer stays due, and the next job asks it again."""
    db, source, found = job.engine.db, job.source.id, await asked(job, feed, piece)
    if found is None:
        return
    sold = [record for record in found.records if isinstance(record, Product)]
    coins = [SourceAsset("coin_id", one.coin, one.coin, one.base, one.coin) for one in sold if one.coin]
    await source_assets.put_source_assets(db, source, coins)
    new = await products.put_products(db, source, sold, () if found.bad else piece.exchanges)
    await venues.was_listed(db, source, piece.subjects[0], job.engine.web.now())
    _count(job, len(sold), new)


def _count(job: Job, received: int, new: int) -> None:
    job.keeper.tally.received += received
    job.keeper.tally.written += store.Written(received, new)


async def pull_snapshots(job: Job) -> None:
    """How every perpetual stands at the time of asking, in series of the source's own; an unknown one is refused."""
    now = job.engine.web.now()
    job.planned = len(job.feeds())
    for feed in job.feeds():
        found = await asked(job, feed, Window(now, now))
        told = [record for record in found.records if isinstance(record, PerpSnapshot)] if found else []
        pairs = {(one.exchange, one.symbol) for one in told}
        series = await venues.series_of(job.engine.db, job.source.id, pairs)
        job.keeper.places = Places(series)
        await job.keeper.reject(Bad(one.name, *UNKNOWN) for one in told if one.name not in series)
        await job.keeper.keep(fact for one in told if one.name in series for fact in one.facts)
        await job.keeper.flush()
        job.done += 1
        job.tell()
