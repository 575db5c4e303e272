"""A stand-in for the sockets of exchanges: real WebSockets on the loopback that speak as they do, and misbehave.

Time passes as fast as its clock says: minutes of a world that is a function of time.
"""

import asyncio
import heapq
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.minutes import many
from tests.replay import Replay
from tests.replayed import markets as world
from tests.replayed import sockets
from tests.replayed.markets import EPOCH
from tests.replayed.sockets import DEALS_AT, GROWS_AT, MINUTE, PATHS, SPEECHES

SECOND = timedelta(seconds=1)
RATES_AT = (10.0, 40.0)


@dataclass(slots=True)
class Fast:
    """A clock that begins at `start` and is `speed` times as fast as the wall's; `zero`: when, by the monotonic one.

    Where nobody looks at it for longer than `patience` it stands still: a machine that is busy with other things slows
    the whole world down, not only those who live in it. Processes that share the time must not have patience.
    """

    start: datetime
    speed: float
    zero: float = field(default_factory=time.monotonic)
    patience: float | None = 0.02
    _stood: float = 0.0
    _looked: float = 0.0

    def __call__(self) -> datetime:
        now = time.monotonic() - self.zero
        if self.patience is not None:
            self._stood += max(0.0, now - self._looked - self.patience)
            self._looked = max(self._looked, now)
        return self.start + timedelta(seconds=(now - self._stood) * self.speed)

    async def sleep(self, seconds: float) -> None:
        """Wait by this clock."""
        await self.until(self() + timedelta(seconds=max(0.0, seconds)))

    async def until(self, moment: datetime) -> None:
        """Wait until it is so late."""
        await asyncio.sleep(0)
        while (left := (moment - self()).total_seconds()) > 0:  # noqa: ASYNC110 - its time is not the wall's
            await asyncio.sleep(left / self.speed)


@dataclass(slots=True)
class Faults:
    """Shares of frames told twice and late (out of order), of candles left out; topics refused; who is silent."""

    twice: float = 0.0
    late: float = 0.0
    never: float = 0.0
    refused: set[str] = field(default_factory=set[str])
    silent: set[str] = field(default_factory=set[str])
    turned_away: set[str] = field(default_factory=set[str])
    draw: random.Random = field(default_factory=lambda: random.Random(7))


@dataclass(slots=True, eq=False)
class Peer:
    """Who is connected: the exchange and path it asks, and the topics it has."""

    exchange: str
    path: str
    connection: ServerConnection
    topics: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Sockets:
    """The server. `connected`, `asked` and `told` count connections, subscriptions taken and frames."""

    now: Fast
    faults: Faults = field(default_factory=Faults)
    url: str = ""
    peers: list[Peer] = field(default_factory=list[Peer])
    connected: Counter[str] = field(default_factory=Counter[str])
    asked: Counter[str] = field(default_factory=Counter[str])
    told: Counter[str] = field(default_factory=Counter[str])
    _queue: list[tuple[datetime, int, str, str, Any]] = field(default_factory=list[Any])
    _numbers: Iterator[int] = field(default_factory=count)

    def settings(self) -> dict[str, str]:
        """What points a service here."""
        return {f"{exchange.upper()}_WS_URL": self.url for exchange in SPEECHES}

    def drop(self, exchange: str, path: str = "") -> None:
        """Cut the connections of an exchange without a word."""
        for peer in self.peers:
            if peer.exchange == exchange and path in peer.path:
                peer.connection.transport.abort()

    async def say(self, exchange: str, frame: Any) -> None:
        """Tell everybody of an exchange something out of turn."""
        for peer in self.peers:
            if peer.exchange == exchange:
                await _send(peer, frame)

    async def all_asked(self, topics: int) -> datetime:
        """Wait until so many topics are subscribed for; the start of the minute after that."""
        while sum(len(peer.topics) for peer in self.peers) < topics:  # noqa: ASYNC110 - of many things
            await asyncio.sleep(0.01)
        now = self.now()
        return now - (now - EPOCH) % MINUTE + MINUTE

    async def hear(self, connection: ServerConnection) -> None:
        """Serve one connection."""
        path = connection.request.path.partition("?")[0] if connection.request else ""
        exchange = PATHS[path]
        self.connected[exchange] += 1
        if exchange in self.faults.turned_away:
            await connection.close(1013, "try again later")
            return
        peer = Peer(exchange, path, connection)
        self.peers.append(peer)
        try:
            async for said in connection:
                await self._answer(peer, str(said))
        except ConnectionClosed:
            pass
        finally:
            self.peers.remove(peer)

    async def _answer(self, peer: Peer, said: str) -> None:
        if peer.exchange in self.faults.silent:
            return
        frame = json.loads(said) if said[:1] in "{[" else said
        answered = SPEECHES[peer.exchange].answer(frame, self.faults.refused)
        self.asked.update(answered.new)
        for one in answered.frames:
            await _send(peer, one)
        peer.topics |= set(answered.new)
        peer.topics -= set(answered.gone)

    async def run(self) -> None:
        """Tell what happens, as it happens."""
        last = self.now()
        while True:
            now = self.now()
            for exchange in SPEECHES:
                for at, topic, frame in _happened(exchange, last, now):
                    self._plan(exchange, at, topic, frame)
            last = now
            await self._tell(now)
            await self.now.sleep(0.5)

    def _plan(self, exchange: str, at: datetime, topic: str, frame: Any) -> None:
        faults = self.faults
        if ("kline" in topic or "candle" in topic) and faults.draw.random() < faults.never:
            return
        late = timedelta(seconds=faults.draw.uniform(0.1, 1.5)) if faults.draw.random() < faults.late else timedelta()
        for again in range(2 if faults.draw.random() < faults.twice else 1):
            when = at + late + again * timedelta(seconds=faults.draw.uniform(0, 5))
            heapq.heappush(self._queue, (when, next(self._numbers), exchange, topic, frame))

    async def _tell(self, now: datetime) -> None:
        while self._queue and self._queue[0][0] <= now:
            _, _, exchange, topic, frame = heapq.heappop(self._queue)
            if exchange in self.faults.silent:
                continue
            text = json.dumps(frame)
            for peer in self.peers:
                if peer.exchange == exchange and topic in peer.topics:
                    self.told[exchange] += 1
                    await _send(peer, text)


