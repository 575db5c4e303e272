"""The only socket client: connections to an upstream, opened anew whenever they end.

keep_open ── Session ─┬─ _read    frames as they come → what they hold
                      └─ _speak   subscriptions, pings, and the end of what is dead
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus, WebSocketException

from app.ingest.heard import ANSWERS, Heard, as_text, hear, read_message
from app.ingest.line import Line
from app.ingest.minutes import floor
from app.ingest.opening import connecting
from app.ingest.spec import Json, Message, Said
from app.ingest.topics import Subscriptions
from app.ingest.waiting import Over, Throttled, back_off

NEW_MINUTE = timedelta(seconds=2)
"""Who said nothing so long into a minute is asked: only then is it known that the minute before was heard whole."""
TICK = 0.5
LOGIN_PATIENCE = timedelta(seconds=20)
"""So long an upstream may take to let us in."""
LASTED = timedelta(minutes=1)
"""Who ended sooner is waited for longer each time."""
RENEWED_BEFORE = timedelta(minutes=10)
LOST = (OSError, WebSocketException, ImportError)
"""What a connection may raise; the last, where the environment names a SOCKS proxy: we speak to none."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Session:
    """One connection of a line, from its opening to its end. `retiring`: it is to be followed by another one.

    `let_in`: the login is taken, where there is any."""

    line: Line
    last: datetime
    opened: datetime | None = None
    pinged: datetime | None = None
    retiring: bool = False
    refused: bool = False
    throttled: bool = False
    unwanted: list[Json] = field(default_factory=list[Json])
    let_in: bool = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.let_in = self.line.key is None or not self.line.socket.logs_in
        self.subscriptions = Subscriptions(self.line.socket.topics_a_frame)
        self.subscriptions.want(self.line.topics)

    def start(self) -> None:
        """Connect in the background."""
        self.line.sessions.append(self)
        self._task = asyncio.create_task(self._run(), name=self.line.id)

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended. Raises what was not foreseen."""
        if self._task is None or not self._task.done():
            return False
        self._task.result()
        return True

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, or the connection is over."""
        while not (self.is_over or is_so()):
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Close it."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def change(self, new: list[str], gone: Mapping[str, Json]) -> None:
        """Subscribe for more topics, and for others no more."""
        self.unwanted += gone.values() if self.line.socket.unsubscribe else ()
        self.subscriptions.drop(gone)
        self.subscriptions.want(new)

    def renew(self, keys: Collection[str]) -> None:
        """Give these up, and subscribe for them again, those that are taken."""
        taken = self.subscriptions.renew(keys & self.line.topics.keys())
        if self.line.socket.unsubscribe:
            self.unwanted += [self.line.topics[key].said for key in taken]

    async def _run(self) -> None:
        try:
            await self._talk()
        except* (*LOST, Over) as errors:
            why = errors.exceptions[0]
            self.throttled = isinstance(why, Throttled)
            self.refused = isinstance(why, InvalidStatus) and 400 <= why.response.status_code < 500
            self.line.health.failed(str(why) if isinstance(why, Over) else f"{type(why).__name__}: {why}")
            logger.warning("%s: %s", self.line.id, self.line.health.error)
        finally:
            self.line.ended(self)
            asyncio.get_running_loop().call_soon(self._changed.set)

    async def _talk(self) -> None:
        async with connecting(self.line.source, self.line.socket) as there, asyncio.TaskGroup() as group:
            self.opened = self.last = self.line.clock.now()
            self.line.health.opened(self.opened)
            group.create_task(self._speak(there))
            group.create_task(self._read(there))

    async def _read(self, there: ClientConnection) -> None:
        async for frame in there:
            self.last = self.line.clock.now()
            message = read_message(frame)
            if answer := self._take(message):
                await there.send(as_text(answer))
        raise Over(f"closed by the upstream ({there.close_code} {there.close_reason})")

    def _take(self, message: Message) -> Message | None:
        """Hear a frame; what is to be said to it at once. Raises Over."""
        heard = hear(self.line.socket, message, self.line.known)
        told = self.line.told_by(heard) if heard.said is Said.DATA else set[str]()
        for key in told - self.subscriptions.up:
            self.line.took(self.subscriptions.told_of(key))
        if heard.said in ANSWERS:
            self._answered(heard)
        self.line.hear(message, heard, told, self.last)
        if heard.said is Said.CLOSING:
            self._retire()
        elif heard.said is Said.LET_IN:
            self.let_in = True
        elif heard.said is Said.KEPT_OUT:
            raise Over(f"the upstream does not let us in: {as_text(message)}")
        elif heard.said is Said.THROTTLED:
            raise Throttled(f"the upstream says that we ask too much: {as_text(message)}")
        return None if heard.said is Said.DATA else self.line.socket.reply(message)

    def _answered(self, heard: Heard) -> None:
        """What became of a subscription."""
        subscriptions, answer = self.subscriptions, heard.answer
        if heard.said is Said.REFUSED:
            self._give_up(subscriptions.is_refused(heard.about, self.last, answer and answer.first))
            return
        if answer:
            taken, given_up = subscriptions.answered(answer, self.last)
            self._give_up(given_up)
        else:
            taken = subscriptions.done(heard.about)
        self.line.took(taken)
        self._changed.set()

    def _give_up(self, keys: set[str]) -> None:
        for key in keys:
            self.line.health.error = f"{key} is refused or not answered"
            logger.error("%s: %s", self.line.id, self.line.health.error)
            self.line.gave_up(key)

    def _retire(self) -> None:
        self.retiring = True
        self._changed.set()

    async def _speak(self, there: ClientConnection) -> None:
        """All that we say first, never faster than is allowed; raises Over when nobody is there."""
        socket, clock = self.line.socket, self.line.clock
        for said in socket.hello(self.line.key):
            await there.send(as_text(said))
            await clock.sleep(1 / socket.frames_a_second)
        while True:
            said = self._next(self._check(clock.now()))
            if said is not None:
                await there.send(as_text(said))
            await clock.sleep(TICK if said is None else 1 / socket.frames_a_second)

    def _check(self, now: datetime) -> datetime:
        """End what is dead, let go what is old, and ask again for what was not answered or is silent."""
        socket, silent = self.line.socket, now - self.last
        if silent >= socket.dead_after * socket.silence:
            raise Over(f"silent for {silent.total_seconds():.0f} s")
        if not self.let_in and self.opened and now - self.opened >= LOGIN_PATIENCE:
            raise Over("the login is not answered")
        if self.opened and now - self.opened >= socket.lasts - min(RENEWED_BEFORE, socket.lasts / 10):
            self._retire()
        self._give_up(self.subscriptions.overdue(now))
        self.subscriptions.retry(now)
        self.subscriptions.again(self.line.suspicious(now) & self.subscriptions.up)
        self._changed.set()
        return now

    def _next(self, now: datetime) -> Message | None:
        """What to say now: what is wanted no more, what is wanted, or that we are here."""
        socket, topics = self.line.socket, self.line.topics
        if self.unwanted and socket.unsubscribe:
            gone, self.unwanted = self.unwanted[: socket.topics_a_frame], self.unwanted[socket.topics_a_frame :]
            return socket.unsubscribe(gone)
        wanted = self.subscriptions.next(now) if self.let_in else None
        if wanted:
            return socket.subscribe([topics[key].said for key in wanted])
        if socket.ping is not None and self._is_quiet(now):
            self.pinged = now
            return socket.ping
        return None

    def _is_quiet(self, now: datetime) -> bool:
        """Whether nothing came for long, or since this minute began: who is silent then may have missed its eve."""
        last = max(self.last, self.pinged or self.last)
        return now - last >= self.line.socket.silence or last < floor(now) <= now - NEW_MINUTE


async def keep_open(line: Line) -> None:
    """A connection for the topics of a line, for ever. Who is about to end is let go only when another one is there."""
    failures, old = 0, None
    try:
        while True:
            session = Session(line, line.clock.now())
            session.start()
            await session.until(lambda: session.subscriptions.is_settled)  # noqa: B023 - awaited before the next one
            if old and (old.is_over or not session.is_over):
                await old.stop()
                old = None
            await session.until(lambda: session.retiring)  # noqa: B023 - as above
            if not session.is_over:
                failures, old = 0, session
                continue
            lasted = session.opened is not None and session.last - session.opened >= LASTED
            failures = 0 if lasted else failures + 1
            await line.clock.sleep(back_off(failures, session.refused, session.throttled))
    finally:
        await asyncio.gather(*(session.stop() for session in [*line.sessions]))
        line.health.state = "closed"
