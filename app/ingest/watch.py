"""Looking for what is missing: how late each source may be, and from when on its history can be had."""

from collections.abc import Collection
from datetime import datetime, timedelta

from app.ingest.engine import Engine
from app.ingest.spec import Feed, Source
from app.services import holes
from app.services.holes import Pulled

LATE_PULLS = 2
"""A source is late that has told nothing for so many of its pulls: one of all its contracts takes a while."""


async def watch(engine: Engine, sources: Collection[Source], recent: timedelta | None) -> None:
    """Bring the ledger up to what is missing of the `recent` time, None: of all. Raises what the database raises."""
    now = engine.web.now()
    pulled = [one for source in sources if (one := pulled_of(source, now, engine.history_days))]
    await holes.detect(engine.db, pulled, now, None if recent is None else now - recent)
    await holes.note_before(engine.db, pulled, now - timedelta(days=engine.history_days))


def pulled_of(source: Source, now: datetime, history_days: float) -> Pulled | None:
    """What is to be expected of a source now; None of one that tells no minutes."""
    feed = source.feed("candles_1m")
    if feed is None:
        return None
    return Pulled(source.id, now - LATE_PULLS * feed.every, _keeps(feed, now, history_days))


def _keeps(feed: Feed, now: datetime, history_days: float) -> datetime | None:
    """From when on its history is wanted and can be had."""
    wanted = timedelta(days=history_days)
    return now - min(feed.keeps or wanted, wanted) if feed.history else None
