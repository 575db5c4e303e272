"""Everything that can go wrong for a caller, and the one form it is told in: RFC 9457 problem details."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:perpstore:problem:"
SHOWN = 200


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


class TooSlow(ApiError):
    """A body that does not come."""

    status, code = 408, "body_too_slow"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Connection": "close"})


class Conflict(ApiError):
    """It is already being done, or done differently."""

    status, code = 409, "conflict"


class Gone(ApiError):
    """Before what is kept: retention removed it."""

    status, code = 410, "gone"


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
