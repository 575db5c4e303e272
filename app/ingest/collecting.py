"""Collectors of minutes while the service runs: one a source, begun anew whenever it ends."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from app.ingest.collect import Collector
from app.ingest.engine import Engine
from app.ingest.lasting import keep_going
from app.ingest.line import Clock
from app.ingest.missing import Missing, expected
from app.ingest.saving import Saving
from app.ingest.spec import Source
from app.ingest.ticks.lines import without_ticks
from app.logs import tell_of_death


async def _keep_collecting(engine: Engine, source: Source, assets: int) -> None:
    """Whoever collects: when one ends another takes over what was not stored yet."""
    saving, missing = Saving(engine.db), Missing(expected(source))

    async def collect() -> None:
        await Collector(engine, source, assets, saving, missing).run()

    await keep_going(source.id, collect, engine.db, Clock(engine.web.now, engine.web.sleep))


@asynccontextmanager
async def collecting(engine: Engine, sources: Iterable[Source], assets: int) -> AsyncGenerator[None]:
    """Collect the minutes of these sources until the end, of the `assets` with the most open interest (0: of all)."""
    live = [one for one in map(without_ticks, sources) if one.sockets or one.polls]
    work = {f"collector of {source.id}": _keep_collecting(engine, source, assets) for source in live}
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
