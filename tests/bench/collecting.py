"""Quotes from a socket into the store: how many a second one process on one core takes, how late, and its memory."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from websockets.exceptions import ConnectionClosed

from app.db import Database, connected
from app.ingest import sources
from app.ingest.engine import started
from app.ingest.ticks.running import collecting_ticks
from tests.bench.memory import SMALL_PARENT
from tests.bench.report import Line
from tests.replayed import deribit_sockets
from tests.replayed.deribit_peer import Peer
from tests.replayed.deribit_sockets import Deribit
from tests.replayed.deribit_world import World

A_SECOND, WANTED, BOUND_MB = 6_500, 5_000, 300
STRIKES, STEP = 50, 0.01
WARM, SECONDS, LOOKS = 5.0, 15.0, 0.25
INSTRUMENTS = ("BTC-PERPETUAL", *(f"BTC-25DEC30-{60_000 + 1_000 * n}-{side}" for n in range(STRIKES) for side in "CP"))
STORED = "select count(*), extract(epoch from clock_timestamp() - max(ts))::float8 from option_tick where ts > $1"
FRAME = (
    '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"quote.%s","data":{"timestamp":%d,'
    '"instrument_name":"%s","best_bid_price":0.0415,"best_bid_amount":12.5,"best_ask_price":0.042,'
    '"best_ask_amount":%.1f}}}'
)


async def flood(there: Deribit) -> None:
    """So many quotes a second, evenly over the channels that somebody listens to."""
    loop, sent, turn = asyncio.get_running_loop(), 0, 0
    begun = loop.time()
    while True:
        due = int((loop.time() - begun) * A_SECOND)
        peer, quoted = _listening(there)
        while sent < due and peer and quoted:
            symbol, turn = quoted[turn % len(quoted)], turn + 1
            at = int(datetime.now(UTC).timestamp() * 1000)
            with suppress(ConnectionClosed):
                await peer.connection.send(FRAME % (symbol, at, symbol, 1 + turn % 400))
            sent += 1
        sent = max(sent, due)
        await asyncio.sleep(STEP)


def _listening(there: Deribit) -> tuple[Peer | None, list[str]]:
    peer = there.peers[-1] if there.peers else None
    return peer, sorted(name[6:] for name in (peer.channels if peer else ()) if name.startswith("quote."))


async def serve() -> None:
    """The upstream, in a process of its own: says where it is, and floods."""
    async with deribit_sockets.serving(World(INSTRUMENTS), 1) as there:
        print(json.dumps({"url": there.url, "rest": there.rest}), flush=True)  # noqa: T201
        await flood(there)


async def collect(dsn: str) -> None:
    """Collect on one core; tells how many quotes were stored a second, and how late the newest ones were."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    async with connected(dsn) as db, started(db) as engine:
        source = sources.load(["deribit"])["deribit"]
        async with collecting_ticks(engine, source, ["BTC"]):
            await asyncio.sleep(WARM)
            begun, late = datetime.now(UTC), list[float]()
            before = (await db.reads.fetchrow(STORED, begun))[0]
            for _ in range(int(SECONDS / LOOKS)):
                await asyncio.sleep(LOOKS)
                row = await db.reads.fetchrow(STORED, begun)
                late.append(row[1] or SECONDS)
            dropped = Counter(dict(await db.reads.fetch("select id, dropped from collector"))).total()
            seconds = (datetime.now(UTC) - begun).total_seconds()
            told = {"a_second": (row[0] - before) / seconds, "late": max(late[4:]), "dropped": dropped}
    print(json.dumps(told))  # noqa: T201


async def measure(db: Database, dsn: str) -> list[Line]:
    """All of this module."""
    await db.reads.execute("truncate option_tick, option_tick_1h, option_tick_late, option_trade, depth")
    return await asyncio.to_thread(_collected, dsn)


def _collected(dsn: str) -> list[Line]:
    with ExitStack() as stack:
        upstream = stack.enter_context(
            subprocess.Popen([sys.executable, "-m", "tests.bench.collecting"], stdout=subprocess.PIPE, text=True)
        )
        stack.callback(upstream.kill)
        there = json.loads(next(iter(upstream.stdout or ())))
        environment = {
            **os.environ,
            "DERIBIT_WS_URL": there["url"],
            "DERIBIT_BASE_URL": there["rest"],
            "PERPSTORE_WS_BTC_TOP_N_INSTRUMENTS": str(2 * STRIKES),
        }
        command = [sys.executable, "-c", SMALL_PARENT, sys.executable, "-m", "tests.bench.collecting", dsn]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found, peak_kb = map(json.loads, told.stdout.splitlines())
    figures = f"{found['a_second']:,.0f} a second, at most {found['late']:.2f} s late, {found['dropped']} dropped"
    return [
        Line(
            f"quotes from a socket stored a second, 1 core ÷ {WANTED:,}",
            found["a_second"] / WANTED,
            "1 or more",
            figures,
        ),
        Line("the newest stored quote: seconds late", found["late"], "below 1", figures),
        Line(
            f"collecting quotes: peak memory ÷ {BOUND_MB} MB",
            peak_kb / 1024 / BOUND_MB,
            "below 1",
            f"{peak_kb / 1024:,.0f} MB",
        ),
    ]


if __name__ == "__main__":
    asyncio.run(collect(sys.argv[1]) if len(sys.argv) > 1 else serve())
