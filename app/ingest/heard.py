"""What a frame holds, and how a connection fares. No I/O, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast, get_args

from pydantic_core import from_json, to_json

from app.ingest.socket import Known
from app.ingest.spec import Answer, Bad, Message, Said, Socket
from app.ingest.topics import key_of
from app.records import (
    BookChange,
    Candle,
    Fact,
    Liquidation,
    OpenInterest,
    OptionTrade,
    PredictedFunding,
    Quote,
    Record,
    Tick,
    Trade,
)

NOT_IN_SHAPE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What reading JSON of another shape than was expected raises: the frame is put aside, the connection stays."""

DATASETS: dict[type[Record], str] = {
    Candle: "candles_1m",
    Trade: "taker_volume",
    Liquidation: "liquidations",
    OpenInterest: "open_interest",
    PredictedFunding: "predicted_funding",
    Quote: "quotes",
    OptionTrade: "trades",
    BookChange: "book",
}
TIMED = frozenset[type[Record]](get_args(Fact | Trade | Tick))
"""Records that are of a time."""

ANSWERS = (Said.DONE, Said.REFUSED)
OF_TOPICS = (Said.DATA, *ANSWERS)

State = Literal["connecting", "connected", "waiting", "closed"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame: what it is, what it holds, and why it could not be read if it could not.

    `about`: the key of the topic it is of, where it says so. `answer`: what it says of one frame of ours, by keys.
    """

    said: Said
    records: list[Record] = field(default_factory=list[Record])
    bad: list[Bad] = field(default_factory=list[Bad])
    unread: str | None = None
    about: str | None = None
    answer: Answer | None = None

    @property
    def newest(self) -> datetime | None:
        """The newest time its rows are of."""
        return max((_time(record) for record in self.records if type(record) in TIMED), default=None)

    @property
    def tells(self) -> Iterable[tuple[str, str]]:
        """Datasets and symbols its rows are of."""
        return ((DATASETS[type(record)], record.symbol) for record in self.records if type(record) in DATASETS)


def _time(record: Record) -> datetime:
    return record.closes if isinstance(record, Candle) else cast("Fact | Trade | Tick", record).time


def hear(socket: Socket, message: Message, known: Known) -> Heard:
    """What a frame holds. One of another shape than was expected is told as such, and so is one of unreadable rows."""
    try:
        said = socket.said(message)
        rows = list(socket.rows(message, known)) if said is Said.DATA else []
        topic = socket.about(message) if said in OF_TOPICS else None
        answer = socket.answer(message) if said in ANSWERS else None
    except NOT_IN_SHAPE as error:
        return Heard(Said.NOTHING, unread=f"{type(error).__name__}: {error}")
    bad = [row for row in rows if isinstance(row, Bad)]
    if bad and all(isinstance(row, Bad) and row.code == "unreadable" for row in rows):
        return Heard(said, unread=f"none of {len(rows)} rows can be read: {bad[0].reason}")
    records = [row for row in rows if row is not None and not isinstance(row, Bad)]
    about = None if topic is None else key_of(topic)
    return Heard(said, records, bad, about=about, answer=answer and _by_keys(answer))


def _by_keys(answer: Answer) -> Answer:
    return Answer(key_of(answer.first), {key_of(topic) for topic in answer.taken})


def read_message(frame: str | bytes) -> Message:
    """A frame as JSON, or as the text it is."""
    try:
        return from_json(frame)
    except ValueError:
        return frame if isinstance(frame, str) else frame.decode(errors="replace")


def as_text(message: Message) -> str:
    """A frame as it is sent."""
    return message if isinstance(message, str) else to_json(message).decode()


def as_body(message: Message) -> bytes:
    """A frame as it is put aside."""
    return message.encode() if isinstance(message, str) else to_json(message)


@dataclass(slots=True)
class Health:
    """How a connection fares, or a poll. Counts are since its beginning; `newest` is a time of the exchange."""

    state: State = "connecting"
    connected_at: datetime | None = None
    last_message_at: datetime | None = None
    newest: datetime | None = None
    messages: int = 0
    dropped: int = 0
    connections: int = 0
    error: str | None = None

    @property
    def reconnects(self) -> int:
        """How often it had to be opened anew."""
        return max(0, self.connections - 1)

    def opened(self, at: datetime) -> None:
        """A connection is open."""
        self.state, self.connected_at, self.last_message_at = "connected", at, at
        self.connections += 1

    def failed(self, why: str) -> None:
        """It is open no more."""
        self.state, self.error = "waiting", why

    def heard(self, at: datetime, heard: Heard) -> None:
        """A frame has come."""
        self.last_message_at = at
        self.messages += 1
        self.dropped += len(heard.bad) + (heard.unread is not None)
        newest = heard.newest
        if newest and (self.newest is None or newest > self.newest):
            self.newest = newest
