"""What both clients do alike: where they ask and as whom, and how bytes become tables and errors problems."""

import io
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypedDict, Unpack

import httpx
import pyarrow as pa

from perpstore_client.events import MEDIA, QUIET
from perpstore_client.problems import BadRequest, PerpstoreError, broken_off, unanswered
from perpstore_client.question import Question

TIMEOUT, TRIES = 60.0, 4
LONGEST = 60.0
"""Seconds: who would have to wait longer is told so instead."""

AGAIN = (429, 503)
BUFFER = 262_144


class Options(TypedDict, total=False):
    """`timeout`: seconds to connect, and between two pieces of an answer (60). `tries`: how often, in all (4)."""

    timeout: float
    tries: int


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where to ask and as whom. Nothing shows the key: it is in a header, and in no address and no message."""

    url: httpx.URL
    key: str | None
    timeout: float
    tries: int

    def __repr__(self) -> str:
        return repr(str(self.url.copy_with(userinfo=b"")))

    def options(self) -> dict[str, Any]:
        """Arguments of an HTTP client."""
        bearer = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        agent = {"User-Agent": f"perpstore-client/{version('perpstore-client')}"}
        return {"base_url": self.url, "timeout": self.timeout, "headers": {**agent, **bearer}}

    def request(self, asked: Question) -> dict[str, Any]:
        """Arguments of a request. A stream of events is silent for longer than other answers."""
        typed = {} if asked.body is None else {"Content-Type": "application/json"}
        quiet = {"timeout": httpx.Timeout(self.timeout, read=QUIET)} if asked.accept == MEDIA else {}
        return {
            "method": "GET" if asked.body is None else "POST",
            "url": asked.path,
            "params": asked.parameters,
            "content": asked.body,
            "headers": {"Accept": asked.accept, **typed, **asked.headers},
            **quiet,
        }


def access(url: str, key: str | None, **options: Unpack[Options]) -> Access:
    """Checked; raises ValueError, which does not show the key either."""
    found = httpx.URL(url)
    if found.scheme not in ("http", "https") or not found.host:
        raise ValueError("url: http://… or https://… expected")
    if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
        raise ValueError("api_key: visible ASCII characters expected")
    return Access(found, key, options.get("timeout", TIMEOUT), options.get("tries", TRIES))


def pause(problem: PerpstoreError, tried: int, tries: int) -> float:
    """Seconds before asking again: what `Retry-After` says, else 1, 2, 4 …

    Raises the problem where asking again is of no use, or was done often enough.
    """
    wait = problem.retry_after if problem.retry_after is not None else 2.0 ** (tried - 1)
    if problem.status not in AGAIN or tried >= tries or wait > LONGEST:
        raise problem
    return wait


@contextmanager
def as_problems() -> Generator[None]:
    """Connections that fail and answers that break off, raised as `Unavailable`."""
    try:
        yield
    except httpx.HTTPError as error:
        raise unanswered(error) from error
    except pa.ArrowException as error:
        raise broken_off(error) from error


def table(asked: Question, response: httpx.Response) -> pa.Table:
    """The rows of an answer read to its end. Raises BadRequest where it has none."""
    check(asked, response)
    with as_problems():
        return asked.read(response.content)


def check(asked: Question, response: httpx.Response) -> None:
    """Refuse an answer that is not what was asked for: some paths have no rows."""
    media = response.headers.get("Content-Type", "").partition(";")[0]
    if media != asked.accept:
        raise BadRequest(f"{asked.path} answers with {media or 'nothing'}, not with rows", code="no_rows")


class _Pieces(io.RawIOBase):
    """Bytes that come in pieces, as a file; `more` gives the next piece, empty at the end."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        super().__init__()
        self.more, self.left = more, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self.left = self.left or self.more()
        taken = self.left[: len(buffer)]
        self.left = self.left[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def arriving(more: Callable[[], bytes]) -> pa.RecordBatchReader:
    """The batches of an Arrow stream as it arrives; no more is held than one of them."""
    return pa.ipc.open_stream(io.BufferedReader(_Pieces(more), BUFFER))
