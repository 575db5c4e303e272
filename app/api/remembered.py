"""A small memory of finished answers, good for as long as nothing was written to the database.

Two statements that run on equal snapshots see the same rows. So an answer about a closed stretch of the past is kept
under its question together with the snapshot it was made on, and given again while `pg_current_snapshot()` is still
that one.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from app.api.render import request_id
from app.api.times import parse_time, utc_now

LARGEST, TOTAL = 2**20, 2**25
SNAPSHOT = "select pg_current_snapshot()::text"
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer around the place where the id of its request stood, and its headers."""

    snapshot: str
    head: bytes
    tail: bytes
    headers: dict[str, str]

    def again(self, name: str) -> Response:
        """The same answer to another request."""
        return Response(self.head + json.dumps(name).encode() + self.tail, headers=self.headers)


@dataclass(slots=True)
class Memory:
    """The answers last used, up to `TOTAL` bytes of them."""

    kept: OrderedDict[Key, Kept] = field(default_factory=OrderedDict[Key, Kept])
    size: int = 0

    def recall(self, key: Key, snapshot: str) -> Kept | None:
        """What was answered on this very snapshot."""
        found = self.kept.get(key)
        if found is None or found.snapshot != snapshot:
            return None
        self.kept.move_to_end(key)
        return found

    def keep(self, key: Key, answer: Kept) -> None:
        """Keep an answer, and forget those longest unused."""
        old = self.kept.pop(key, None)
        self.kept[key] = answer
        self.size += _size(answer) - (_size(old) if old else 0)
        while self.size > TOTAL:
            self.size -= _size(self.kept.popitem(last=False)[1])


def _size(answer: Kept) -> int:
    return len(answer.head) + len(answer.tail)


class RememberedRoute(APIRoute):
    """A route whose answers about the past are remembered."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, asked only for what is not remembered."""
        handle = super().get_route_handler()

        async def remembered(request: Request) -> Response:
            key = _key(request)
            if key is None:
                return await handle(request)
            memory: Memory = request.app.state.memory
            snapshot = await request.app.state.database.reads.fetchval(SNAPSHOT)
            found = memory.recall(key, snapshot)
            if found is not None:
                return found.again(request_id(request))
            answer = await handle(request)
            kept = _kept(answer, snapshot, request_id(request))
            if kept is not None:
                memory.keep(key, kept)
            return answer

        return remembered


def _key(request: Request) -> Key | None:
    """The question, where its answer depends on nothing but the database; not where a key is needed to ask."""
    told = request.query_params
    if request.app.state.settings.read_requires_key or "if-none-match" in request.headers:
        return None
    ends = told.getlist("at") if "at" in told else told.getlist("end") if "start" in told else []
    if len(ends) != 1 or not _is_past(ends[0]):
        return None
    return request.url.path, request.url.query, request.headers.get("accept", "") + request.headers.get("host", "")


def _is_past(text: str) -> bool:
    try:
        return parse_time(text) <= utc_now()
    except ValueError:
        return False


def _kept(answer: Response, snapshot: str, name: str) -> Kept | None:
    body = getattr(answer, "body", b"")
    head, mark, tail = body.rpartition(b'"request_id":' + json.dumps(name).encode())
    if answer.status_code != 200 or not mark or len(body) > LARGEST:
        return None
    headers = {k: v for k, v in answer.headers.items() if k != "content-length"}
    return Kept(snapshot, head + mark.removesuffix(json.dumps(name).encode()), tail, headers)
