"""Ordering history: the plan of what somebody wants of a source."""

from collections.abc import Mapping
from typing import Any

from app.ingest.chunks import Wish, datasets_of, plan
from app.ingest.engine import Engine
from app.ingest.jobs import run
from app.ingest.runner import why_disabled
from app.ingest.spec import Source
from app.ingest.work import Order
from app.services import log
from app.services.backfills import NothingToAsk, Plan

WISHED = ("start", "end", "datasets", "entities", "exchanges")


async def plan_order(engine: Engine, sources: Mapping[str, Source], wish: Mapping[str, Any]) -> Plan:
    """The plan of a wish in words: `source`, `datasets`, `entities`, `exchanges`, `start`, `end`.

    What the source lists is asked for first where that is not known. Raises NothingToAsk.
    """
    source = sources[wish["source"]]
    if reason := why_disabled(source):
        raise NothingToAsk(f"{source.id} is disabled: {reason}")
    asked = Wish(source, **{name: wish[name] for name in WISHED})
    datasets_of(asked)  # before anybody is asked in vain
    if source.feed("instruments") and not await log.last_success(engine.db, source.id, "instruments"):
        await run(engine, source, "instruments", Order())
    return await plan(engine.db, asked)