async def _send(peer: Peer, frame: Any) -> None:
    with suppress(ConnectionClosed):
        await peer.connection.send(frame if isinstance(frame, str) else json.dumps(frame))


def _happened(exchange: str, since: datetime, now: datetime) -> Iterator[tuple[datetime, str, Any]]:
    """What an exchange tells of `(since, now]`, each with its time."""
    speech, quiet = SPEECHES[exchange], not world.of(exchange)
    opens = since - (since - EPOCH) % MINUTE - MINUTE
    while opens <= now and not quiet:
        for at in (opens + second * SECOND for second in RATES_AT):
            if since < at <= now:
                yield from ((at, *told) for told in speech.rates(at))
        for market in world.of(exchange):
            for at, told in _of_minute(speech, market, opens, since, now):
                yield at, *told
        opens += MINUTE


def _of_minute(
    speech: sockets.Speech, market: world.Market, opens: datetime, since: datetime, now: datetime
) -> Iterator[tuple[datetime, sockets.Told]]:
    if not market.active:
        return
    moments = [(opens + second * SECOND, share) for second, share in GROWS_AT.items()]
    end = opens + MINUTE + SECOND * (0.05 + 0.5 * sockets.draw(market, "delay", opens))
    for at, share in (*moments, (end, 1.0)):
        if since < at <= now:
            yield at, speech.bar(market, sockets.bar(market, opens, share), at)
    if speech.deal and any(since < opens + second * SECOND <= now for second in DEALS_AT):
        for deal in sockets.deals(market, opens):
            if since < deal.time <= now:
                yield deal.time, speech.deal(market, deal, deal.time)
    if speech.end and since < opens + 33 * SECOND <= now and (end_of := sockets.liquidation(market, opens)):
        yield end_of.time, speech.end(market, end_of, end_of.time)


@asynccontextmanager
async def replaying(now: Fast, faults: Faults | None = None) -> AsyncIterator[Sockets]:
    """The server, for a while."""
    replay = Sockets(now, faults or Faults())
    async with serve(replay.hear, "127.0.0.1", 0, compression=None, max_queue=1024) as server:
        replay.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        task = asyncio.create_task(replay.run())
        try:
            yield replay
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
            for peer in [*replay.peers]:
                peer.connection.transport.abort()


async def _serve(clock: Fast, faults: Faults, drop_every: float) -> None:
    """Sockets and REST until the end; now and then the connections of an exchange are cut."""
    async with replaying(clock, faults) as there:
        with Replay(now=clock) as rest:
            print(json.dumps({**rest.settings(), **there.settings()}), flush=True)  # noqa: T201
            while True:
                await clock.sleep(drop_every)
                there.drop(faults.draw.choice([peer.exchange for peer in there.peers] or ["binance"]))


def main() -> None:
    """Serve in a process of its own: `START SPEED ZERO CONTRACTS EXCHANGE…`, see `Fast`."""
    start, speed, zero, number, *exchanges = sys.argv[1:]
    world.MARKETS = many(int(number), exchanges)
    clock = Fast(datetime.fromisoformat(start), float(speed), float(zero), patience=None)
    asyncio.run(_serve(clock, Faults(twice=0.05, late=0.05, never=0.005), 300))


if __name__ == "__main__":
    main()
