"""The only HTTP client: one question to an upstream, asked until it is answered or cannot be.

`ask` waits for the budget, sends, tries again where that helps, and raises one of `errors` where it does not.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

import httpx
from pydantic_core import from_json, to_json

from app.ingest.addresses import base_url
from app.ingest.errors import TRANSPORT, Absent, Malformed, Question, Refused, Throttled, Unavailable, UpstreamError
from app.ingest.limits import LONGEST_WAIT, Ledger, Limiter, limiter, limiters
from app.ingest.spec import Json, Problem, Request, Source, Trouble
from app.logs import keep_secret
from app.settings import environment

WHOLE_SECONDS = 60.0
TIMEOUT = httpx.Timeout(20.0, connect=5.0, pool=WHOLE_SECONDS)
CONNECTIONS = httpx.Limits(max_connections=200, max_keepalive_connections=50)
MAX_BYTES = 64 * 2**20
KEPT_BYTES = 2**20
LONGEST_RETRY_AFTER = 3 * 86_400.0
DIRECT = ("all://127.0.0.1", "all://localhost", "all://[::1]")
SECRETS = ("key", "token", "secret", "sign", "password")
HEADERS = {"User-Agent": "perpstore", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a question is asked, and the seconds between: at random up to `first`, doubled each time to `most`."""

    tries: int = 5
    first: float = 1.0
    most: float = 30.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Web:
    """What asking needs: a client, the budgets of each source, patience and a clock."""

    client: httpx.AsyncClient
    limiters: dict[str, Limiter] = field(default_factory=lambda: limiters)
    patience: Patience = Patience()
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ledger: Ledger | None = None


@asynccontextmanager
async def opened(
    patience: Patience = Patience(), now: Callable[[], datetime] = _now, ledger: Ledger | None = None
) -> AsyncGenerator[Web]:
    """A `Web` with a client of its own, closed at the end. A proxy of the environment is not used for this machine."""
    direct: dict[str, httpx.AsyncBaseTransport | None] = dict.fromkeys(DIRECT)
    async with httpx.AsyncClient(timeout=TIMEOUT, limits=CONNECTIONS, headers=HEADERS, mounts=direct) as client:
        yield Web(client, patience=patience, now=now, ledger=ledger)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: when it was asked, HTTP status, the body as it came and what it says.

    `is_readable`: it is of the kind the source answers in. A body that is not, says its text.
    """

    question: Question
    at: datetime
    status: int
    headers: httpx.Headers
    body: bytes
    says: Json
    is_readable: bool

    def malformed(self, message: str) -> Malformed:
        """The error that this answer cannot be read."""
        return Malformed(message, self.question, status=self.status, body=self.body[:KEPT_BYTES])


def _question(source: Source, request: Request, symbol: str | None) -> Question:
    shown = [(k, "…" if any(word in k.lower() for word in SECRETS) else v) for k, v in request.params]
    query = f"?{urlencode(shown)}" if shown else ""
    body = f" {to_json(request.body).decode()}" if request.body is not None else ""
    return Question(source.id, request.path, symbol, f"{request.method} {request.path}{query}{body}")


async def ask(
    web: Web, source: Source, request: Request, symbol: str | None, *, live: bool, sent: Callable[[], None]
) -> Answer:
    """The answer to one request; `sent` is called each time it is sent.

    Raises Unavailable and Throttled when patience is at its end, Malformed and Refused at once.
    """
    budget, asked = limiter(web.limiters, source.id, source.budgets, web.ledger), _question(source, request, symbol)
    for left in reversed(range(web.patience.tries)):
        asked_at = await budget.take(request.costs, live=live)
        try:
            sent()
            answer = await _send(web, source, request, asked)
            _judge(source, answer)
        except Throttled as error:
            budget.throttled(error.retry_after, banned=error.banned)
            await budget.tell_others()
            if not left or budget.paused > LONGEST_WAIT:
                raise
        except Unavailable as error:
            if not left or (error.retry_after or 0) > LONGEST_WAIT:
                raise
            await web.sleep(_back_off(web.patience, left, error.retry_after))
        else:
            budget.answered(answer.headers, asked_at)
            return answer
    raise ValueError("patience of no tries")


def _back_off(patience: Patience, left: int, retry_after: float | None) -> float:
    """Full jitter: anything up to a bound that doubles each time, but not before we may."""
    bound = min(patience.most, patience.first * 2 ** (patience.tries - 1 - left))
    return max(random.uniform(0, bound), retry_after or 0)  # noqa: S311 - spreads callers, guards nothing


async def _send(web: Web, source: Source, request: Request, asked: Question) -> Answer:
    """One request, one answer of any status. Raises Unavailable when none comes and Malformed when it is too large."""
    host = base_url(source.id, request.base or source.base_url)
    request = source.signed(replace(request, host=host), key_of(source))
    url = base_url(source.id, request.base or source.base_url) + request.path
    body = None if request.body is None else to_json(request.body)
    headers = dict(request.headers) if body is None else {"Content-Type": "application/json", **dict(request.headers)}
    sending = web.client.stream(request.method, url, params=request.params or None, content=body, headers=headers)
    at = web.now()
    try:
        async with asyncio.timeout(WHOLE_SECONDS), sending as response:
            body = await _read(response, asked)
            says = _text(body) if source.answers == "text" and response.is_success else _says(body)
            return Answer(asked, at, response.status_code, response.headers, body, *says)
    except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
        raise Unavailable(f"{type(error).__name__} {error}".strip(), asked, code=TRANSPORT) from error


async def _read(response: httpx.Response, asked: Question) -> bytes:
    """The whole body, unpacked."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            message = f"more than {MAX_BYTES} bytes"
            raise Malformed(message, asked, status=response.status_code, body=bytes(body[:KEPT_BYTES]))
    return bytes(body)


