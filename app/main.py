"""Wiring: the application with its database, its routes and, where wanted, its schedule."""

import gc
import logging
from asyncio import Semaphore
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from app import dashboard
from app.api import (
    admin,
    backfills,
    candles,
    collectors,
    contracts,
    deps,
    disagreements,
    docs,
    entities,
    fundamentals,
    funding,
    gaps,
    handlers,
    health,
    imports,
    indexes,
    liquidations,
    long_short,
    lookup,
    open_interest,
    openapi,
    options,
    perp_data,
    perpspecs,
    predictions,
    quality,
    reference,
    rolling,
    running,
    source_states,
    spreads,
    stream,
    taker_volume,
    wicks,
    writing,
)
from app.api.forms import MEDIA
from app.api.http import Heads, Requests
from app.api.metrics import Metrics
from app.api.remembered import Memory
from app.db import Database, connected, migrate
from app.ingest import backfill, describing, schedule, sources
from app.ingest.collecting import collecting
from app.ingest.engine import Engine, Keeping, started
from app.ingest.orders import plan_order
from app.ingest.runner import why_disabled
from app.ingest.spec import Source
from app.ingest.ticks.lines import currencies
from app.ingest.ticks.running import collecting_ticks
from app.services import live
from app.services import reference as reference_data
from app.services.metrics import put_catalogue
from app.services.seed import put_seed
from app.settings import Settings, words_of

logger = logging.getLogger(__name__)

READING = (
    funding.router,
    predictions.router,
    lookup.router,
    spreads.router,
    open_interest.router,
    candles.router,
    wicks.router,
    long_short.router,
    taker_volume.router,
    liquidations.router,
    contracts.router,
    options.router,
    indexes.router,
    perp_data.router,
    rolling.router,
    fundamentals.router,
    entities.router,
    reference.router,
    perpspecs.router,
    quality.router,
    source_states.router,
    disagreements.router,
    gaps.router,
    stream.router,
)
"""Routers that anybody may read, unless reading needs a key."""

GUARDED = (
    admin.router,
    running.router,
    collectors.router,
    backfills.router,
    entities.editing,
    perpspecs.editing,
    imports.router,
    writing.router,
)
"""Routers that see to keys themselves."""

PACKED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, MEDIA["parquet"])


def create_app(settings: Settings, database: Database | None = None) -> FastAPI:
    """The application. With `database` it uses that one, migrated and seeded, and leaves it open at the end."""
    metrics = Metrics()
    app = FastAPI(
        title="perpstore",
        version=version("perpstore"),
        summary="Self-hosted crypto-derivatives market data.",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_lifespan(settings, database),
        generate_unique_id_function=openapi.operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings, app.state.metrics, app.state.memory = settings, metrics, Memory()
    app.state.hub = live.Hub()
    _install(app, metrics)
    return app


def _install(app: FastAPI, metrics: Metrics) -> None:
    handlers.install(app)
    asked_well = Depends(deps.known_parameters)
    for router in READING:
        app.include_router(router, dependencies=[Depends(deps.reader), asked_well])
    for router in (*GUARDED, health.router):
        app.include_router(router, dependencies=[asked_well])
    docs.install(app)
    dashboard.install(app)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4, exclude_content_types=PACKED)
    app.add_middleware(Requests, observe=metrics.observe)
    app.add_middleware(Heads)


def _lifespan(settings: Settings, database: Database | None) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            app.state.database = database or await _opened(settings, stack)
            reads = app.state.database.reads.get_max_size()
            app.state.streams = Semaphore(max(1, reads - 2))
            await stack.enter_async_context(live.running(app.state.hub, app.state.database))
            await _schedule(app, settings, stack)
            _settle()
            yield

    return lifespan


async def _opened(settings: Settings, stack: AsyncExitStack) -> Database:
    """The database of the settings, or the embedded one; migrated and seeded."""
    url = settings.database_url.get_secret_value() if settings.database_url else _embedded(settings, stack)
    replica = settings.read_database_url.get_secret_value() if settings.read_database_url else None
    sizes = {"reads": settings.read_connections, "writes": settings.write_connections}
    db = await stack.enter_async_context(connected(url, read_url=replica, **sizes))
    await migrate(db)
    await put_seed(db)
    await reference_data.prefer(db, settings.source_preference)
    return db


def _embedded(settings: Settings, stack: AsyncExitStack) -> str:
    from app import embedded

    return stack.enter_context(embedded.running(settings.data_dir, take_over=True)).dsn


async def _schedule(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    """Tell the routes which sources and jobs there are; where the settings say so, pull."""
    everything = sources.load(words=words_of)
    pulled = {name: source for name, source in sources.load(settings.sources, words_of).items() if _enabled(source)}
    planned = schedule.planned(pulled.values())
    app.state.sources = [describing.source(source, settings) for source in everything.values()]
    app.state.jobs = lambda: describing.jobs(planned)
    app.state.collected = describing.collected(pulled.values()) if settings.streams else []
    app.state.scheduled = settings.scheduler
    db = app.state.database
    for source in everything.values():
        await reference_data.put_source(db, source.id, on_request=source.on_request)
        await put_catalogue(db, source.id, source.metrics)
    keeping = Keeping(settings.kept_days, settings.archive_dir)
    engine = await stack.enter_async_context(
        started(db, settings.history_days, settings.most_traded, keeping, settings.sources)
    )
    app.state.plan_backfill = partial(plan_order, engine, everything)
    if settings.scheduler:
        collect = partial(_collecting, engine, pulled.values(), settings.minute_assets)
        beside = collect if settings.streams else nullcontext
        await stack.enter_async_context(schedule.running(engine, pulled.values(), beside))
    if settings.backfills:
        await stack.enter_async_context(backfill.working(engine, pulled))


@asynccontextmanager
async def _collecting(engine: Engine, pulled: Iterable[Source], assets: int) -> AsyncGenerator[None]:
    """Collect by sockets: minutes, and the ticks of every currency there are any of."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(collecting(engine, pulled, assets))
        for source in pulled:
            await stack.enter_async_context(collecting_ticks(engine, source, currencies(source)))
        yield


def _enabled(source: Source) -> bool:
    """Whether a source can be asked at all; said once where it cannot."""
    reason = why_disabled(source)
    if reason:
        logger.warning("%s is disabled: %s", source.id, reason)
    return reason is None


def _settle() -> None:
    """What is there after the start stays: the collector need not look at it again. Measured: p99 a quarter."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
