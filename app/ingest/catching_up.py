"""Gaps of a source that is asked for the newest hours only: each is ordered as a back-fill, once for each pair."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b

from app.db import Database
from app.ingest.chunks import by_hours, chunked
from app.ingest.spec import Source
from app.services import backfills

Pair = tuple[str, str]
"""Exchange and coin."""


async def asked_before(db: Database, source: Source) -> dict[Pair, datetime]:
    """Until when each pair of exchange and coin was ordered already; what could not be had then is tried again."""
    await backfills.resume_scheduled(db, source.id)
    until: dict[Pair, datetime] = {}
    for pairs, end in await backfills.scheduled(db, source.id):
        for exchange, coin in pairs:
            until[exchange, coin] = max(end, until.get((exchange, coin), end))
    return until


async def catch_up(db: Database, source: Source, gaps: Mapping[datetime, set[Pair]], end: datetime) -> None:
    """Order the hours from each time on, until `end`, of the pairs that lack them."""
    feeds = [(number, feed) for number, feed in enumerate(source.feeds) if feed.scope == "batch" and feed.history]
    pieces = [piece for number, feed in feeds for piece in chunked(number, feed, by_hours(feed, gaps, end))]
    if not pieces:
        return
    pairs = sorted(list(pair) for pair in set[Pair]().union(*gaps.values()))
    told = {"start": min(gaps).isoformat(), "end": end.isoformat()}
    request = {"pairs": pairs, **told}
    asked = {"request": request, "datasets": ["perp_1h"], "assets": [], "exchanges": [], **told}
    digest = blake2b(repr(request).encode(), digest_size=8).hexdigest()
    await backfills.order(db, source.id, asked, pieces, asked_by=backfills.SCHEDULE, key=f"gaps {source.id} {digest}")
