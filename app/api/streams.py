"""All rows of a statement as CSV, NDJSON, Parquet or Arrow: read by a server-side cursor, never all in memory."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import asyncpg
from anyio import CancelScope
from asyncpg.pool import PoolConnectionProxy
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api import shape
from app.api.errors import Throttled
from app.api.forms import media_type
from app.api.paging import Common
from app.api.shape import Shape
from app.api.writers import Batch, Columnar, Csv, Lines, Writer, schema
from app.db import Database
from app.services.generated import EXCHANGES
from app.services.queries import Query

ROWS = 5_000
HEADER_LIMIT = 6_000
META_HEADER = "X-Perpstore-Meta"

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Bare:
    """How rows are to be streamed; `document`: the facts about them, with one more notice and what is generated."""

    common: Common
    shape: Shape
    document: Callable[[str | None, Sequence[str]], Mapping[str, object]]
    why_empty: Callable[[], Awaitable[str | None]] | None


def _writer(bare: Bare, facts: bytes) -> Writer:
    match bare.common.form:
        case "csv":
            return Csv(name for name, _ in bare.shape.columns)
        case "parquet" | "arrow" as form:
            return Columnar(schema(bare.shape, facts), parquet=form == "parquet")
        case _:
            return Lines()


def _statement(query: Query, bare: Bare) -> str:
    count = len(query.arguments)
    if bare.common.form == "ndjson":
        return shape.ndjson(query.text, count, bare.shape)
    if bare.common.form == "csv":
        return shape.everything(query.text, count, replace(bare.shape, nested="text"))
    times = "ms" if bare.common.time_format == "ms" else "us"
    return shape.everything(query.text, count, replace(bare.shape, times=times, nested="typed"))


@asynccontextmanager
async def _reading(db: Database) -> AsyncGenerator[Connection]:
    """A connection that reads one snapshot, let go in good order even where the caller has hung up meanwhile."""
    connection = await db.reads.acquire()
    try:
        transaction = connection.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        try:
            yield connection
        finally:
            with CancelScope(shield=True), suppress(asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                await transaction.rollback()
    finally:
        with CancelScope(shield=True):
            await db.reads.release(connection)


async def _batches(connection: Connection, text: str, arguments: Sequence[object]) -> AsyncGenerator[Batch]:
    cursor = await connection.cursor(text, *arguments)
    while batch := await cursor.fetch(ROWS):
        yield batch


class Streamed(StreamingResponse):
    """A stream that lets go of its connection however it ends."""

    def __init__(self, parts: AsyncGenerator[bytes], headers: Mapping[str, str], media: str) -> None:
        super().__init__(parts, headers=headers, media_type=media)
        self.parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.parts):
            await super().__call__(scope, receive, send)


async def stream(db: Database, query: Query, bare: Bare) -> StreamingResponse:
    """The answer, begun only when its first rows are there: what fails before is told as a problem."""
    request = bare.common.request
    places = request.app.state.streams
    if places.locked():
        raise Throttled("Too many exports at once", retry_after=5)
    limit = bare.common.limit if "limit" in request.query_params else None
    parts = _parts(db, Query(_statement(query, bare), (*query.arguments, limit)), bare, places)
    facts = await anext(parts)
    headers = {META_HEADER: facts.decode(), "Cache-Control": "no-cache", "Vary": "Accept"}
    return Streamed(parts, headers, media_type(bare.common.form))


async def _parts(db: Database, query: Query, bare: Bare, places: Any) -> AsyncGenerator[bytes]:
    """First the facts, for the headers; then the body."""
    async with places, _reading(db) as connection:
        generated = await connection.fetchval(f"select {EXCHANGES}")
        async with aclosing(_batches(connection, query.text, query.arguments)) as batches:
            first: Batch = await anext(batches, None) or ()  # a tuple as the default breaks CPython 3.11
            facts = await _facts(bare, generated, empty=not first)
            yield _header(facts)
            writer = _writer(bare, json.dumps(facts).encode())
            yield writer.write(first)
            async for batch in batches:
                yield writer.write(batch)
            yield writer.end()


async def _facts(bare: Bare, generated: Sequence[str], *, empty: bool) -> Mapping[str, object]:
    reason = await bare.why_empty() if empty and bare.why_empty else None
    state: Mapping[str, object] = bare.common.request.scope.get("state", {})
    return {**bare.document(reason, generated), "request_id": state.get("request_id")}


def _header(facts: Mapping[str, object]) -> bytes:
    """Compact JSON in ASCII; notices are dropped where it would be too long for a header."""
    text = json.dumps(facts, separators=(",", ":"))
    return (text if len(text) <= HEADER_LIMIT else json.dumps({**facts, "notices": ["left out: too long"]})).encode()
