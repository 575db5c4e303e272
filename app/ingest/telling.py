"""How collectors fare, and what they could not read, on the way into the database."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.db import Database
from app.ingest.heard import Health
from app.ingest.spec import Bad
from app.services import collectors, error_log, log
from app.services.collectors import Report

KEPT_BODIES, KEPT_REJECTS, KEPT_ERRORS = 20, 1000, 100
"""What cannot be read is told of so far between one telling and the next."""
LIVE, PLACE = "live", "collector"
NOT_AGAIN = timedelta(hours=1)
"""The same error is written down no more often."""


@dataclass(frozen=True, slots=True)
class Fares:
    """A connection or a poll: its id, path or dataset, how much it is subscribed for, and its health."""

    id: str
    channel: str
    subscriptions: int
    health: Health


@dataclass(slots=True)
class Telling:
    """What is to be told of the collectors of a source, or of those of the ticks of a currency (`deribit:BTC`)."""

    db: Database
    source: str
    whose: str = ""
    _refused: Counter[Bad] = field(default_factory=Counter[Bad])
    _unread: deque[log.Unread] = field(default_factory=lambda: deque[log.Unread](maxlen=KEPT_BODIES))
    _wrong: dict[tuple[str, str], None] = field(default_factory=dict[tuple[str, str], None])
    _written: dict[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])
    _counted: dict[str, tuple[datetime, int]] = field(default_factory=dict[str, tuple[datetime, int]])

    def reject(self, bad: Iterable[Bad]) -> None:
        """Rows that could not be read are counted."""
        for row in bad:
            if row in self._refused or len(self._refused) < KEPT_REJECTS:
                self._refused[row] += 1

    def put_aside(self, unread: log.Unread) -> None:
        """A frame or a body nobody could read is kept."""
        self._unread.append(unread)

    def wrong(self, code: str, message: str) -> None:
        """Something went wrong that an operator should know of."""
        if len(self._wrong) < KEPT_ERRORS:
            self._wrong[code, message] = None

    async def tell(self, told: Iterable[Fares], now: datetime) -> None:
        """Write it down. Raises whatever the database raises: what is not written is told the next time."""
        await collectors.tell(self.db, self.whose or self.source, [self._report(one, now) for one in told])
        refused = self._refused.copy()
        await log.reject(self.db, self.source, LIVE, _one_each(refused))
        self._refused -= refused
        while self._unread:
            await log.keep_body(self.db, self.source, LIVE, self._unread[0])
            self._unread.popleft()
        await self._tell_errors(now)

    async def _tell_errors(self, now: datetime) -> None:
        self._written = {one: at for one, at in self._written.items() if now - at < NOT_AGAIN}
        wrong, self._wrong = self._wrong, {}
        for one in wrong.keys() - self._written.keys():
            await error_log.note_error(self.db, PLACE, *one, self.source)
            self._written[one] = now

    def _report(self, one: Fares, now: datetime) -> Report:
        health = one.health
        since, before = self._counted.get(one.id, (now, health.messages))
        self._counted[one.id] = now, health.messages
        return Report(
            id=one.id,
            source=self.source,
            channel=one.channel,
            state=health.state,
            subscriptions=one.subscriptions,
            connected_at=health.connected_at,
            last_message_at=health.last_message_at,
            messages=health.messages,
            messages_per_s=(health.messages - before) / (now - since).total_seconds() if now > since else None,
            lag_s=(now - health.newest).total_seconds() if health.newest else None,
            dropped=health.dropped,
            reconnects=health.reconnects,
            error=health.error,
        )


def _one_each(refused: Counter[Bad]) -> list[log.Rejected]:
    """Rows of the same code and symbol as one, with the last reason."""
    count: Counter[tuple[str, str]] = Counter()
    reasons: dict[tuple[str, str], str] = {}
    for bad, times in refused.items():
        count[bad.code, bad.symbol or ""] += times
        reasons[bad.code, bad.symbol or ""] = bad.reason
    return [log.Rejected(*key, reasons[key], times) for key, times in count.items()]
