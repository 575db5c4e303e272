"""What whoever leads does beside the jobs of sources: rollups, gaps, retention, indexes."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from app.ingest.engine import Engine
from app.ingest.repair import repair
from app.ingest.spec import Source
from app.ingest.watch import watch
from app.services import compression, retention, rollup, tick_rollup, tidy

Chore = tuple[str, timedelta, Callable[[], Awaitable[Any]]]
"""Its name, how often, and what is done."""

HOUSEKEEPING_EVERY = timedelta(hours=1)
REPAIR_EVERY = timedelta(seconds=15)
ROLLUPS: Mapping[timedelta, timedelta | None] = {
    timedelta(minutes=1): timedelta(days=2),
    timedelta(hours=1): None,
}
"""How often the rollup is brought up to now where it is no further behind than that; None: wherever."""
TICKS_EVERY = timedelta(minutes=5)
WATCHES: Mapping[timedelta, timedelta | None] = {
    timedelta(minutes=3): timedelta(hours=1),
    timedelta(hours=1): timedelta(days=2),
    timedelta(days=1): None,
}
"""How often to look for what is missing, and how far back; None: in all there is."""


def chores(engine: Engine, sources: Collection[Source]) -> Iterator[Chore]:
    """All of them. Each raises what the database raises."""
    for every, limit in ROLLUPS.items():
        yield f"rollup:{limit or 'all'}", every, partial(rollup.refresh, engine.db, limit=limit)
    yield "rollup:ticks", TICKS_EVERY, partial(_roll_up_ticks, engine)
    for every, recent in WATCHES.items():
        yield f"gaps:{recent or 'all'}", every, partial(watch, engine, sources, recent)
    yield "repair", REPAIR_EVERY, partial(repair, engine, sources)
    for name, work in housekeeping(engine).items():
        yield name, HOUSEKEEPING_EVERY, work


def housekeeping(engine: Engine) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    """What is done of old rows, by name; each by itself, so that where one fails the others are done."""
    return {
        "retention": partial(_drop_old, engine),
        "compression": partial(compression.ensure, engine.db),
        "tidy": partial(_tidy, engine),
    }


async def _roll_up_ticks(engine: Engine) -> None:
    await tick_rollup.refresh(engine.db, datetime.now(UTC))


async def _drop_old(engine: Engine) -> None:
    await retention.apply(engine.db, engine.keeping.days, datetime.now(UTC), engine.keeping.archive)


async def _tidy(engine: Engine) -> None:
    await tidy.finished_days(engine.db, datetime.now(UTC))
