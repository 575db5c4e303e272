"""The words for live sockets: where they are, what to say, and what is said. No I/O, no clock.

A source describes its sockets; `ingest.stream` is the only one that opens any.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Literal

from app.ingest.wire import Rows
from app.records import Instrument

Json = Any
Message = Json | str
"""A frame: JSON as it reads, or text that is none."""


class Said(Enum):
    """What a frame is that holds no rows."""

    DATA = "data"  # it does: read them
    DONE = "done"  # a subscription is taken
    REFUSED = "refused"  # a subscription is not
    ALIVE = "alive"  # an answer to our ping
    CLOSING = "closing"  # the upstream is about to close: connect anew
    THROTTLED = "throttled"  # we ask too much, which ends the connection: another one after a while
    LET_IN = "let in"  # our login is taken
    KEPT_OUT = "kept out"  # our login is refused, which ends the connection: another one after a while
    NOTHING = "nothing"  # of no interest


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of subscription of a socket and the dataset it tells.

    `topic` is what to subscribe for one instrument, or for all (`instrument` None) where `scope` is market.
    """

    dataset: Literal[
        "candles_1m",
        "predicted_funding",
        "open_interest",
        "liquidations",
        "taker_volume",
        "quotes",
        "trades",
        "book",
    ]
    scope: Literal["market", "instrument"]
    topic: Callable[[Instrument | None], Json]


@dataclass(frozen=True, slots=True)
class Answer:
    """Which frame of ours an answer is to, by the topic it began with, and which of its topics are taken.

    Those it does not name are not told of, without another word.
    """

    first: Json
    taken: Collection[Json] = ()


def _of_none(message: Message) -> None:
    return None


def _without_a_word(key: str | None) -> Sequence[Message]:
    return ()


@dataclass(frozen=True, slots=True)
class Socket:
    """One address of an upstream that tells of the minute as it passes.

    `url` may be replaced by `<SOURCE>_WS_URL` in scheme, host and port; `path` is appended. `subscribe` makes a frame
    that asks for topics, at most `topics_a_frame`; one connection takes at most `topics_a_connection` of them, and no
    more than `frames_a_second` of ours. `said` tells what a frame is, `rows` what one of `Said.DATA` holds: candles
    (only finished ones where `closes`; else each as it stands: finished when a later one comes or its minute is over),
    samples, `Trade`s, `Liquidation`s, `Bad`s or None. `ping` is sent where nothing came for `silence` (None: the
    protocol's own pings do), and a connection silent for `dead_after` times as long is dead. After `lasts` the upstream
    ends a connection whatever happens. `about` tells which topic a frame is of: of rows, where they say so themselves;
    of a `Said.DONE` or `Said.REFUSED`, where it is of one. `answer` reads one that says which frame it is to, and what
    of it is taken. Where neither tells, it is of all topics of the oldest frame not answered yet. `unsubscribe` makes a
    frame that gives topics up; without it what is not wanted any more is told until the connection ends.
    `hello` makes the frames that every connection begins with, of our key or None: they are in no log. Where it
    `logs_in` with a key, nothing is subscribed for before that is answered. `reply` is what
    a frame without rows wants to be answered at once, however much else waits to be said, or None.
    """

    id: str
    url: str
    path: str
    channels: tuple[Channel, ...]
    subscribe: Callable[[Sequence[Json]], Message]
    said: Callable[[Message], Said]
    rows: Callable[[Message, "Known"], Rows]
    docs: str
    ping: Message | None = None
    silence: timedelta = timedelta(seconds=20)
    topics_a_frame: int = 100
    topics_a_connection: int = 500
    frames_a_second: float = 4.0
    lasts: timedelta = timedelta(hours=23)
    closes: bool = True
    about: Callable[[Message], Json | None] = _of_none
    unsubscribe: Callable[[Sequence[Json]], Message] | None = None
    hello: Callable[[str | None], Sequence[Message]] = _without_a_word
    reply: Callable[[Message], Message | None] = _of_none
    answer: Callable[[Message], Answer | None] = _of_none
    dead_after: float = 3.0
    logs_in: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What a socket's reader may know: the contracts of its source by native symbol, and which of them are wanted."""

    instruments: "dict[str, Instrument]"
    wanted: Collection[str]
