"""What to subscribe for, on which connection, and what became of it. No I/O, no clock."""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from app.ingest.spec import Answer, Json, Socket
from app.records import Instrument

PATIENCE = timedelta(seconds=10)
"""So long an upstream may take to answer a subscription."""
TRIES = 3
"""So often a single topic is asked for until it is given up."""
GIVEN_UP_FOR, DOUBLINGS = timedelta(minutes=5), 3
"""Then it is asked for once more after so long; longer each time, until the wait has doubled so often."""

Tells = tuple[str, str | None]
"""A dataset and the symbol it is told of; None: of all."""


def key_of(topic: Json) -> str:
    """A topic as one word, whatever the order of its parts."""
    return _quoted(topic) if isinstance(topic, str) else json.dumps(topic, sort_keys=True)


@lru_cache(2**14)
def _quoted(topic: str) -> str:
    """Said with every frame of many upstreams."""
    return json.dumps(topic)


@dataclass(frozen=True, slots=True)
class Topic:
    """Something to subscribe for: as it is said upstream, and what it tells."""

    said: Json
    tells: frozenset[Tells]


def topics_of(socket: Socket, instruments: Iterable[Instrument]) -> dict[str, Topic]:
    """The topics of a socket for these instruments, by key, those of all markets and the first instruments first."""
    found: dict[str, Topic] = {}
    subjects = [None, *instruments]
    for one in subjects:
        for channel in socket.channels:
            if (channel.scope == "market") is (one is None) and (said := channel.topic(one)) is not None:
                key = key_of(said)
                tells = found[key].tells if key in found else frozenset[Tells]()
                found[key] = Topic(said, tells | {(channel.dataset, one and one.symbol)})
    return found


def shared_out(topics: Iterable[str], held: Sequence[Collection[str]], most: int) -> list[list[str]]:
    """Topics by connection, none with more than `most`: what is `held` stays where it is, the rest where there is room.

    A connection that nothing is left of has an empty list; there are more of them at the end where they are needed.
    """
    wanted = list(topics)
    there = {key for keys in held for key in keys}
    shares = [[key for key in wanted if key in keys] for keys in held]
    for key in wanted:
        if key not in there:
            room = next((share for share in shares if len(share) < most), None)
            if room is None:
                shares.append(room := [])
            room.append(key)
    return shares


@dataclass(slots=True)
class _Frame:
    """Topics in one frame of ours: `open` are to be taken or refused yet, `unanswered` those no answer was about.

    `first` is the one it began with.
    """

    open: set[str]
    sent: datetime
    unanswered: set[str] = field(default_factory=set[str])
    first: str | None = None


