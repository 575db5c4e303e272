"""Load with little overhead of its own: kept-alive connections on raw sockets, counted over a stretch of time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from urllib.parse import urlsplit

Call = Callable[[], Awaitable[object]]


async def per_second(open_call: Callable[[], Awaitable[Call]], connections: int, seconds: float) -> float:
    """Calls a second over so many connections, each asking again as soon as it is answered."""
    calls = [await open_call() for _ in range(connections)]
    for call in calls:
        await call()
    done = 0
    end = time.perf_counter() + seconds

    async def ask(call: Call) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(ask(call) for call in calls))
    return done / (time.perf_counter() - start)


def http(url: str, *headers: str) -> Callable[[], Awaitable[Call]]:
    """GET of one URL; anything but 200 stops the benchmark."""
    parts = urlsplit(url)
    lines = (f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", "Accept: application/json", *headers)
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def open_call() -> Call:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)

        async def call() -> object:
            writer.write(head)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode())
            size = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            return await reader.readexactly(int(size.split(b":")[1]))

        return call

    return open_call


async def side_by_side(
    rounds: int, seconds: float, connections: int, **designs: Callable[[], Awaitable[Call]]
) -> dict[str, float]:
    """The median rate of each design, measured in turns."""
    rates: dict[str, list[float]] = {name: [] for name in designs}
    for _ in range(rounds):
        for name, open_call in designs.items():
            rates[name].append(await per_second(open_call, connections, seconds))
    return {name: median(found) for name, found in rates.items()}
