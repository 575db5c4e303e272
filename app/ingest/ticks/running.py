"""Whoever collects the ticks of a source: of each currency one process on a database does."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from app.ingest.engine import Engine
from app.ingest.lasting import keep_going
from app.ingest.lead import logged
from app.ingest.line import Clock
from app.ingest.spec import Source
from app.ingest.ticks.collector import Collector
from app.ingest.ticks.noting import Noted
from app.ingest.ticks.saving import Saving
from app.logs import tell_of_death
from app.services import upkeep

TAKE_OVER_SECONDS = 5.0

logger = logging.getLogger(__name__)


async def keep_collecting(engine: Engine, source: Source, currency: str) -> None:
    """Collect the ticks of a currency for ever, whenever no other process does. Raises LookupError: see `socket_of`."""
    name, told = f"{source.id}:{currency}", False
    saving, noted = Saving(engine.db), Noted()
    while True:
        with logged(name):
            async with upkeep.collecting_ticks(engine.db, name) as lost:
                if lost:
                    told = False
                    logger.info("this process collects the ticks of %s", name)
                    await _collect(engine, source, currency, saving, noted, lost)
                elif not told:
                    told = True
                    logger.warning("another process collects the ticks of %s: this one waits until it ends", name)
        await asyncio.sleep(TAKE_OVER_SECONDS)


async def _collect(
    engine: Engine, source: Source, currency: str, saving: Saving, noted: Noted, lost: asyncio.Event
) -> None:
    """Collect until the lock is lost. What waits to be stored and what is missing outlive a collector that ends."""

    async def work() -> None:
        await Collector(engine, source, currency, saving, noted).run()

    clock = Clock(engine.web.now, engine.web.sleep)
    collect = asyncio.create_task(keep_going(f"{source.id}:{currency}", work, engine.db, clock))
    until = asyncio.create_task(lost.wait())
    try:
        await asyncio.wait([collect, until], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (collect, until):
            task.cancel()
        await asyncio.wait([collect, until])


@asynccontextmanager
async def collecting_ticks(engine: Engine, source: Source, currencies: Iterable[str]) -> AsyncGenerator[None]:
    """Collect the ticks of these currencies of a source until the end; what has come by then is written."""
    work = {f"ticks of {source.id}:{one}": keep_collecting(engine, source, one) for one in currencies}
    tasks = [asyncio.create_task(one, name=name) for name, one in work.items()]
    for task in tasks:
        task.add_done_callback(tell_of_death)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
