"""Whatever is raised while a request is answered, told as a problem."""

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

import asyncpg
import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app.api.errors import AmbiguousAsset, ApiError, BadRequest, Unavailable, UnknownAsset, Wrong, problem, shown
from app.api.words import FORMS
from app.db import Database
from app.services.entities import AmbiguousName, UnknownName
from app.services.error_log import note_error

LOG_SECONDS = 2.0

logger = logging.getLogger(__name__)


def _told(request: Request, error: Exception) -> Response:
    return problem(request, cast(ApiError, error))


_CODES = {400: "bad_request", 404: "no_such_path", 405: "method_not_allowed", 413: "too_large"}


def _http(request: Request, error: Exception) -> Response:
    found = cast(HTTPException, error)
    code = _CODES.get(found.status_code, HTTPStatus(found.status_code).name.lower())
    told = ApiError(_http_detail(request, found), code=code, headers=found.headers)
    told.status = found.status_code
    if found.status_code == 405:
        told.headers["Allow"] = ", ".join(_allowed(request))
    return problem(request, told)


def _http_detail(request: Request, error: HTTPException) -> str:
    if error.status_code == 404:
        return f"There is nothing at {shown(request.url.path)}. /docs lists what there is"
    if error.status_code == 405:
        return f"{request.method} is not for {shown(request.url.path)}"
    return str(error.detail)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes of this path, not only of the first."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        match, _ = route.original_route.matches(request.scope)
        if match is not Match.NONE:
            found |= route.methods or set()
    if "GET" in found:
        found.add("HEAD")
    return sorted(found)


def _invalid(request: Request, error: Exception) -> Response:
    wrong = list(dict.fromkeys(_wrong(item) for item in cast(RequestValidationError, error).errors()))
    detail = "; ".join(f"{item.parameter}: {item.reason}" for item in wrong[:3])
    code = "bad_body" if any(item.parameter == "body" for item in wrong) else "bad_value"
    return problem(request, BadRequest(detail or "The request is not valid", code=code, errors=wrong))


def _wrong(item: Mapping[str, Any]) -> Wrong:
    place, *path = [str(part) for part in item["loc"]]
    name = ".".join(["body", *path] if place == "body" else path[:1]) or place
    return Wrong(name, None if item["type"] == "missing" else shown(item.get("input")), _reason(item))


def _reason(item: Mapping[str, Any]) -> str:
    """In words of callers: no regular expressions, and not-a-number is not too small."""
    if item["type"] == "missing":
        return "missing"
    if item["type"] == "string_pattern_mismatch":
        return FORMS.get(item["ctx"]["pattern"], "not in the form expected here")
    if _NOT_FINITE.fullmatch(str(item.get("input")).strip()):
        return "a number expected"
    return str(item["msg"]).removeprefix("Value error, ")


def _unreachable(request: Request, error: Exception) -> Response:
    if isinstance(error, asyncpg.InterfaceError) and not _CONNECTION.search(str(error)):
        raise error  # the driver was used wrongly: our fault
    logger.error("the database does not answer: %s: %s", type(error).__name__, error)
    return problem(request, Unavailable("The database does not answer", code="database_unavailable"))


def _out_of_range(request: Request, error: Exception) -> Response:
    logger.warning("a value out of the database's range: %s", error)
    return problem(request, BadRequest("A value is too large or too small to compute with", code="out_of_range"))


def _unknown(request: Request, error: Exception) -> Response:
    name, nearest = cast(UnknownName, error).name, cast(UnknownName, error).nearest
    hint = f". Did you mean {', '.join(nearest)}?" if nearest else ""
    wrong = [Wrong("asset", shown(name), "no entity, symbol or source id of that name")]
    return problem(request, UnknownAsset(f"No asset {shown(name)}{hint}", errors=wrong, candidates=nearest))


def _ambiguous(request: Request, error: Exception) -> Response:
    name, several = cast(AmbiguousName, error).name, cast(AmbiguousName, error).candidates
    wrong = [Wrong("asset", shown(name), f"may mean {entity.canonical_id} ({entity.name})") for entity in several]
    ids = [entity.canonical_id for entity in several]
    detail = f"{shown(name)} may mean {', '.join(ids)}. Use one of these ids"
    return problem(request, AmbiguousAsset(detail, errors=wrong, candidates=ids))


async def _unforeseen(request: Request, error: Exception) -> Response:
    """Nothing of the error leaves the house; the server logs it, under the id that is told."""
    await _write_down(request, error)
    answer = problem(request, ApiError("Something went wrong here. The log has it under this request_id"))
    answer.headers["X-Request-ID"] = str(request.scope.get("state", {}).get("request_id"))
    return answer


async def _write_down(request: Request, error: Exception) -> None:
    """In the log of errors, without what was asked: there may be secrets in it. Nobody waits long for that."""
    database: Database | None = getattr(request.app.state, "database", None)
    if database is None:
        return
    told = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    name = request.scope.get("state", {}).get("request_id")
    context = {"request_id": name, "method": request.method, "path": request.url.path}
    with suppress(TimeoutError):
        async with asyncio.timeout(LOG_SECONDS):
            await note_error(database, "request", "internal_error", told, context=context)


_NOT_FINITE = re.compile("[+-]?(nan|inf|infinity)", re.IGNORECASE)
_CONNECTION = re.compile("connection|pool|clos", re.IGNORECASE)
_GONE = (
    ConnectionError,
    TimeoutError,
    FileNotFoundError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.TimeoutError,
)
_RANGE = (asyncpg.NumericValueOutOfRangeError, asyncpg.DatetimeFieldOverflowError, asyncpg.IntervalFieldOverflowError)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem."""
    app.add_exception_handler(ApiError, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UnknownName, _unknown)
    app.add_exception_handler(AmbiguousName, _ambiguous)
    for gone in _GONE:
        app.add_exception_handler(gone, _unreachable)
    for beyond in _RANGE:
        app.add_exception_handler(beyond, _out_of_range)
    app.add_exception_handler(Exception, _unforeseen)
