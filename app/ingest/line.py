"""A place for topics at one socket: what is wanted, since when it is told of, and who hears it. No I/O."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from app.ingest.heard import Health, Heard
from app.ingest.socket import Known
from app.ingest.spec import Json, Message, Socket
from app.ingest.topics import Subscriptions, Tells, Topic, by_told

SILENT = {
    "candles_1m": timedelta(minutes=2, seconds=10),
    "quotes": timedelta(minutes=3),
    "book": timedelta(minutes=3),
    "trades": timedelta(minutes=10),
}
"""A topic of these datasets that was not told for so long, while others were, is asked for again."""
TALKING = timedelta(seconds=70)
MOST_PATIENCE = timedelta(hours=1)
STATES = frozenset({"quotes", "book"})
"""Datasets whose present state is told to who begins to listen..."""
AT_ONCE = timedelta(seconds=5)
"""... so soon; who was there already, and only heard nothing, is told nothing then."""


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

    def renew(self, keys: Collection[str]) -> None:
        """Give these up, and subscribe for them again."""

    async def stop(self) -> None:
        """Close it."""


@dataclass(slots=True, eq=False)
class Line:
    """One connection, or for a moment two of which the newer takes over.

    `topics` are wanted, by key. `since` tells from when on each has been listened to without a break, `broken` when
    one that has a break was last heard; the stretch before the last break is remembered. `key` is told upstream, and
    to nobody else.
    """

    id: str
    source: str
    socket: Socket
    clock: Clock
    listener: Listener
    known: Known
    topics: dict[str, Topic] = field(default_factory=dict[str, Topic])
    key: str | None = field(default=None, repr=False)
    health: Health = field(default_factory=Health)
    since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    broken: dict[str, datetime] = field(default_factory=dict[str, datetime])
    sessions: list[Talk] = field(default_factory=list[Talk])
    tellers: dict[Tells, set[str]] = field(default_factory=dict[Tells, set[str]])
    _before: dict[str, tuple[datetime, datetime]] = field(default_factory=dict[str, tuple[datetime, datetime]])
    _limits: dict[str, timedelta] = field(default_factory=dict[str, timedelta])
    _heard: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _asked_again: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _states: set[str] = field(default_factory=set[str])
    _doubted: set[str] = field(default_factory=set[str])
    _taken_again: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _patience: dict[str, timedelta] = field(default_factory=dict[str, timedelta])

    def want(self, topics: dict[str, Topic], known: Known) -> None:
        """Listen to these from now on, and to no others."""
        old, new = self.topics, [key for key in topics if key not in self.topics]
        gone = {key: topic.said for key, topic in old.items() if key not in topics}
        self.topics, self.known, self.tellers = topics, known, by_told(topics)
        self._limits = {
            key: min(SILENT[dataset] for dataset, _ in topic.tells if dataset in SILENT)
            for key, topic in topics.items()
            if any(dataset in SILENT for dataset, _ in topic.tells)
        }
        self._states = {key for key, topic in topics.items() if any(dataset in STATES for dataset, _ in topic.tells)}
        self._doubted &= topics.keys()
        again = self._asked_again, self._taken_again
        for kept in (self.since, self.broken, self._before, self._heard, self._patience, *again):
            for key in gone:
                kept.pop(key, None)
        for session in self.sessions:
            session.change(new, gone)

    def told_by(self, heard: Heard) -> set[str]:
        """The topics that a frame's rows are of, by what it says itself, else by what they are."""
        if heard.about is not None:
            return {heard.about} if heard.about in self.topics else set()
        return {key for dataset, symbol in heard.tells for key in self._of((dataset, symbol))}

    def hear(self, message: Message, heard: Heard, keys: Iterable[str], at: datetime) -> None:
        """Take a frame, whose rows are of these topics."""
        self.health.heard(at, heard)
        for key in keys:
            if key in self._limits:
                self._revive(key, at)
                self._heard[key] = at
                self._patience.pop(key, None)
        self.listener.hear(self, message, heard)

    def renew(self, keys: Collection[str]) -> None:
        """Listen to these anew, on the same connection: who tells changes begins with what they are changes of."""
        for session in self.sessions:
            session.renew(keys)

    def suspicious(self, now: datetime) -> set[str]:
        """Topics that were not told for long while others were. Each is named less and less often."""
        if max(self._heard.values(), default=now - 2 * TALKING) < now - TALKING:
            return set()
        patience = self._limits | self._patience
        silent = {key for key in self._limits if now - self._last(key, now) >= patience[key]}
        self._doubted |= silent & self._states
        for key in silent:
            self._asked_again[key] = now
            self._patience[key] = min(2 * patience[key], MOST_PATIENCE)
        return silent

    def _last(self, key: str, now: datetime) -> datetime:
        """When a topic was last heard, asked for again, or began."""
        heard = (kept[key] for kept in (self._heard, self._asked_again, self.since) if key in kept)
        return max(heard, default=now)

    def _revive(self, key: str, at: datetime) -> None:
        """What was silent, and at once tells how it stands when asked for again, had been dropped upstream."""
        again = self._taken_again.pop(key, None)
        if again is None or at - again > AT_ONCE or key not in self.since:
            return
        last = self._heard.get(key, self.since[key])
        self._before[key], self.since[key] = (self.since[key], last), at
        self.listener.found(self, {key: last})

    def _of(self, tells: Tells) -> set[str]:
        return self.tellers.get(tells) or self.tellers.get((tells[0], None)) or set()

    def covers(self, tells: Tells, start: datetime, end: datetime) -> bool:
        """Whether a dataset of a symbol was listened to without a break from one time to another."""
        keys = self._of(tells)
        return bool(keys) and all(self._covers(key, start, end) for key in keys)

    def _covers(self, key: str, start: datetime, end: datetime) -> bool:
        stretches = [self._before[key]] if key in self._before else []
        if key in self.since and self.health.last_message_at:
            stretches.append((self.since[key], self.health.last_message_at))
        return any(since <= start and end <= last for since, last in stretches)

    def took(self, keys: set[str]) -> None:
        """The upstream tells of these topics from now on."""
        fresh = (keys & self.topics.keys()) - self.since.keys()
        self.since |= dict.fromkeys(fresh, self.clock.now())
        self._taken_again |= dict.fromkeys((keys & self._doubted) - fresh, self.clock.now())
        self._doubted -= keys
        broken = {key: self.broken.pop(key) for key in fresh if key in self.broken}
        if broken:
            self.listener.found(self, broken)

    def ended(self, session: Talk) -> None:
        """A connection is over, and with it what no other connection tells of."""
        self.sessions.remove(session)
        self._lose(dict.fromkeys(self.since, session.last))

    def gave_up(self, key: str) -> None:
        """A topic is refused, or not answered: of one that was told until now, and was asked for again, too."""
        self._lose({key: self._heard.get(key, self.since[key])} if key in self.since else {})
        self.listener.gave_up(self, key)

    def _lose(self, last: Mapping[str, datetime]) -> None:
        """These were last heard then, unless another connection tells of them."""
        gone = last.keys() - set[str]().union(*(session.subscriptions.up for session in self.sessions))
        for key in gone:
            self._before[key] = self.since.pop(key), last[key]
            self.broken[key] = max(self._before[key])
        if gone:
            self.listener.lost(self, gone)
