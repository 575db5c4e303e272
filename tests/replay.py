"""A stand-in for the exchanges: a real HTTP server on the loopback that answers as they do, and misbehaves on demand.

`python -m tests.replay` runs one and prints the settings that point a service at it.
"""

import asyncio
import gzip
import json
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from app.ingest.sources import load
from tests.replayed import (
    artemis,
    binance,
    bybit,
    coingecko,
    defillama,
    deribit,
    extended,
    hyperliquid,
    lighter,
    okx,
    velo,
)

ANSWERS = {
    "/fapi/": binance.answer,
    "/futures/data/": binance.answer,
    "/v5/": bybit.answer,
    "/api/v5/": okx.answer,
    "/info": hyperliquid.answer,
    "/api/v1/info/": extended.answer,
    "/api/v2/public/": deribit.answer,
    "/api/v3/": coingecko.answer,
    "/data/api/": artemis.answer,
    "/asset/symbols/": artemis.answer,
    "/supported-metrics/": artemis.answer,
    **dict.fromkeys(lighter.PATHS, lighter.answer),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way not to answer: after `seconds`, with a status and body, cut off, or with a reset connection."""

    status: int = 200
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    cut: bool = False
    reset: bool = False


def throttled(retry_after: float | str | None = None, status: int = 429) -> Fault:
    """Too many requests."""
    return Fault(status, b'{"msg":"slow down"}', () if retry_after is None else (("Retry-After", str(retry_after)),))


def broken(status: int = 500) -> Fault:
    """Out of order."""
    return Fault(status, b"upstream connect error")


def slow(seconds: float) -> Fault:
    """The right answer, late."""
    return Fault(seconds=seconds)


CUT, RESET = Fault(cut=True), Fault(reset=True)
HTML = Fault(200, b"<!DOCTYPE html><html><body>We will be right back</body></html>")


def _right_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Replay:
    """The server, in a thread of its own; `now` is its clock, `asked` what came in."""

    now: Callable[[], datetime] = _right_now
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    _recent: deque[float] = field(default_factory=deque[float])
    _faults: list[tuple[str, Fault]] = field(default_factory=list)
    _storm: tuple[random.Random, float, tuple[Fault, ...]] | None = None
    _stop: Callable[[], object] = lambda: None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(ready)), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        if self._thread:
            self._thread.join(10)

    def settings(self) -> dict[str, str]:
        """What points a service here."""
        addresses = {f"{source.upper()}_BASE_URL": self.url for source in load()}
        return {**addresses, "PERPSTORE_STREAMS": "off"}

    def misbehave(self, fault: Fault, *, to: str = "/", times: int = 1) -> None:
        """Answer the next requests whose path, query or body has `to` in it so."""
        self._faults += [(to, fault)] * times

    def storm(self, faults: Iterable[Fault], share: float = 0.2, seed: int = 1) -> None:
        """Answer this share of all requests with one of these faults; none: calm."""
        drawn = tuple(faults)
        self._storm = (random.Random(seed), share, drawn) if drawn else None

    async def _live(self, ready: threading.Event) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        lines = (line.partition(":") for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        query, told = dict(parse_qsl(parts.query)), json.loads(body) if body else None
        asked = Asked(method, parts.path, query, told, headers.get("authorization", ""), headers.get("user-agent", ""))
        self.asked.append(asked)
        fault = self._fault(f"{target} {body.decode()}")
        await asyncio.sleep(fault.seconds)
        if fault.reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        status, content = (fault.status, fault.body) if fault.body is not None else self._answer(asked)
        writer.write(_response(status, content, fault, "gzip" in headers.get("accept-encoding", "")))
        await writer.drain()
        return not fault.cut

    def _fault(self, request: str) -> Fault:
        for index, (to, fault) in enumerate(self._faults):
            if to in request:
                del self._faults[index]
                return fault
        if self._storm and self._storm[0].random() < self._storm[1]:
            return self._storm[0].choice(self._storm[2])
        return Fault()

    def _answer(self, asked: Asked) -> tuple[int, bytes]:
        told = (answer for begin, answer in ANSWERS.items() if asked.path.startswith(begin))
        answer = next(told, defillama.answer)  # whose paths begin with a key
        if answer is extended.answer and not asked.agent:
            return 403, b"Forbidden"
        if answer is defillama.answer and asked.path.startswith("/api/v1/"):
            status, table = velo.answer(asked.path, asked.query, asked.authorization, self.now())
            return status, table.encode()
        if answer is defillama.answer and self._too_many():
            return 429, b"Too many requests"
        status, content = answer(asked.path, asked.query, asked.body, self.now())
        return status, content.encode() if isinstance(content, str) else json.dumps(content).encode()

    def _too_many(self) -> bool:
        """Whether DefiLlama was asked more often in a minute of the wall clock than it bears."""
        at = time.monotonic()
        self._recent.append(at)
        while self._recent[0] <= at - 60:
            self._recent.popleft()
        return len(self._recent) > defillama.MOST_IN_A_MINUTE

    def counted(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(asked.path for asked in self.asked)


def _response(status: int, content: bytes, fault: Fault, packed: bool) -> bytes:
    headers = [("Content-Type", "application/json"), *fault.headers]
    if packed and len(content) > 500:
        content = gzip.compress(content, 1)
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(content))))
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + (content[: len(content) // 2] if fault.cut else content)


def main() -> None:
    """Serve until interrupted."""
    with Replay() as replay:
        print("\n".join(f"{name}={url}" for name, url in replay.settings().items()), flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
