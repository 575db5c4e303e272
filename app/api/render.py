"""A statement's rows as an answer: one page of JSON the database wrote, or a stream of all of them."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, cast

import asyncpg
from fastapi import Request
from starlette.responses import Response

from app.api import shape
from app.api.errors import bad_value
from app.api.forms import media_type
from app.api.paging import Common, TimeFormat, next_url, read_key, write_cursor
from app.api.schemas import Rows, columns, units
from app.api.shape import Kind, Shape
from app.api.streams import Bare, stream
from app.api.times import EARLIEST, Window, milliseconds, stamp
from app.db import Database
from app.services.queries import Query

MICROSECOND = timedelta(microseconds=1)
GENERATED = "this store holds generated data ({}): `perpstore demo --remove` takes it out"
WhyEmpty = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Meta:
    """What has to be known to read the rows: see `schemas.MetaOut`."""

    window: Window | None
    units: Mapping[str, str]
    per: str | None
    kind: str | None
    contributors: tuple[str, ...] | None
    notices: tuple[str, ...]


def meta(
    window: Window | None = None,
    *,
    units: Mapping[str, str] | None = None,
    per: str | None = None,
    kind: str | None = None,
    contributors: Sequence[str] | None = None,
    notices: Sequence[str] = (),
) -> Meta:
    """The facts of an answer. Units of the row model are added by `render`; `units` are those the question decides."""
    told = (*(window.notices if window else ()), *notices)
    joined = None if contributors is None else tuple(contributors)
    return Meta(window, units or {}, per, kind, joined, tuple(dict.fromkeys(told)))


def _document(found: Meta, row: Rows, time_format: TimeFormat, generated: Sequence[str]) -> dict[str, object]:
    """The envelope's `meta`, but for the request's id; `generated`: the exchanges the store holds that do not exist."""
    write = milliseconds if time_format == "ms" else stamp
    window = found.window
    asked = window and {
        "start": None if window.at else write(window.start),
        "end": None if window.at else write(window.end),
        "at": write(window.at),
        "known_at": None if window.pinned else write(window.known_at),
    }
    return {
        "window": asked,
        "units": units(row, **found.units),
        "per": found.per,
        "kind": found.kind,
        "contributors": found.contributors,
        "generated": generated,
        "notices": (*found.notices, GENERATED.format(", ".join(generated))) if generated else found.notices,
    }


def _fields(row: Rows) -> tuple[tuple[str, Kind], ...]:
    return tuple((column.name, column.kind) for column in columns(row))


async def render(
    db: Database,
    query: Query,
    row: Rows,
    common: Common,
    found: Meta,
    *,
    keys: tuple[str, ...] | None = None,
    why_empty: WhyEmpty | None = None,
) -> Response:
    """The rows of `query` as the caller wants them.

    `query` gives a column for every field of `row`, under its name. `keys` (default `row.keys`) order rows and name
    each once; of them only text may be null. `why_empty` is asked for a notice where there are no rows at all.
    """
    wanted = Shape(_fields(row), keys or row.keys, common.order == "desc", common.time_format)
    if common.form in ("json", "columns"):
        return await _page(db, query, wanted, row, common, found, why_empty)
    if common.cursor is not None:
        raise bad_value("cursor", None, "pages are of JSON only; other forms hold the whole window", code="bad_cursor")

    def document(more: str | None, generated: Sequence[str]) -> Mapping[str, object]:
        return _document(_noting(found, more), row, common.time_format, generated)

    return await stream(db, query, Bare(common, wanted, document, why_empty))


async def render_known(
    db: Database, rows: Sequence[Mapping[str, Any]], row: Rows, common: Common, found: Meta
) -> Response:
    """The same for rows that are not in the database."""
    return await render(db, Query(shape.known(_fields(row)), (json.dumps(rows, default=_plain),)), row, common, found)


def _plain(value: object) -> object:
    return stamp(value) if hasattr(value, "astimezone") else str(value)  # type: ignore[arg-type]


def _noting(found: Meta, *notices: str | None) -> Meta:
    return replace(found, notices=(*found.notices, *(notice for notice in notices if notice)))


def narrowed(query: Query, wanted: Shape, after: tuple[object, ...] | None) -> tuple[object, ...]:
    """The arguments of a statement that has to begin (or, newest first, end) where the page before ended."""
    arguments = list(query.arguments)
    place = query.end if wanted.descending else query.start
    if after is not None and place is not None and wanted.key_kinds[0] == "time":
        arguments[place] = after[0] + MICROSECOND if wanted.descending else after[0]  # type: ignore[operator]
    return tuple(arguments)


async def _page(
    db: Database, query: Query, wanted: Shape, row: Rows, common: Common, found: Meta, why_empty: WhyEmpty | None
) -> Response:
    after = read_key(common, wanted.key_kinds)
    text = shape.page(
        query.text, len(query.arguments), wanted, arrays=common.form == "columns", after=after is not None
    )
    one = await _filled(db, text, query, wanted, common.limit, after)
    if why_empty is not None and after is None and _is_empty(one["data"]):
        found = _noting(found, await why_empty())
    document = _document(found, row, common.time_format, one["generated"])
    return answer(common.request, one["data"], document, _next(common, found, one))


async def _filled(
    db: Database, text: str, query: Query, wanted: Shape, limit: int, after: tuple[object, ...] | None
) -> asyncpg.Record:
    """A page; on a grid of as many instants as rows may fill it, then of four times as many until they do."""
    arguments, instants = narrowed(query, wanted, after), limit // query.rows + 1
    while True:
        near, whole = _reaching(query, arguments, instants, descending=wanted.descending)
        one = await db.reads.fetchrow(text, *near, limit, *(after or ()))
        assert one is not None  # noqa: S101 - an aggregate is always one row
        if whole or one["more"]:
            return one
        instants *= 4


def _reaching(
    query: Query, arguments: tuple[object, ...], instants: int, *, descending: bool
) -> tuple[tuple[object, ...], bool]:
    """The arguments with a grid of so many steps at the most from where the page begins; whether that is all of it."""
    if query.step is None or query.start is None or query.end is None:
        return arguments, True
    first, last = cast("datetime", arguments[query.start]), cast("datetime", arguments[query.end])
    there = (last - first) // query.step
    near = list(arguments)
    if descending:
        near[query.start] = first + max(0, there - instants) * query.step
    else:
        near[query.end] = min(last, first + instants * query.step)
    return tuple(near), there <= instants


def _is_empty(data: str) -> bool:
    return data == "[]" or data.endswith(": []}") or data.endswith(":[]}")


def _next(common: Common, found: Meta, one: asyncpg.Record) -> dict[str, str | None]:
    if not one["more"]:
        return {"next_cursor": None, "next_url": None}
    start, end = (found.window.start, found.window.end) if found.window else (EARLIEST, EARLIEST)
    cursor = write_cursor(common, start, end, tuple(one)[4:], one["made"])
    return {"next_cursor": cursor, "next_url": next_url(common, cursor)}


def request_id(request: Request) -> str:
    """Id of a request, the caller's own where it sent one."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def answer(request: Request, data: str, facts: Mapping[str, object], page: Mapping[str, object]) -> Response:
    """The envelope around JSON text, with a validator: 304 where the caller has these very rows already."""
    seen = _json({**facts, "window": None, "page": page["next_cursor"]})
    etag = f'W/"{blake2b(data.encode() + seen, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept"}
    if _has(request, etag):
        return Response(status_code=304, headers=headers)
    return _envelope(request, data.encode(), facts, page, headers)


def whole(
    request: Request, data: bytes, row: Rows, found: Meta, time_format: TimeFormat, generated: Sequence[str]
) -> Response:
    """The answer to a question in a body: all of `data`, JSON of one array a field of `row`."""
    page = {"next_cursor": None, "next_url": None}
    return _envelope(request, data, _document(found, row, time_format, generated), page, {"Cache-Control": "no-store"})


def _envelope(
    request: Request, data: bytes, facts: Mapping[str, object], page: Mapping[str, object], headers: Mapping[str, str]
) -> Response:
    tail = _json({"meta": {**facts, "request_id": request_id(request)}, "page": page})
    return Response(b"".join((b'{"data":', data, b",", tail[1:])), headers=headers, media_type=media_type("json"))


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def _has(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names this validator; weak and strong ones compare alike."""
    told = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return "*" in told or etag.removeprefix("W/") in told
