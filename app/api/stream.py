"""The live stream: what is stored, told to readers as it is stored (server-sent events)."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.deps import DatabaseDep, reader
from app.api.errors import BadRequest, Forbidden, Unauthorized, Unavailable, Wrong, bad_value
from app.api.schemas import problems
from app.api.words import Names, nearest, split
from app.db import DATABASE_ERRORS, Database
from app.services.entities import find_asset
from app.services.live import TOPICS, Hub, Place, Reader

router = APIRouter(tags=["Live"])
logger = logging.getLogger(__name__)

STALLED_SECONDS = 60.0
"""How long a connection may take no bytes at all before it is closed."""
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Connection": "close"}
EXAMPLE = """event: funding
id: 4711.1.8c1f03ad
data: {"asset":"BTC","exchange":"bybit","instrument":"BTCUSDT","kind":"settled","time":"2026-03-02T08:00:00Z",…}
"""
ANSWER = {"schema": {"type": "string", "description": "Server-sent events."}, "example": EXAMPLE}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events, until one side ends the connection.", "content": {"text/event-stream": ANSWER}},
    **problems(400, 401, 404, 409, 503),
}

Topics = Annotated[
    Names,
    Query(
        description=f"What to hear of: {', '.join(TOPICS)}, each of all assets or of one (`funding:BTC`); "
        "comma list or repeated."
    ),
]
_ID = "`id` of the last event that was read: what came after it is sent first."


def _missing(value: object) -> object:
    if split(value) is None:
        raise ValueError(f"none given; there are {', '.join(TOPICS)}, each with or without an asset (funding:BTC)")
    return value


class Stream(Response):
    """What a reader is to get, as it comes. Ends when the reader leaves, or does not take what it is sent.

    Raises Unavailable before it begins, where `most` readers follow the hub.
    """

    media_type = "text/event-stream"

    def __init__(self, reader: Reader, most: int) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self.reader, self.most = reader, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.reader.hub.readers >= self.most:
            raise Unavailable(f"{self.most} readers follow the stream already, as many as may", code="too_many_readers")
        self.reader.hub.readers += 1
        tasks = [asyncio.create_task(work) for work in (self._tell(send), _left(receive))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.reader.hub.readers -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self.reader.chunks()) as chunks:
                async for chunk in chunks:
                    async with asyncio.timeout(STALLED_SECONDS):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            logger.info("stream: a reader took nothing for %.0f seconds", STALLED_SECONDS)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@router.get("/stream", response_class=Response, responses=ANSWERS)
async def stream(
    request: Request,
    db: DatabaseDep,
    topics: Annotated[Topics, BeforeValidator(_missing)],
    last_event_id: Annotated[str | None, Query(max_length=64, description=_ID)] = None,
    resume: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64, description=_ID)] = None,
) -> Response:
    """What becomes known, within a second of its being stored, as server-sent events.

    `funding`: a settlement (`kind: settled`) or a sample of the next one (`predicted`), rates per 8 hours.
    `open-interest`: as stored. `spreads`: the best pair of an asset whenever it changes, and as it stands when the
    stream begins. With `Last-Event-ID` the events missed come first; `reset` says that they are not kept any more, and
    from when on REST is needed no longer. A reader that cannot keep up gets `dropped` with the reason, and is closed.
    What CoinGecko tells is not among it: ask REST with `source=coingecko`.
    """
    hub: Hub = request.app.state.hub
    settings = request.app.state.settings
    wanted = await _wanted(db, topics or ())
    since = _since("Last-Event-ID", resume) or _since("last_event_id", last_event_id)
    try:
        await hub.ready()
    except TimeoutError as error:
        raise Unavailable("The database does not answer", code="database_unavailable") from error
    if hub.ended:
        raise Unavailable(hub.failure or "The server is about to end", code="stream_ended")
    follower = Reader(hub, db, wanted, since, settings.stream_heartbeat_s, partial(_may_read, request, db))
    return Stream(follower, settings.stream_readers)


async def _may_read(request: Request, db: Database) -> bool:
    """Whether the one who asks may read still. While the database does not answer there is nothing to be read."""
    try:
        await reader(request, db)
    except (Unauthorized, Forbidden):
        return False
    except DATABASE_ERRORS as error:
        logger.warning("stream: the database does not answer: %s", error)
    return True


def _since(name: str, text: str | None) -> Place | None:
    try:
        return Place.read(text) if text else None
    except ValueError as error:
        raise bad_value(name, text, str(error)) from error


async def _wanted(db: Database, topics: Sequence[str]) -> dict[str, frozenset[int] | None]:
    """The kinds of frames these topics are, each with the entities it is wanted of (None: all)."""
    asked = [topic.partition(":")[::2] for topic in topics]
    words = [word.strip().lower() for word, _ in asked]
    wrong = [topic for topic, word in zip(topics, words, strict=True) if word not in TOPICS or topic.endswith(":")]
    if wrong:
        raise _unknown(wrong)
    wanted: dict[str, frozenset[int] | None] = {}
    for word, (_, asset) in zip(words, asked, strict=True):
        entity = frozenset([(await find_asset(db, asset)).id]) if asset else None
        for kind in TOPICS[word]:
            before = wanted.get(kind, frozenset())
            wanted[kind] = None if entity is None or before is None else before | entity
    return wanted


def _unknown(wrong: Sequence[str]) -> BadRequest:
    reason = f"no such topic; there are {', '.join(TOPICS)}, each with or without an asset (funding:BTC)"
    close = [name for topic in wrong for name in nearest(topic.partition(":")[0], list(TOPICS), 1)]
    errors = [Wrong("topics", topic, reason) for topic in wrong]
    return BadRequest(f"topics: {', '.join(wrong)}: {reason}", code="unknown_topic", errors=errors, candidates=close)
