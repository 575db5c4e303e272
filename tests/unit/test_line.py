"""A line without a connection: what is silent, what was dropped, and what was listened to all the time."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.ingest.heard import Heard
from app.ingest.line import Clock, Line
from app.ingest.socket import Known
from app.ingest.spec import Channel, Json, Message, Said, Socket
from app.ingest.topics import Subscriptions, key_of, topics_of
from app.records import Instrument

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
SYMBOLS = ("A", "B", "C")


@dataclass
class Ear:
    """Who listens."""

    found_again: list[Mapping[str, datetime]] = field(default_factory=list)
    lost_keys: list[set[str]] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    def hear(self, line: Line, message: Message, heard: Heard) -> None: ...

    def lost(self, line: Line, keys: Iterable[str]) -> None:
        self.lost_keys.append(set(keys))

    def found(self, line: Line, broken: Mapping[str, datetime]) -> None:
        self.found_again.append(broken)

    def gave_up(self, line: Line, key: str) -> None:
        self.given_up.append(key)


@dataclass
class Connection:
    """What a line says to its connection."""

    renewed: list[str] = field(default_factory=list)
    subscriptions: Subscriptions = field(default_factory=lambda: Subscriptions(10))
    last: datetime = START

    def change(self, new: list[str], gone: Mapping[str, Json]) -> None: ...

    def renew(self, keys: Collection[str]) -> None:
        self.renewed += keys

    async def stop(self) -> None: ...


@dataclass
class Listening:
    """A line to the quotes and books of three instruments and to all trades of two kinds, and its time."""

    now: datetime = START
    ear: Ear = field(default_factory=Ear)
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        channels = (
            Channel("trades", "market", lambda _: "trades.option"),
            Channel("trades", "market", lambda _: "trades.future"),
            Channel("quotes", "instrument", lambda one: one and f"quote.{one.symbol}"),
            Channel("book", "instrument", lambda one: one and f"book.{one.symbol}"),
        )
        socket = Socket("x", "ws://x", "/x", channels, list, lambda _: Said.DATA, lambda *_: (), "https://x")
        instruments = [Instrument(symbol, symbol, "USD") for symbol in SYMBOLS]
        self.line = Line("x:0", "x", socket, Clock(lambda: self.now), self.ear, Known({}, ()))
        self.line.want(topics_of(socket, instruments), Known({}, ()))
        self.line.took(set(self.line.topics))

    def tell(self, *topics: str) -> None:
        for topic in topics:
            heard = Heard(Said.DATA, about=key_of(topic))
            self.line.hear({}, heard, self.line.told_by(heard), self.now)

    def wait(self, length: timedelta, *topics: str) -> list[tuple[int, set[str]]]:
        """Time passes while these are told of each second; what was suspicious, and after how many seconds."""
        found: list[tuple[int, set[str]]] = []
        for second in range(round(length / SECOND)):
            self.now += SECOND
            self.tell(*topics)
            if silent := self.line.suspicious(self.now):
                found.append((second + 1, silent))
        return found


def test_what_is_silent_while_others_talk_is_named_less_and_less_often() -> None:
    made = Listening()
    talking = [f"{kind}.{symbol}" for kind in ("quote", "book") for symbol in SYMBOLS[1:]]
    found = made.wait(30 * MINUTE, *talking)
    of_a = {key_of("quote.A"), key_of("book.A")}
    assert [(second, keys) for second, keys in found if keys == of_a] == [(180, of_a), (540, of_a), (1260, of_a)]
    trades = {key_of("trades.option"), key_of("trades.future")}
    assert [(second, keys) for second, keys in found if keys != of_a] == [(600, trades), (1800, trades)]


def test_silence_of_all_is_not_suspicious() -> None:
    made = Listening()
    made.tell("quote.A")
    assert made.wait(30 * MINUTE) == []


def test_what_tells_how_it_stands_when_asked_for_again_had_been_dropped() -> None:
    made = Listening()
    made.tell("quote.A", "book.A")
    heard = made.now
    made.wait(3 * MINUTE, "quote.B", "book.B", "quote.C", "book.C")
    made.line.took({key_of("quote.A"), key_of("book.A")})
    made.now += SECOND
    made.tell("quote.A")
    assert made.ear.found_again == [{key_of("quote.A"): heard}]
    made.now += 5 * SECOND
    made.tell("book.A")
    assert len(made.ear.found_again) == 1, "it said nothing for long, and only then something new"
    assert not made.line.covers(("quotes", "A"), heard, heard + MINUTE)
    assert made.line.covers(("book", "A"), heard, heard + MINUTE)
    made.now += MINUTE
    made.tell("quote.A")
    assert made.line.covers(("quotes", "A"), made.now - MINUTE, made.now)
    assert len(made.ear.found_again) == 1


def test_trades_are_covered_where_both_kinds_are() -> None:
    made, end = Listening(), START + MINUTE
    made.wait(2 * MINUTE, "trades.option")
    assert made.line.covers(("trades", "A"), START, end), "of whatever instrument"
    made.line.since.pop(key_of("trades.future"))
    assert not made.line.covers(("trades", "A"), START, end)
    assert not made.line.covers(("liquidations", "A"), START, end)


def test_topics_are_renewed_on_every_connection() -> None:
    made, here, there = Listening(), Connection(), Connection()
    made.line.sessions += [here, there]
    made.line.renew([key_of("book.A")])
    assert here.renewed == there.renewed == [key_of("book.A")]


def test_what_was_told_and_is_given_up_is_lost_from_when_it_was_last_heard() -> None:
    made, key = Listening(), key_of("quote.A")
    made.tell("quote.A")
    made.now += MINUTE
    made.tell("quote.B")
    made.line.gave_up(key)
    made.line.gave_up(key_of("quote.D"))
    assert made.ear.lost_keys == [{key}]
    assert made.ear.given_up == [key, key_of("quote.D")]
    assert made.line.broken == {key: START}
    assert not made.line.covers(("quotes", "A"), START, made.now)
    assert made.line.covers(("quotes", "B"), START, made.now)


def test_a_key_is_not_shown() -> None:
    made = Listening()
    made.line.key = "reader:a-word-nobody-may-see"
    assert "nobody" not in repr(made.line)
