"""Readers of the stream over plain sockets, and a server for them in this process."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from fastapi import FastAPI

from app.db import Database
from app.records import Instrument
from app.services import reference
from app.services.live import Hub, running
from app.services.store import put
from app.settings import Settings
from tests.apps import made
from tests.db.facts import batch

PATIENCE = 5.0


@dataclass(frozen=True)
class Told:
    """One event: its name, its id and what it says; a comment has its text as `data` alone."""

    event: str
    id: str
    data: Any


@dataclass
class Listener:
    """A connection to the stream, the answer's status and headers, and its body where it is no stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: Mapping[str, str]
    last_id: str | None = None
    heard: list[Told] = field(default_factory=list[Told])

    async def raw(self) -> bytes:
        """The next event as it came, without what the chunked encoding put around it."""
        async with asyncio.timeout(PATIENCE):
            return (await self.reader.readuntil(b"\n\n")).rpartition(b"\r\n")[2]

    async def next(self) -> Told:
        """The next event or comment; raises IncompleteReadError at the end."""
        lines = dict(line.split(b": ", 1) for line in (await self.raw()).strip().split(b"\n") if b": " in line)
        data = lines.get(b"data")
        told = Told(
            lines.get(b"event", b"").decode(), lines.get(b"id", b"").decode(), json.loads(data) if data else lines
        )
        self.last_id = told.id or self.last_id
        self.heard.append(told)
        return told

    async def event(self, *names: str) -> Told:
        """The next event of such a name (any, if none is named); comments are passed over."""
        async with asyncio.timeout(PATIENCE):
            while not (told := await self.next()).event or (names and told.event not in names):
                pass
        return told

    async def events(self, count: int, *names: str) -> list[Told]:
        """So many of these."""
        return [await self.event(*names) for _ in range(count)]

    async def silent(self, seconds: float = 0.3) -> bool:
        """Whether nothing is told for a while."""
        try:
            async with asyncio.timeout(seconds):
                await self.event()
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class Live:
    """A server, the hub its readers follow, and the series of the perpetuals there are by exchange and coin."""

    db: Database
    url: str
    app: FastAPI
    hub: Hub
    series: dict[tuple[str, str], int]

    def client(self) -> httpx.AsyncClient:
        """Asks the same application without a socket."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test", trust_env=False)


COINS = ("BTC", "ETH", "SOL")
EXCHANGES = ("binance", "bybit")


async def listed(db: Database, exchange: str, symbols: Mapping[str, str]) -> dict[str, int]:
    """Perpetuals of an exchange (symbol → coin), told of by itself: their series, by symbol."""
    told = [Instrument(symbol, coin, "USDT") for symbol, coin in symbols.items()]
    await reference.put_instruments(db, exchange, told)
    return {symbol: to.id for symbol, to in (await reference.series_of(db, exchange, exchange)).items()}


async def perpetuals(db: Database) -> dict[tuple[str, str], int]:
    """The series of a contract of each coin on each exchange."""
    found = {exchange: await listed(db, exchange, {f"{coin}USDT": coin for coin in COINS}) for exchange in EXCHANGES}
    return {(exchange, coin): found[exchange][f"{coin}USDT"] for exchange in EXCHANGES for coin in COINS}


async def many(db: Database, count: int) -> list[int]:
    """Series of so many perpetuals of BTC on one exchange."""
    return sorted((await listed(db, "okx", {f"C{n}USDT": "BTC" for n in range(count)})).values())


def place(told: Told) -> tuple[int, int]:
    number, within, _ = told.id.split(".")
    return int(number), int(within)


_open: list[Listener] = []


async def listening(url: str, topics: str, *, buffer: int | None = None, **headers: str) -> Listener:
    """Ask for topics, with headers (`Last_Event_ID=…`). `buffer`: bytes the system keeps for a reader that is slow."""
    parts = urlsplit(url)
    connection = socket.socket()
    connection.setblocking(False)
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await asyncio.get_running_loop().sock_connect(connection, (parts.hostname, parts.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=buffer or 2**16)
    lines = [f"GET /stream{topics} HTTP/1.1", f"Host: {parts.netloc}", "Accept-Encoding: gzip"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    told = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    listener = Listener(reader, writer, int(head[0].split()[1]), told, headers.get("Last_Event_ID"))
    _open.append(listener)
    if listener.status == 200:
        await listener.raw()
    return listener


class _Quiet(uvicorn.Server):
    """Leaves the signals to the tests."""

    @contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        with nullcontext():
            yield


@asynccontextmanager
async def serving(db: Database, send_buffer: int | None = None, **settings: Any) -> AsyncGenerator[tuple[str, FastAPI]]:
    """A server on a socket in this process: its address, and its application."""
    app = made(Settings(**{"scheduler": False, "backfills": False, **settings}), db)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if send_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        config = uvicorn.Config(app, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = _Quiet(config)
        task = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
        finally:
            app.state.hub.end()
            server.should_exit = True
            await task


@asynccontextmanager
async def following(app: FastAPI, db: Database, **settings: Any) -> AsyncGenerator[Hub]:
    """A server as if it had been started anew: another hub, other settings. Its readers are let go at the end."""
    before = app.state.hub, app.state.settings
    app.state.hub, app.state.settings = Hub(), Settings(scheduler=False, backfills=False, **settings)
    try:
        async with running(app.state.hub, db):
            yield app.state.hub
    finally:
        app.state.hub, app.state.settings = before
        while _open:
            _open.pop().close()


async def until(holds: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - of others, who tell nobody
            await asyncio.sleep(0.01)


def minutes_ago(count: float) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=count)


async def settle(db: Database, rates: Mapping[int, float], ago: float = 60, hours: float = 8.0) -> None:
    """Store a settlement of each series (id → rate), all in one write."""
    rows = [
        {"series_id": n, "ts": minutes_ago(ago), "rate": rate, "interval_hours": hours} for n, rate in rates.items()
    ]
    await put(db, "funding", [batch("funding", rows)])


async def predict(db: Database, rates: Mapping[int, float], **more: object) -> None:
    """Store a sample of each series, taken now."""
    now = datetime.now(UTC)
    rows = [{"series_id": n, "ts": now, "rate": rate, **more} for n, rate in rates.items()]
    await put(db, "predicted_funding", [batch("predicted_funding", rows)])
