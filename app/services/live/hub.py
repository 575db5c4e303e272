"""The one follower of the outbox in a process: frames for all its readers.

It listens on a connection of its own, from the first reader on. What was told while that connection was lost is read
from the outbox once there is another.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from secrets import token_hex

import asyncpg

from app.db import DATABASE_ERRORS, SESSION, Database, Driver, driver
from app.logs import tell_of_death
from app.services import outbox
from app.services.live import frames
from app.services.live.frames import LAST, Frame, now
from app.services.live.market import Market
from app.services.live.ring import Ring
from app.services.queries import sql

CAPACITY = 32_768
PACE_SECONDS = 0.05
"""Between two looks into the outbox: what comes faster goes to all readers at once."""
LOOK_SECONDS = 1.0
"""Between two looks where nothing was announced."""
ROWS_AT_ONCE = 1_000
"""Rows made into frames before others have their turn."""
RELOAD_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
BEGIN_SECONDS = 5.0
"""How long a reader waits for the hub to follow the outbox."""
FAILED = "the server does not follow the database any more: reconnect"

logger = logging.getLogger(__name__)


class Hub:
    """What a process knows of the market now, and its newest frames. `name` tells its ids from those of others."""

    def __init__(self) -> None:
        self.name = token_hex(4)
        self.market, self.ring = Market(), Ring(CAPACITY)
        self.readers = 0
        self.ended = False
        self.failure: str | None = None
        self.key = self.ring.floor
        self._wanted, self._ready = asyncio.Event(), asyncio.Event()
        self._told, self._news = asyncio.Event(), asyncio.Event()
        self._loaded, self._nameless, self._heard = 0.0, set[int](), 0
        self._catching_up = asyncio.Semaphore(2)

    @property
    def id(self) -> str:
        """The id of an event that says: all that was told so far."""
        return f"{self.key[0]}.{self.key[1]}.{self.name}"

    async def ready(self) -> None:
        """Wait until it follows the outbox. Raises TimeoutError where the database does not answer."""
        self._wanted.set()
        async with asyncio.timeout(BEGIN_SECONDS):
            await self._ready.wait()

    def end(self, failure: str | None = None) -> None:
        """Have all readers finish, and no others begin; `failure`: why, unless it has ended already."""
        if not self.ended:
            self.ended, self.failure = True, failure
            self._told.set()
            self._ready.set()

    async def changed(self, until: float) -> bool:
        """Wait for frames, until that time of the loop at the latest; whether there are any."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                return await self._told.wait()
        return False

    async def reached(self, number: int) -> bool:
        """Whether there is an event of that number; waits for it a little, since another process may be ahead."""
        until = asyncio.get_running_loop().time() + 2 * LOOK_SECONDS
        while self.key[0] < number and not self.ended:
            if not await self.changed(until):
                break
        return self.key[0] >= number

    async def kept(self, db: Database, first: int, last: int) -> list[outbox.Event] | None:
        """A page of the events of these numbers, both included; None where some of them are not kept any more."""
        async with self._catching_up, db.engine.connect() as connection:
            copy = await driver(connection)
            if not await outbox.complete_since(copy, min(first, self.key[0])):
                return None
            return await outbox.between(copy, first, last)

    async def follow(self, db: Database) -> None:
        """Follow the outbox for ever, from when somebody wants to hear of it."""
        await self._wanted.wait()
        pause = FIRST_PAUSE
        while True:
            try:
                async with _listening(db.dsn, self._news) as connection:
                    await self._begin(connection)
                    pause = FIRST_PAUSE
                    await self._read_on(connection)
            except DATABASE_ERRORS as error:
                logger.warning("stream: the database does not answer: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _begin(self, connection: Driver) -> None:
        if not self._ready.is_set():
            number = await outbox.newest(connection)
            await self._reload(connection)
            self.key = (number, LAST)
            self.ring = Ring(CAPACITY, self.key)
            self._ready.set()
            return
        if not await outbox.complete_since(connection, self.key[0]):
            self.key = (await outbox.newest(connection), LAST)
            told = frames.reset("the database was out of reach for too long", now(), self.id)
            self.ring.forget(self.key)
            self.ring.add([Frame(self.key, "reset", None, told)])
        await self._reload(connection)

    async def _read_on(self, connection: Driver) -> None:
        while True:
            self._news.clear()
            events = await outbox.between(connection, self.key[0] + 1)
            await self._know_all(connection, events)
            for event in events:
                await self._publish(event)
            if time.monotonic() - self._loaded > RELOAD_SECONDS:
                await self._reload(connection)
            self._compare(self.market.expired(time.time()), now())
            self._wake()
            if events:
                self._news.set()  # there may be more than a page
            await asyncio.sleep(PACE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()

    async def _know_all(self, connection: Driver, events: list[outbox.Event]) -> None:
        """Contracts that are new are looked up, once: where no asset is known then, with all others by the clock."""
        named = {row["series_id"] for event in events for row in event.rows}
        if named - self.market.contracts.keys() - self._nameless:
            await self._reload(connection)
            self._nameless |= named - self.market.contracts.keys()

    async def _reload(self, connection: Driver) -> None:
        """Contracts and rates as they are stored, with what was renamed, preferred or taken back meanwhile."""
        self.market.load(await connection.fetch(sql("live", "contracts")))
        self._loaded = time.monotonic()
        self._compare(self.market.entities(), now())

    async def _publish(self, event: outbox.Event) -> None:
        """The frames of an event: its rows, then the best pairs they change. Requests are answered meanwhile."""
        for first in range(1, len(event.rows) + 1, ROWS_AT_ONCE):
            last = min(first + ROWS_AT_ONCE - 1, len(event.rows))
            self.ring.add(frames.facts(event, range(first, last + 1), self.market, self.name))
            self.key = (event.id, last)
            await asyncio.sleep(0)
        settled = dict(frames.settlements(event))
        for series, rate in settled.items():
            self.market.settle(series, rate)
        contracts = (self.market.contracts.get(series) for series in settled)
        self._compare({contract.entity_id for contract in contracts if contract}, event.at)

    def _compare(self, entities: Iterable[int], at: str) -> None:
        told: list[Frame] = []
        for entity in self.market.compare(entities, time.time(), at):
            self.key = (self.key[0], self.key[1] + 1)
            told.append(Frame(self.key, "spreads", entity, frames.spread(*self.market.pairs[entity], self.id)))
        self.ring.add(told)

    def _wake(self) -> None:
        """Have the readers take what is new in the ring, all of it at once."""
        if self._heard < self.ring.end:
            self._heard = self.ring.end
            self._told.set()
            if not self.ended:
                self._told.clear()


@asynccontextmanager
async def _listening(dsn: str, news: asyncio.Event) -> AsyncGenerator[Driver]:
    """A connection that sets `news` when something was told, and when it is lost."""

    def told(*_: object) -> None:
        news.set()

    connection: Driver = await asyncpg.connect(dsn, server_settings=SESSION, timeout=10, command_timeout=30)
    try:
        connection.add_termination_listener(told)
        await connection.add_listener(outbox.CHANNEL, told)
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def running(hub: Hub, db: Database) -> AsyncGenerator[None]:
    """Let a hub follow this database until the end."""
    task = asyncio.create_task(hub.follow(db), name="stream")
    task.add_done_callback(tell_of_death)
    task.add_done_callback(lambda _: hub.end(FAILED))
    try:
        yield
    finally:
        hub.end()
        task.cancel()
        await asyncio.wait([task])
