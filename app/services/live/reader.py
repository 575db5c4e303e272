"""One reader of the stream: what it wants to hear, where it has come to, and the bytes it is to get next."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from app.db import DATABASE_ERRORS, Database
from app.services import outbox
from app.services.live import frames
from app.services.live.frames import LAST, Frame, Key, Place, now
from app.services.live.hub import Hub

CHUNK = 65_536
HELLO = b": perpstore\nretry: 2000\n\n"
HEARTBEAT = b": heartbeat\n\n"
FAR_BEHIND = "more than {:,} events behind: reconnect, with topics that say less or a faster connection"

logger = logging.getLogger(__name__)

Wanted = Mapping[str, frozenset[int] | None]
"""The kinds of frames, each with the entities it is wanted of (None: all)."""


@dataclass(slots=True)
class Reader:
    """Somebody who follows a hub. `since`: where they were before, None: from now on."""

    hub: Hub
    db: Database
    wanted: Wanted
    since: Place | None
    heartbeat: float
    _next: int = 0

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What to send, until the hub ends or the reader has fallen too far behind."""
        self._next = self.hub.ring.end
        yield HELLO + self._standing()
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
        clock = asyncio.get_running_loop().time
        beat = clock() + self.heartbeat
        while not self.hub.ended:
            if self._next < self.hub.ring.start:
                logger.info("stream: a reader was dropped, too far behind")
                yield frames.dropped(FAR_BEHIND.format(self.hub.ring.capacity))
                return
            if chunk := self._take():
                yield chunk
            elif await self.hub.changed(beat):
                continue
            else:
                yield HEARTBEAT
            beat = clock() + self.heartbeat

    def _wants(self, frame: Frame) -> bool:
        if frame.entity is None:
            return True
        entities = self.wanted.get(frame.kind, frozenset())
        return entities is None or frame.entity in entities

    def _take(self) -> bytes:
        """What is wanted of the ring, as much of it as goes into one chunk."""
        ring, parts, size = self.hub.ring, list[bytes](), 0
        while self._next < ring.end and size < CHUNK:
            frame = ring[self._next]
            self._next += 1
            if self._wants(frame):
                parts.append(frame.data)
                size += len(frame.data)
        return b"".join(parts)

    def _standing(self) -> bytes:
        """The best pairs as they are, for who has not heard them from this very hub; no events to resume from."""
        since, entities = self.since, self.wanted.get("spreads", frozenset())
        if since and since.hub == self.hub.name and since.key >= self.hub.ring.floor:
            return b""
        pairs = self.hub.market.pairs.items()
        wanted = [told for entity, told in pairs if told[2] and (entities is None or entity in entities)]
        return b"".join(frames.spread(*told) for told in sorted(wanted, key=lambda told: told[0]))

    async def _missed(self, key: Key) -> AsyncGenerator[bytes]:
        """What the outbox has between there and the ring; then the place in the ring."""
        hub = self.hub
        complete = await hub.reached(key[0])
        while complete and key < hub.ring.floor:
            page = await hub.kept(self.db, key[0] if key[1] < LAST else key[0] + 1)
            complete = page is not None
            for event in page or ():
                yield self._of_outbox(event, key)
            key = (page[-1].id, LAST) if page else hub.ring.floor
        if complete:
            self._next = hub.ring.after(key)
        else:
            self._next = hub.ring.end
            yield frames.reset("what followed that event is not kept any more", now(), hub.id)

    def _of_outbox(self, event: outbox.Event, key: Key) -> bytes:
        made = frames.facts(event, self.hub.market, self.hub.name)
        return b"".join(frame.data for frame in made if frame.key > key and self._wants(frame))
