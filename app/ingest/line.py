"""A place for topics at one socket: what is wanted, since when it is told of, and who hears it. No I/O."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from app.ingest.heard import Health, Heard
from app.ingest.socket import Known
from app.ingest.spec import Json, Message, Socket
from app.ingest.topics import Subscriptions, Tells, Topic, by_told

SILENT = timedelta(minutes=2, seconds=10)
"""Candles of one contract that did not come for so long, while others did, are asked for again."""
TALKING = timedelta(seconds=70)
MOST_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, and how to wait: its seconds may be shorter than those of the wall."""

    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class Listener(Protocol):
    """Who hears a line."""

    def hear(self, line: "Line", message: Message, heard: Heard) -> None:
        """A frame has come."""

    def lost(self, line: "Line", keys: Iterable[str]) -> None:
        """These topics are not listened to any more."""

    def found(self, line: "Line", broken: Mapping[str, datetime]) -> None:
        """These are again; when each was last heard."""

    def gave_up(self, line: "Line", key: str) -> None:
        """This topic is refused, or not answered."""


class Talk(Protocol):
    """A connection of a line."""

    subscriptions: Subscriptions
    last: datetime

    def change(self, new: list[str], gone: Mapping[str, Json]) -> None:
        """Subscribe for more topics, and for others no more."""

    async def stop(self) -> None:
        """Close it."""


@dataclass(slots=True, eq=False)
class Line:
    """One connection, or for a moment two of which the newer takes over.

    `topics` are wanted, by key. `since` tells from when on each has been listened to without a break, `broken` when
    one that has a break was last heard; the stretch before the last break is remembered.
    """

    id: str
    source: str
    socket: Socket
    clock: Clock
    listener: Listener
    known: Known
    topics: dict[str, Topic] = field(default_factory=dict[str, Topic])
    health: Health = field(default_factory=Health)
    since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    broken: dict[str, datetime] = field(default_factory=dict[str, datetime])
    sessions: list[Talk] = field(default_factory=list[Talk])
    tellers: dict[Tells, str] = field(default_factory=dict[Tells, str])
    _before: dict[str, tuple[datetime, datetime]] = field(default_factory=dict[str, tuple[datetime, datetime]])
    _candles: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _asked_again: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _patience: dict[str, timedelta] = field(default_factory=dict[str, timedelta])

    def want(self, topics: dict[str, Topic], known: Known) -> None:
        """Listen to these from now on, and to no others."""
        old, new = self.topics, [key for key in topics if key not in self.topics]
        gone = {key: topic.said for key, topic in old.items() if key not in topics}
        self.topics, self.known, self.tellers = topics, known, by_told(topics)
        for kept in (self.since, self.broken, self._before, self._candles, self._asked_again, self._patience):
            for key in gone:
                kept.pop(key, None)
        for session in self.sessions:
            session.change(new, gone)

    def told_by(self, heard: Heard) -> set[str]:
        """The topics that rows are of. Candles are remembered, so that silence is noticed."""
        keys = {self.tellers.get(tells) or self.tellers.get((tells[0], None)) for tells in heard.tells}
        return {key for key in keys if key}

    def hear(self, message: Message, heard: Heard, at: datetime) -> None:
        """Take a frame."""
        self.health.heard(at, heard)
        for tells in heard.tells:
            if tells[0] == "candles_1m" and (key := self.tellers.get(tells)):
                self._candles[key] = at
                self._patience.pop(key, None)
        self.listener.hear(self, message, heard)

    def suspicious(self, now: datetime) -> set[str]:
        """Topics of candles that did not come for long while others did. Each is named less and less often."""
        if max(self._candles.values(), default=now - SILENT) < now - TALKING:
            return set()
        asked = {key for (dataset, symbol), key in self.tellers.items() if dataset == "candles_1m" and symbol}
        silent = {key for key in asked if now - self._last(key, now) >= self._patience.get(key, SILENT)}
        for key in silent:
            self._asked_again[key] = now
            self._patience[key] = min(2 * self._patience.get(key, SILENT), MOST_PATIENCE)
        return silent

    def _last(self, key: str, now: datetime) -> datetime:
        """When a topic was last heard, asked for again, or began."""
        heard = (kept[key] for kept in (self._candles, self._asked_again, self.since) if key in kept)
        return max(heard, default=now)

    def covers(self, tells: Tells, start: datetime, end: datetime) -> bool:
        """Whether a dataset of a symbol was listened to without a break from one time to another."""
        key = self.tellers.get(tells) or self.tellers.get((tells[0], None))
        if key is None:
            return False
        stretches = [self._before[key]] if key in self._before else []
        if key in self.since and self.health.last_message_at:
            stretches.append((self.since[key], self.health.last_message_at))
        return any(since <= start and end <= last for since, last in stretches)

    def took(self, keys: set[str]) -> None:
        """The upstream tells of these topics from now on."""
        fresh = (keys & self.topics.keys()) - self.since.keys()
        self.since |= dict.fromkeys(fresh, self.clock.now())
        broken = {key: self.broken.pop(key) for key in fresh if key in self.broken}
        if broken:
            self.listener.found(self, broken)

    def ended(self, session: Talk) -> None:
        """A connection is over, and with it what no other connection tells of."""
        self.sessions.remove(session)
        others = set[str]().union(*(other.subscriptions.up for other in self.sessions))
        gone = self.since.keys() - others
        for key in gone:
            self._before[key] = self.since.pop(key), session.last
            self.broken[key] = max(self._before[key])
        if gone:
            self.listener.lost(self, gone)
