"""A stand-in for Deribit's sockets: JSON-RPC over real WebSockets on the loopback, and the trades there are over HTTP.

It misbehaves where it is told to: `there.disconnect()`, `there.break_book("BTC-PERPETUAL")`…
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tests.replay_sockets import Fast
from tests.replayed import deribit_rest
from tests.replayed.deribit_peer import CALLS, IDLE, PATIENCE, REFILL, Peer, Wrong
from tests.replayed.deribit_world import INTERVALS, Happened, World, family, kind, ms

PATH = "/ws/api/v2"
KEY = ("reader", "a-word-nobody-may-see")
QUIET = logging.getLogger(__name__)
QUIET.setLevel(logging.WARNING)  # a key must be in no log, but here it is said


@dataclass(slots=True)
class Deribit:
    """The server. `asked` has every subscription with its time, `told` counts frames by channel.

    `missed` is what nobody was told, `questions` what was asked over HTTP; trades that are `forgotten` (instrument and
    number) it does not tell of any more. `logins`: what the next ones are refused with; None: not answered. The first
    snapshot of a book that is `withheld` is told to nobody.
    """

    world: World
    now: Fast
    url: str = ""
    rest: str = ""
    peers: list[Peer] = field(default_factory=list[Peer])
    connected: list[datetime] = field(default_factory=list[datetime])
    asked: list[tuple[datetime, list[str]]] = field(default_factory=list[Any])
    told: Counter[str] = field(default_factory=Counter[str])
    closed: list[str] = field(default_factory=list[str])
    missed: list[Happened] = field(default_factory=list[Happened])
    questions: list[str] = field(default_factory=list[str])
    forgotten: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    silent: bool = False
    withheld: set[str] = field(default_factory=set[str])
    logins: list[Wrong | None] = field(default_factory=list[Wrong | None])
    _skipped: int = 0
    _unheard: set[str] = field(default_factory=set[str])
    _turned_away: int = 0

    @property
    def channels(self) -> set[str]:
        """What anybody listens to."""
        return set().union(*(peer.channels for peer in self.peers))

    def silently_unsubscribe(self, channel: str) -> None:
        """Tell of it no more, without a word."""
        for peer in self.peers:
            peer.channels.discard(channel)

    def break_book(self, instrument: str) -> None:
        """Leave its next change out."""
        self._unheard.add(instrument)

    def skip_trades(self, count: int) -> None:
        """Leave out so many of the next trades."""
        self._skipped += count

    def disconnect(self) -> None:
        """Cut all connections without a word."""
        for peer in self.peers:
            peer.connection.transport.abort()

    async def too_many_requests(self, times: int = 1) -> None:
        """End all connections with an error, and the next ones at what they say first."""
        self._turned_away = times - 1
        for peer in [*self.peers]:
            await _throttle(peer, None)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """What is asked over HTTP; a socket is opened."""
        if request.path == PATH:
            return None
        path, _, query = request.path.partition("?")
        self.questions.append(path)
        status, body = deribit_rest.answer(self.world, path, dict(parse_qsl(query)), self.forgotten)
        response = connection.respond(HTTPStatus(status), json.dumps(body))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    async def hear(self, connection: ServerConnection) -> None:
        """Serve one connection."""
        peer = Peer(connection, self.now())
        self.connected.append(peer.since)
        self.peers.append(peer)
        with suppress(ConnectionClosed):
            async for said in connection:
                if connection.state is State.OPEN:  # what was said meanwhile is to nobody
                    await self._take(peer, json.loads(said))
        self.peers.remove(peer)
        self.closed.append(f"{connection.close_code} {connection.close_reason}")

    async def _take(self, peer: Peer, frame: Any) -> None:
        if self._turned_away:
            self._turned_away -= 1
            await _throttle(peer, frame.get("id"))
            return
        if frame["method"] == "public/auth" and self.logins[:1] == [None]:
            self.logins.pop(0)
            return
        new: list[str] = []
        try:
            told: dict[str, Any] = {"result": self._does(peer, frame["method"], frame.get("params", {}), new)}
        except Wrong as wrong:
            code, message = wrong.args
            told = {"error": {"code": code, "message": message}}
        stamps = dict.fromkeys(("usIn", "usOut"), ms(self.now()) * 1000)
        await self._send(peer, {"jsonrpc": "2.0", "id": frame.get("id"), **told, **stamps, "testnet": False})
        for channel in new:
            await self._begin(peer, channel)

    def _does(self, peer: Peer, method: str, params: Any, new: list[str]) -> Any:
        match method.removeprefix("public/"):
            case "set_heartbeat" if params["interval"] >= 10:
                peer.interval, peer.beaten = timedelta(seconds=params["interval"]), self.now()
                return "ok"
            case "test":
                peer.tested = None
                return {"version": "1.2.26"}
            case "auth" if self.logins and (refusal := self.logins.pop(0)):
                raise refusal
            case "auth":
                if (params["client_id"], params["client_secret"]) != KEY:
                    raise Wrong(13004, "invalid_credentials")
                peer.logged_in = True
                return {"access_token": "a", "expires_in": 900, "refresh_token": "r", "token_type": "bearer"}
            case "subscribe":
                return self._subscribe(peer, params["channels"], new)
            case "unsubscribe":
                gone = [channel for channel in params["channels"] if channel in peer.channels]
                peer.channels.difference_update(gone)
                return gone[::-1]
            case _:
                raise Wrong(-32601, "Method not found")

    def _subscribe(self, peer: Peer, channels: list[str], new: list[str]) -> list[str]:
        now = self.now()
        self.asked.append((now, channels))
        self._count(peer, now)
        if not peer.logged_in and any(channel.endswith(".raw") for channel in channels):
            raise Wrong(13778, "raw_subscriptions_not_available_for_unauthorized")
        taken = [channel for channel in channels if self.world.has(channel)]
        new += [channel for channel in taken if channel not in peer.channels]
        peer.channels.update(taken)
        return taken[::-1]

    def _count(self, peer: Peer, now: datetime) -> None:
        passed = (now - (peer.called or now)).total_seconds()
        peer.calls, peer.called = min(CALLS, peer.calls + passed * REFILL) - 1, now
        if peer.calls < 0:
            raise Wrong(10028, "too_many_requests")

    async def _begin(self, peer: Peer, channel: str) -> None:
        """Of a new subscription the state is told."""
        what, symbol, *_ = channel.split(".")
        if what == "quote":
            await self._push(peer, channel, self.world.quotes[symbol])
        elif what == "book" and symbol in self.withheld:
            self.withheld.remove(symbol)
        elif what == "book":
            await self._push(peer, channel, self.world.snapshot(symbol))

    async def run(self) -> None:
        """Tell what happens, as it happens."""
        while True:
            now = self.now()
            for one in self.world.advance(now):
                if self._is_kept_back(one) or not await self._tell(one):
                    self.missed.append(one)
            for peer in [*self.peers]:
                await self._beat(peer, now)
            await self.now.sleep(0.25)

    def _is_kept_back(self, one: Happened) -> bool:
        if one.kind == "book" and one.symbol in self._unheard:
            self._unheard.remove(one.symbol)
            return True
        if one.kind == "trades" and self._skipped > 0:
            self._skipped -= len(one.data)
            return True
        return self.silent

    async def _tell(self, one: Happened) -> bool:
        """Whether there is anybody to be told."""
        ends = ("",) if one.kind == "quote" else tuple(f".{interval}" for interval in INTERVALS)
        subjects = [one.symbol, f"{kind(one.symbol)}.{family(one.symbol)}"][: 2 if one.kind == "trades" else 1]
        channels = {f"{one.kind}.{subject}{end}" for subject in subjects for end in ends}
        told = [(peer, channel) for peer in self.peers for channel in channels & peer.channels]
        for peer, channel in told:
            await self._push(peer, channel, one.data)
        return bool(told)

    async def _beat(self, peer: Peer, now: datetime) -> None:
        if peer.interval is None:
            if not peer.channels and now - peer.since > IDLE:
                peer.connection.transport.abort()
        elif peer.tested and now - peer.tested > PATIENCE:
            await peer.connection.close(4000, "heartbeat close")
        elif peer.beaten and now - peer.beaten >= peer.interval and not self.silent:
            peer.beaten, peer.tested = now, peer.tested or now
            for what in ("heartbeat", "test_request"):
                await self._send(peer, {"params": {"type": what}, "method": "heartbeat", "jsonrpc": "2.0"})

    async def _push(self, peer: Peer, channel: str, data: Any) -> None:
        self.told[channel] += 1
        params = {"channel": channel, "data": data}
        await self._send(peer, {"jsonrpc": "2.0", "method": "subscription", "params": params})

    async def _send(self, peer: Peer, frame: Any) -> None:
        with suppress(ConnectionClosed):
            await peer.connection.send(json.dumps(frame))


async def _throttle(peer: Peer, number: Any) -> None:
    error = {"code": 10028, "message": "too_many_requests"}
    with suppress(ConnectionClosed):
        await peer.connection.send(json.dumps({"jsonrpc": "2.0", "id": number, "error": error, "testnet": False}))
        await peer.connection.close(1000, "")


@asynccontextmanager
async def serving(world: World | None = None, speed: float = 60.0, now: Fast | None = None) -> AsyncIterator[Deribit]:
    """The server, for a while; its time begins with its world and is `speed` times as fast as the wall's."""
    world = world or World()
    there = Deribit(world, now or Fast(world.start, speed))
    how: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1, "logger": QUIET}
    async with serve(there.hear, "127.0.0.1", 0, process_request=there.answer, **how) as server:
        place = f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        there.url, there.rest = f"ws://{place}", f"http://{place}"
        task = asyncio.create_task(there.run())
        try:
            yield there
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
            there.disconnect()