@dataclass(slots=True)
class Subscriptions:
    """The subscriptions of one connection while it lasts.

    A frame that is refused or not answered is sent again as its two halves, so that one bad topic does not cost the
    others; a topic alone a few times more, after a rest. `up` are those taken, `refused` those given up for now.
    """

    frame: int
    up: set[str] = field(default_factory=set[str])
    refused: set[str] = field(default_factory=set[str])
    _waiting: deque[tuple[str, ...]] = field(default_factory=deque[tuple[str, ...]])
    _asked: list[_Frame] = field(default_factory=list[_Frame])
    _resting: list[_Frame] = field(default_factory=list[_Frame])
    _tries: Counter[str] = field(default_factory=Counter[str])
    _renewed: set[str] = field(default_factory=set[str])
    _retried_at: dict[str, datetime] = field(default_factory=dict[str, datetime])

    @property
    def is_settled(self) -> bool:
        """Whether every topic is taken or given up."""
        return not (self._waiting or self._resting or any(frame.open for frame in self._asked))

    def want(self, keys: Iterable[str]) -> None:
        """Ask for these."""
        wanted = list(keys)
        self._waiting += [tuple(wanted[at : at + self.frame]) for at in range(0, len(wanted), self.frame)]

    def again(self, keys: Collection[str]) -> None:
        """Ask once more for what was taken."""
        if keys:
            self.up -= set(keys)
            self.want(keys)

    def renew(self, keys: Collection[str]) -> set[str]:
        """Ask anew for what was taken and is given up for it; which these are. Until that is answered, rows of these
        are of the old subscription."""
        taken = self.up & set(keys)
        self._renewed |= taken
        self.again(taken)
        return taken

    def drop(self, keys: Collection[str]) -> None:
        """These are not wanted any more."""
        gone = set(keys)
        self.up -= gone
        self.refused -= gone
        self._renewed -= gone
        for key in gone:
            self._retried_at.pop(key, None)
        left = (tuple(key for key in frame if key not in gone) for frame in self._waiting)
        self._waiting = deque(frame for frame in left if frame)
        for frame in (*self._asked, *self._resting):
            frame.open -= gone
        self._resting = [frame for frame in self._resting if frame.open]

    def next(self, now: datetime) -> tuple[str, ...] | None:
        """The topics to be asked for in the next frame, which is taken to be sent now."""
        if not self._waiting:
            return None
        frame = self._waiting.popleft()
        self._asked.append(_Frame(set(frame), now, set(frame), frame[0]))
        return frame

    def done(self, about: str | None) -> set[str]:
        """A subscription is taken: which topics are. `about` None: all of the oldest frame."""
        return self._taken(self._answered(about))

    def answered(self, answer: Answer, now: datetime) -> tuple[set[str], set[str]]:
        """An answer to one frame that names the topics taken: which are, and which are given up for it.

        The others of that frame are asked for once more after a rest, all at once: it is known which they are.
        """
        asked = self._answered_frame(answer.first)
        taken = asked & set(answer.taken)
        return self._taken(taken), self._rest(asked - taken, now)

    def told_of(self, key: str) -> set[str]:
        """Rows of a topic have come: then it is taken, whatever the answer was."""
        if key in self.up or key in self._renewed:
            return set()
        self.drop([key])
        self.up.add(key)
        return {key}

    def is_refused(self, about: str | None, now: datetime, first: str | None = None) -> set[str]:
        """A subscription is refused: which topics are given up for it, others being asked for again.

        `first`: of the frame that began with that topic.
        """
        return self._again(self._answered(about) if first is None else self._answered_frame(first), now)

    def overdue(self, now: datetime) -> set[str]:
        """What was not answered is asked for again, but for those given up, which are returned."""
        late = [frame for frame in self._asked if frame.sent + PATIENCE <= now]
        self._asked = [frame for frame in self._asked if frame.sent + PATIENCE > now]
        given_up = set[str]().union(*(self._again(frame.open, now) for frame in late))
        rested = [frame for frame in self._resting if frame.sent + PATIENCE <= now]
        self._resting = [frame for frame in self._resting if frame.sent + PATIENCE > now]
        self._waiting += [tuple(frame.open) for frame in rested]
        return given_up

    def retry(self, now: datetime) -> None:
        """What was given up some minutes ago is asked for once more: it may have been refused for a while only."""
        due = [key for key, at in self._retried_at.items() if at <= now]
        for key in due:
            del self._retried_at[key]
        self.refused -= set(due)
        self.want(due)

    def _answered(self, about: str | None) -> set[str]:
        """The topics an answer is about, which are open no more. A frame nothing is open of may be answered yet."""
        if about is None:
            return self._asked.pop(0).open if self._asked else set()
        found = {about} & set[str]().union(*(frame.open for frame in self._asked))
        for frame in self._asked:
            frame.open.discard(about)
            frame.unanswered.discard(about)
        self._asked = [frame for frame in self._asked if frame.unanswered]
        return found

    def _answered_frame(self, first: str) -> set[str]:
        """The open topics of the frame that began with that one, which waits for no answer any more."""
        frame = next((frame for frame in self._asked if frame.first == first), None)
        if frame is None:
            return set()
        self._asked.remove(frame)
        return frame.open

    def _taken(self, keys: set[str]) -> set[str]:
        self.up |= keys
        self._renewed -= keys
        for key in keys:
            del self._tries[key]
        return keys

    def _again(self, keys: Collection[str], now: datetime) -> set[str]:
        ordered = sorted(keys)
        if len(ordered) < 2:
            return self._rest(keys, now)
        middle = len(ordered) // 2
        self._waiting += [tuple(ordered[:middle]), tuple(ordered[middle:])]
        return set()

    def _rest(self, keys: Collection[str], now: datetime) -> set[str]:
        """Ask for these after a rest, in one frame. Those that were asked for often enough are given up: which."""
        self._tries.update(keys)
        given_up = {key for key in keys if self._tries[key] >= TRIES}
        left = set(keys) - given_up
        self._resting += [_Frame(left, now)] if left else []
        self.refused |= given_up
        for key in given_up:
            self._retried_at[key] = now + GIVEN_UP_FOR * 2 ** min(self._tries[key] - TRIES, DOUBLINGS)
        self._renewed -= given_up
        return given_up


def by_told(topics: Mapping[str, Topic]) -> dict[Tells, set[str]]:
    """Which topics tell what."""
    found = defaultdict[Tells, set[str]](set)
    for key, topic in topics.items():
        for tells in topic.tells:
            found[tells].add(key)
    return dict(found)
