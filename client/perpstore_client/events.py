"""Server-sent events: bytes as events, and how to go on where a connection ended."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from perpstore_client.problems import PerpstoreError, Throttled, Unavailable
from perpstore_client.question import Question

MEDIA = "text/event-stream"
QUIET = 60.0
"""Seconds without a byte, not even a heartbeat, after which a connection counts as dead."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its id (to resume after it), its name (`funding`, `spreads`, `dropped`, `reset`), its data."""

    id: str | None
    name: str
    data: Any


@dataclass(slots=True)
class Feed:
    """What was heard so far of a stream that is connected to again and again.

    A stream that breaks is asked for again, from after `last_id`; after `tries` times in a row without a byte it is
    given up.
    """

    topics: str
    last_id: str | None
    tries: int
    wait: float = 1.0
    failures: int = 0
    _rest: bytes = b""
    _told: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def question(self) -> Question:
        """The request for what comes after the last event; forgets an event of which only a part has come."""
        self._rest, self._told = b"", {}
        resume = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        return Question("/stream", {"topics": self.topics}, accept=MEDIA, headers=resume)

    def failed(self, error: PerpstoreError) -> float:
        """Seconds to wait before trying again. Raises the error where that is of no use, or was done often enough."""
        self.failures += 1
        if self.failures >= self.tries or not isinstance(error, Throttled | Unavailable):
            raise error
        return max(self.wait * 2 ** (self.failures - 1), error.retry_after or 0.0)

    def ended(self) -> float:
        """The same where the server ended it in good order."""
        return self.failed(Unavailable("The stream ends again and again", code="stream_ended"))

    def read(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete. Lines end in LF or CR LF."""
        self.failures = 0
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            event = self._line(line.rstrip(b"\r").decode())
            if event is not None:
                yield event

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._event()
        name, _, value = line.partition(":")
        if name == "retry" and value.strip().isdecimal():
            self.wait = int(value) / 1000
        elif name:
            self._told.setdefault(name, []).append(value.removeprefix(" "))
        return None

    def _event(self) -> Event | None:
        told, self._told = self._told, {}
        if "id" in told:
            self.last_id = told["id"][-1] or None
        if "data" not in told:
            return None
        return Event(self.last_id, told.get("event", ["message"])[-1], _data("\n".join(told["data"])))


def _data(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def feed(topics: str | Sequence[str], last_event_id: str | None, tries: int) -> Feed:
    """A stream of these topics, from after that event."""
    return Feed(topics if isinstance(topics, str) else ",".join(topics), last_event_id, tries)