def _says(body: bytes) -> tuple[Json, bool]:
    try:
        return from_json(body), True
    except ValueError:
        return body[:KEPT_BYTES].decode(errors="replace"), False


def _text(body: bytes) -> tuple[Json, bool]:
    return body.decode("utf-8-sig", errors="replace"), True


def key_of(source: Source) -> str | None:
    """The key of a source as the environment has it, or None. It is in no line of the log from then on."""
    key = (environment().get(source.key) or "").strip() if source.key else ""
    keep_secret(key, *key.split(":"))
    return key or None


def why_disabled(source: Source) -> str | None:
    """Why a source is not asked at all: its key is missing. None: it is."""
    missing = source.key and source.key_required and not key_of(source)
    return f"{source.key} is not set" if missing else None


def _judge(source: Source, answer: Answer) -> None:
    """Raise what an answer that is none stands for: in the upstream's own words, then by its HTTP status."""
    ok = 200 <= answer.status < 300
    problem = source.problem(answer.status, answer.says) if answer.is_readable or not ok else None
    problem = problem or (None if ok else _by_status(answer.status))
    if problem:
        raise _error(problem, answer)
    if not answer.is_readable:
        raise answer.malformed("not JSON")


def _by_status(status: int) -> Problem:
    if status in (418, 429):
        trouble = Trouble.THROTTLED
    elif status >= 500 or status == 408:
        trouble = Trouble.UNAVAILABLE
    else:
        trouble = Trouble.REFUSED
    return Problem(trouble, str(status), f"HTTP {status}")


def _error(problem: Problem, answer: Answer) -> UpstreamError:
    asked, code, status = answer.question, problem.code, answer.status
    message = f"{problem.message[:200]} ({code})"
    retry_after = seconds_until(answer.headers.get("Retry-After"), _now())
    match problem.trouble:
        case Trouble.THROTTLED:
            banned = status in (403, 418)
            return Throttled(message, asked, code=code, retry_after=retry_after, banned=banned)
        case Trouble.UNAVAILABLE:
            return Unavailable(message, asked, code=code, retry_after=retry_after)
        case Trouble.MALFORMED:
            return answer.malformed(message)
        case Trouble.ABSENT:
            return Absent(message, asked, code=code)
        case Trouble.REFUSED:
            return Refused(message, asked, code=code, everywhere=status in (401, 403, 407, 451))


def seconds_until(retry_after: str | None, now: datetime) -> float | None:
    """The seconds a `Retry-After` stands for, in seconds or as a date; None where it says nothing we understand."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if seconds == seconds else None
