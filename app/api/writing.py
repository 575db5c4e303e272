"""Bring your own facts: rows of a dataset as JSON, NDJSON, CSV or Parquet."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from app.api.bodies import MIB, spooled
from app.api.deps import DatabaseDep, Slug, WriterDep, lower, writer
from app.api.errors import BadRequest, TooLarge, UnsupportedMedia, Wrong, bad_value
from app.api.schemas import Out, problems
from app.db import DATABASE_ERRORS, Database
from app.services import importing, rollup
from app.services.importing import Body, Format, Options
from app.services.keys import Key

MAX_ROWS = 1_000_000
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


class RejectOut(Out):
    """A row that was refused."""

    row: int = Field(description="Which: data rows of the body, from 0.")
    code: str = Field(description="Stable name of the rule it breaks.")
    reason: str = Field(description="What was seen, for people.")


class ImportAnswer(Out):
    """What became of the rows: received = inserted + updated + unchanged + rejected_count."""

    import_id: int | None = Field(description="Its number among `/admin/imports`, to take it back; null: a dry run.")
    received: int = Field(description="Rows in the body.")
    inserted: int = Field(description="New facts.")
    updated: int = Field(description="Facts that say something else now; what they said before is kept.")
    unchanged: int = Field(description="Rows that were there already, or are told again by a later row of the body.")
    rejected_count: int = Field(description="Rows that were refused. The good ones are stored all the same.")
    rejected: list[RejectOut] = Field(description="The first 1,000 of them.")
    notices: list[str] = Field(description="Columns ignored, and what was made.")


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
        try:
            return importing.options(
                dataset,
                columns=[importing.pair("map", word) for word in self.columns],
                values=[importing.pair("set", word) for word in self.values],
                source=self.source,
                create_assets=self.create_assets,
                dry_run=self.dry_run,
                max_rows=MAX_ROWS,
            )
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

JSON_TYPES: Mapping[str, Any] = {
    "time": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    "number": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
    "word": {"type": ["string", "null"]},
}
MEANT: Mapping[Format, str] = {
    Format.NDJSON: "One object a line.",
    Format.CSV: "A header line and comma-separated values, UTF-8.",
    Format.PARQUET: "Columns by name.",
    Format.ARROW: "Columns by name; stream or file.",
}


def _row_schema(dataset: str) -> dict[str, Any]:
    told = importing.DATASETS[dataset]
    fields = told.fields.items()
    return {
        "type": "object",
        "required": list(told.needed),
        "properties": {name: {"description": field.about, **JSON_TYPES[field.kind.value]} for name, field in fields},
    }


def _body_schema(dataset: str) -> dict[str, Any]:
    rows = {"type": "array", "items": _row_schema(dataset), "description": "Rows; other fields are ignored."}
    answer = {"type": "object", "required": ["data"], "properties": {"data": rows}, "description": "As `GET` answers."}
    text = {kind.value: {"schema": {"type": "string", "description": about}} for kind, about in MEANT.items()}
    return {
        "required": True,
        "description": f"Rows of {dataset}, at most {MAX_ROWS:,}; `Content-Encoding: gzip` if wanted.",
        "content": {Format.JSON.value: {"schema": {"anyOf": [rows, answer]}}, **text},
    }


def _writes(dataset: str) -> dict[str, Any]:
    """Arguments of the decorator of a route that writes a dataset."""
    return {
        "tags": ["Writing"],
        "response_model": ImportAnswer,
        "responses": problems(400, 401, 403, 408, 413, 415),
        "openapi_extra": {"requestBody": _body_schema(dataset)},
    }


@router.post("/funding", **_writes("funding"))
async def write_funding(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store funding. `rate` is the fraction of one interval; `interval_hours` is inferred where it is absent."""
    return await _write("funding", request, db, told, key)


@router.post("/open-interest", **_writes("open-interest"))
async def write_open_interest(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store one-sided open interest, in coins, USD or both."""
    return await _write("open-interest", request, db, told, key)


@router.post("/candles", **_writes("candles"))
async def write_candles(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store finished candles of one minute or one hour."""
    return await _write("candles", request, db, told, key)


@router.post("/fundamentals", **_writes("fundamentals"))
async def write_fundamentals(request: Request, db: DatabaseDep, told: ToldDep, key: WriterDep) -> Response:
    """Store values of metrics of assets. A metric the catalogue does not have is added to it at once."""
    return await _write("fundamentals", request, db, told, key)


async def _write(dataset: str, request: Request, db: Database, told: Told, key: Key) -> Response:
    options = told.options(dataset)
    async with _received(request) as body, request.app.state.imports:
        options = replace(options, writer=importing.Writer(key.name, "api", _described(body)))
        answer = await _imported(db, dataset, body, options)
    if answer.inserted + answer.updated and not options.dry_run:
        request.app.state.written.set()
    return JSONResponse(answer.document())


def _described(body: Body) -> str:
    """A body as the list of imports names it."""
    return f"{body.format.value}{', gzip' if body.gzipped else ''}: {body.path.stat().st_size} bytes"


async def _imported(db: Database, dataset: str, body: Body, options: Options) -> importing.Answer:
    try:
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
