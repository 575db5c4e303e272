"""Bring your own facts: rows of a dataset as JSON, NDJSON, CSV or Parquet."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from starlette.responses import JSONResponse, Response

from app.api.bodies import MIB, spooled
from app.api.deps import DatabaseDep, Slug, WriterDep, lower, writer
from app.api.errors import BadRequest, TooLarge, UnsupportedMedia, Wrong, bad_value
from app.api.writing_docs import MAX_ROWS, writes
from app.db import DATABASE_ERRORS, Database
from app.services import importing, rollup
from app.services.importing import Body, Format, Options
from app.services.keys import Key

SETTLE_SECONDS = 2.0
"""How long after a write the rollups are brought up to it: many writes in a row cost one computation."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Each import at once takes two of the connections for writing, and needs a third now and then."""
    app.state.imports = asyncio.Semaphore(max(1, app.state.settings.write_connections // 3))
    app.state.written = asyncio.Event()
    keeping = asyncio.create_task(_keep_rollups(app))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep_rollups(app: FastAPI) -> None:
    """Bring the rollups up to what was written, soon after it was."""
    while await app.state.written.wait():
        await asyncio.sleep(SETTLE_SECONDS)
        app.state.written.clear()
        try:
            await rollup.refresh(app.state.database)
        except DATABASE_ERRORS as error:
            logger.warning("the rollups were not refreshed after a write: %s", error)


router = APIRouter(dependencies=[Depends(writer)], lifespan=_lifespan)


@dataclass(frozen=True, slots=True)
class Told:
    """The query of a write."""

    columns: list[str]
    values: list[str]
    source: str
    create_assets: bool
    dry_run: bool

    def options(self, dataset: str) -> Options:
        """As the import takes them. Raises BadRequest."""
        with _followed():
            return importing.options(
                dataset,
                columns=[importing.pair("map", word) for word in self.columns],
                values=[importing.pair("set", word) for word in self.values],
                source=self.source,
                create_assets=self.create_assets,
                dry_run=self.dry_run,
                max_rows=MAX_ROWS,
            )


@contextmanager
def _followed() -> Generator[None]:
    """Raises BadRequest for an option that cannot be followed."""
    try:
        yield
    except importing.BadOption as error:
        raise bad_value(error.parameter, error.value, error.reason) from error


Map = Annotated[list[str] | None, Query(description="`column:field`, repeatable: read a column as a field.")]
Set = Annotated[list[str] | None, Query(description="`field:value`, repeatable: a field of every row.")]
Source = Annotated[Slug, Query(description="Who told these rows, where they do not say.")]
Create = Annotated[bool, lower, Query(description="Make assets nobody knows yet, instead of refusing their rows.")]
DryRun = Annotated[bool, lower, Query(description="Only check: nothing is stored.")]


def _told(
    map: Map = None, set: Set = None, source: Source = "import", create_assets: Create = False, dry_run: DryRun = False
) -> Told:
    return Told(map or [], set or [], source, create_assets, dry_run)


ToldDep = Annotated[Told, Depends(_told)]


@router.post("/funding", **writes("funding"))
async def write_funding(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store funding. `rate` is the fraction of one interval; `interval_hours` is inferred where it is absent."""
    return await _write("funding", request, db, told, key)


@router.post("/open-interest", **writes("open-interest"))
async def write_open_interest(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store one-sided open interest, in coins, USD or both."""
    return await _write("open-interest", request, db, told, key)


@router.post("/candles", **writes("candles"))
async def write_candles(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store finished candles of one minute or one hour."""
    return await _write("candles", request, db, told, key)


@router.post("/liquidations", **writes("liquidations"))
async def write_liquidations(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store positions closed by their exchange. `side` is whose position it was, `long` or `short`.

    One told twice is stored once. The minutes they fall in get their sums: see `/perp-data`.
    """
    return await _write("liquidations", request, db, told, key)


@router.post("/long-short", **writes("long-short"))
async def write_long_short(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store accounts long ÷ accounts short (or both shares), each of the minute it was counted in."""
    return await _write("long-short", request, db, told, key)


@router.post("/taker-volume", **writes("taker-volume"))
async def write_taker_volume(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store what takers bought and sold in finished minutes or hours, in coins.

    `buy_volume_base` is that of the candle too and replaces it. A notice says where it does, and where both together
    are more than the candle's `volume_base`.
    """
    return await _write("taker-volume", request, db, told, key)


@router.post("/perp-data", **writes("perp-data"))
async def write_perp_data(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store fields of your own perpspecs, each of the minute `time` is in. What a row does not tell stays as it is."""
    return await _write("perp-data", request, db, told, key)


@router.post("/options", **writes("options"))
async def write_options(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store how options stand at an instant, with their greeks where these are told.

    Expiry, strike and side come from the name. Prices as they are quoted: coins a coin of an inverse option.
    """
    return await _write("options", request, db, told, key)


@router.post("/index", **writes("index"))
async def write_index(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store prices of indexes, and of volatility indexes (fractions), at an instant or as candles."""
    return await _write("index", request, db, told, key)


@router.post("/fundamentals", **writes("fundamentals"))
async def write_fundamentals(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store values of metrics of assets. A metric the catalogue does not have is added to it at once."""
    return await _write("fundamentals", request, db, told, key)


async def _write(dataset: str, request: Request, db: Database, told: Told, key: Key) -> Response:
    options = told.options(dataset)
    async with _received(request) as body, request.app.state.imports:
        kept = request.app.state.settings.kept_days
        options = replace(options, writer=importing.Writer(key.name, "api", _described(body)), kept=kept)
        answer = await _imported(db, dataset, body, options)
    if answer.inserted + answer.updated and not options.dry_run:
        request.app.state.written.set()
    return JSONResponse(answer.document())


def _described(body: Body) -> str:
    """A body as the list of imports names it."""
    return f"{body.format.value}{', gzip' if body.gzipped else ''}: {body.path.stat().st_size} bytes"


async def _imported(db: Database, dataset: str, body: Body, options: Options) -> importing.Answer:
    try:
        with _followed():
            return await importing.import_body(db, dataset, body, options)
    except importing.BrokenBody as error:
        wrong = [Wrong("body", None, str(error))]
        raise BadRequest(f"The body cannot be read: {error}", code="bad_body", errors=wrong) from error
    except importing.TooLarge as error:
        raise TooLarge(f"The body is too large: {error}. Send it in parts") from error


@asynccontextmanager
async def _received(request: Request) -> AsyncGenerator[Body]:
    """The body in a file, as it came; unpacking is left to the reader. Raises UnsupportedMedia, and as `spooled`."""
    try:
        headers = request.headers
        kind, gzipped = importing.format_of(headers.get("content-type", ""), headers.get("content-encoding", ""))
    except importing.Unsupported as error:
        accepted = ", ".join(kind.value for kind in Format)
        raise UnsupportedMedia(str(error), headers={"Accept-Post": accepted, "Accept-Encoding": "gzip"}) from error
    limit = request.app.state.settings.max_body_mb * MIB
    async with spooled(request, limit, "Send it in parts") as path:
        yield Body(path, kind, gzipped, limit)
