"""Everything that can go wrong for a caller, and the one form it is told in: RFC 9457 problem details."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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

from app.services.entities import AmbiguousName, UnknownName

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:perpstore:problem:"
SHOWN = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with a request: which parameter (or field of the body), what it was, and why."""

    parameter: str
    value: str | None
    reason: str


class ApiError(Exception):
    """An answer that is not data. Subclasses say which; `code` is stable, `detail` is for people."""

    status: int = 500
    code: str = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[Wrong] = (),
        candidates: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.errors = tuple(errors)
        self.candidates = tuple(candidates)
        self.headers = dict(headers or {})


class BadRequest(ApiError):
    """Asked in a way that has no answer."""

    status, code = 400, "bad_request"


class Unauthorized(ApiError):
    """No key, or one we do not know."""

    status, code = 401, "key_required"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        error = ' error="invalid_token"' if code else ""
        super().__init__(detail, code=code, headers={"WWW-Authenticate": f'Bearer realm="perpstore"{error}'})


class Forbidden(ApiError):
    """A key that may not do this."""

    status, code = 403, "scope_missing"


class NotFound(ApiError):
    """There is nothing of that name."""

    status, code = 404, "not_found"


class UnknownAsset(NotFound):
    """No entity answers to that name; `candidates` are the nearest."""

    code = "unknown_asset"


class AmbiguousAsset(ApiError):
    """Several entities answer to that name; `candidates` are their canonical ids."""

    status, code = 409, "ambiguous_asset"


class Conflict(ApiError):
    """It is already being done, or done differently."""

    status, code = 409, "conflict"


class Gone(ApiError):
    """Before what is kept."""

    status, code = 410, "before_retention"


class NotAcceptable(ApiError):
    """No form of the answer is among those accepted."""

    status, code = 406, "not_acceptable"


class TooLarge(ApiError):
    """More than is taken in one request."""

    status, code = 413, "too_large"


class UnsupportedMedia(ApiError):
    """A body in a form that is not read."""

    status, code = 415, "unsupported_media_type"


class Throttled(ApiError):
    """Too much at once."""

    status, code = 429, "throttled"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class Unavailable(ApiError):
    """Not now."""

    status, code = 503, "unavailable"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: int = 5) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})


def bad_value(parameter: str, value: object, reason: str, *, code: str = "bad_value") -> BadRequest:
    """A parameter whose value will not do."""
    return BadRequest(f"{parameter}: {reason}", code=code, errors=[Wrong(parameter, shown(value), reason)])


def shown(value: object) -> str | None:
    """What was sent, as it may be sent back: text, and not too much of it."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def problem(request: Request, error: ApiError) -> Response:
    """The answer that tells of an error."""
    document = {
        "type": TYPE + error.code,
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "instance": request.url.path,
        "code": error.code,
        "request_id": request.scope.get("state", {}).get("request_id"),
        "errors": [asdict(wrong) for wrong in error.errors],
        "candidates": list(error.candidates),
    }
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    headers = {"Cache-Control": "no-store", **error.headers}
    return Response(body, error.status, headers, MEDIA_TYPE)


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
    return sorted(found)


def _invalid(request: Request, error: Exception) -> Response:
    wrong = [_wrong(item) for item in cast(RequestValidationError, error).errors()]
    detail = "; ".join(f"{item.parameter}: {item.reason}" for item in wrong[:3])
    code = "bad_body" if any(item.parameter == "body" for item in wrong) else "bad_value"
    return problem(request, BadRequest(detail or "The request is not valid", code=code, errors=wrong))


def _wrong(item: Mapping[str, Any]) -> Wrong:
    place, *path = [str(part) for part in item["loc"]]
    name = ".".join(["body", *path] if place == "body" else path) or place
    reason = "missing" if item["type"] == "missing" else str(item["msg"]).removeprefix("Value error, ")
    return Wrong(name, None if item["type"] == "missing" else shown(item.get("input")), reason)


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


def _unforeseen(request: Request, error: Exception) -> Response:
    """Nothing of the error leaves the house; the server logs it, under the id that is told."""
    answer = problem(request, ApiError("Something went wrong here. The log has it under this request_id"))
    answer.headers["X-Request-ID"] = str(request.scope.get("state", {}).get("request_id"))
    return answer


_CONNECTION = re.compile("connection|pool|clos", re.IGNORECASE)
_GONE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
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
