"""What can go wrong, by what there is to do about it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with a request: which parameter, what was sent (None: nothing), and why."""

    parameter: str
    value: str | None
    reason: str


class PerpstoreError(Exception):
    """An answer that is not data.

    `code` is stable, `detail` is for people. `candidates` are names that may be meant. `status` is None where nothing
    was answered at all. `request_id` finds it in the server's log. `retry_after` is in seconds.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int | None = None,
        errors: Sequence[Wrong] = (),
        candidates: Sequence[str] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code})")
        self.detail, self.code, self.status = detail, code, status
        self.errors, self.candidates = tuple(errors), tuple(candidates)
        self.request_id, self.retry_after = request_id, retry_after


class BadRequest(PerpstoreError):
    """Ask otherwise: `errors` names each parameter that will not do."""


class NoAccess(PerpstoreError):
    """A key is needed, or one that may do this."""


class NotFound(PerpstoreError):
    """There is nothing of that name; `candidates` are the nearest."""


class Ambiguous(PerpstoreError):
    """Several have that name: ask for one of `candidates`."""


class Throttled(PerpstoreError):
    """Too much at once: ask again after `retry_after` seconds. That was done a few times before this is raised."""


class Unavailable(PerpstoreError):
    """The server does not answer, not now or not all of it: ask again later."""


_KINDS: Mapping[int, type[PerpstoreError]] = {
    401: NoAccess,
    403: NoAccess,
    404: NotFound,
    409: Ambiguous,
    410: NotFound,
    429: Throttled,
}


def problem(response: httpx.Response) -> PerpstoreError:
    """The error that an answer read to its end tells of, whether or not it is in the form of RFC 9457."""
    told = _document(response)
    status = response.status_code
    kind = Unavailable if status >= 500 else _KINDS.get(status, BadRequest)
    return kind(
        str(told.get("detail") or f"{status} {response.reason_phrase}"),
        code=str(told.get("code") or f"http_{status}"),
        status=status,
        errors=[Wrong(str(w.get("parameter")), w.get("value"), str(w.get("reason"))) for w in told.get("errors") or ()],
        candidates=told.get("candidates") or (),
        request_id=told.get("request_id") or response.headers.get("X-Request-ID"),
        retry_after=seconds(response.headers.get("Retry-After")),
    )


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def seconds(retry_after: str | None) -> float | None:
    """What a `Retry-After` stands for, in seconds or as a date; None where it says nothing we understand."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


def unanswered(error: httpx.HTTPError) -> Unavailable:
    """The error that a connection which failed, or broke, tells of."""
    return Unavailable(str(error) or type(error).__name__, code="no_answer")


def broken_off(error: Exception) -> Unavailable:
    """The error of an answer that ended before its end."""
    return Unavailable(f"The answer broke off: {error}", code="broken_answer")
