"""One reader of the stream: what it wants to hear, where it has come to, and the bytes it is to get next."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from secrets import randbelow

from app.db import DATABASE_ERRORS, Database
from app.services import outbox
from app.services.live import frames
from app.services.live.frames import LAST, Frame, Key, Place, now
from app.services.live.hub import ROWS_AT_ONCE, Hub

CHUNK = 65_536
RETRY_MS, RETRY_SPREAD_MS = 1_000, 3_000
"""When to come back, at the earliest; those who lost a server together are not to come back together."""
FAR_BEHIND = "more than {:,} events behind: reconnect, with topics that say less or a faster connection"
FORBIDDEN = "the key may not read any more"

logger = logging.getLogger(__name__)

Wanted = Mapping[str, frozenset[int] | None]
"""The kinds of frames, each with the entities it is wanted of (None: all)."""
Allowed = Callable[[], Awaitable[bool]]
"""Whether somebody may read still."""


@dataclass(slots=True)
class Reader:
    """Somebody who follows a hub. `since`: where they were before, None: from now on.

    `heartbeat`: seconds of silence after which something is sent, and after which `allowed` is asked again.
    """

    hub: Hub
    db: Database
    wanted: Wanted
    since: Place | None
    heartbeat: float
    allowed: Allowed
    _next: int = 0
    _stood: int = 0
    _asked: float = 0.0

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What to send, until the hub ends or the reader has fallen too far behind."""
        self._next, self._asked = self.hub.ring.end, _clock()
        yield self._greeting()
        if self.since is not None:
            try:
                async for chunk in self._missed(self.since.key):
                    yield chunk
            except DATABASE_ERRORS as error:
                logger.warning("stream: the database does not answer: %s", error)
                yield frames.dropped("the database does not answer: reconnect")
                return
        async for chunk in self._following():
            yield chunk

    async def _following(self) -> AsyncGenerator[bytes]:
        beat = _clock() + self.heartbeat
        while (reason := await self._over()) is None:
            if chunk := self._take():
                yield chunk
            elif _clock() >= beat:
                yield frames.heartbeat(self.hub.id)
            else:
                await self.hub.changed(beat)
                continue
            beat = _clock() + self.heartbeat
        if reason:
            yield frames.dropped(reason)

    async def _over(self) -> str | None:
        """Why nothing more is to be sent (empty: the server ends); None: there may be more."""
        if not self.hub.ended and _clock() >= self._asked + self.heartbeat:
            self._asked = _clock()
            if not await self.allowed():
                return FORBIDDEN
        if self.hub.ended:
            return self.hub.failure or ""
        if self._next < self.hub.ring.start:
            logger.info("stream: a reader was dropped, too far behind")
            return FAR_BEHIND.format(self.hub.ring.capacity)
        return None

    def _wants(self, kind: str, entity: int | None) -> bool:
        if entity is None:
            return True
        entities = self.wanted.get(kind, frozenset())
        return entities is None or entity in entities

    def _take(self) -> bytes:
        """What is wanted of the ring, as much of it as goes into one chunk."""
        ring, parts, size = self.hub.ring, list[bytes](), 0
        while self._next < ring.end and size < CHUNK:
            frame = ring[self._next]
            if self._wants(frame.kind, frame.entity) and not self._knows(frame):
                parts.append(frame.data)
                size += len(frame.data)
            self._next += 1
        return b"".join(parts)

    def _knows(self, frame: Frame) -> bool:
        """Whether a pair is older than the pairs this reader was told at the beginning."""
        return self._next < self._stood and frame.kind == "spreads"

    def _greeting(self) -> bytes:
        """The best pairs as they are, for who has not heard them from this very hub; and where that is.

        Who resumes keeps the id they have until they have heard what they missed.
        """
        hello, since = frames.beginning(RETRY_MS + randbelow(RETRY_SPREAD_MS)), self.since
        if since and since.hub == self.hub.name and since.key >= self.hub.ring.floor:
            return hello
        self._stood = self.hub.ring.end
        return hello + self._standing() + (b"" if since else frames.place(self.hub.id))

    def _standing(self) -> bytes:
        """Who resumes may have heard of pairs there are no more."""
        pairs = self.hub.market.pairs.items()
        wanted = [told for entity, told in pairs if (told[2] or self.since) and self._wants("spreads", entity)]
        return b"".join(frames.spread(*told) for told in sorted(wanted, key=lambda told: told[0]))

    async def _missed(self, key: Key) -> AsyncGenerator[bytes]:
        """What the outbox has between there and the ring; then the place in the ring."""
        hub = self.hub
        complete = await hub.reached(key[0])
        while complete and key < (floor := hub.ring.floor):
            page = await hub.kept(self.db, key[0] if key[1] < LAST else key[0] + 1, floor[0])
            complete = page is not None
            for event in page or ():
                async for chunk in self._of_outbox(event, key):
                    yield chunk
            ended = (page[-1].id, len(page[-1].rows)) if page else floor
            key = (ended[0], LAST) if ended[0] < floor[0] else max(ended, floor)
        if complete:
            self._next = hub.ring.after(key)
        else:
            self._next = hub.ring.end
            yield frames.reset("what followed that event is not kept any more", now(), hub.id)

    async def _of_outbox(self, event: outbox.Event, key: Key) -> AsyncGenerator[bytes]:
        """What is wanted of an event after a place, in parts: others have their turn meanwhile."""
        begin = key[1] + 1 if event.id == key[0] else 1
        for first in range(begin, len(event.rows) + 1, ROWS_AT_ONCE):
            numbers = range(first, min(first + ROWS_AT_ONCE, len(event.rows) + 1))
            made = frames.facts(event, numbers, self.hub.market, self.hub.name, self._wants)
            if chunk := b"".join(frame.data for frame in made):
                yield chunk
            await asyncio.sleep(0)


def _clock() -> float:
    return asyncio.get_running_loop().time()
