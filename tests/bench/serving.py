"""Answers over HTTP against the same statements run without it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import sin

import asyncpg

from app.api import shape
from app.api.funding_rows import LatestFunding, WeightedFunding
from app.api.schemas import Row, columns
from app.db import SESSION, Database
from app.records import Instrument
from app.services import funding, reference, rollup
from app.services.funding import Mean
from app.services.perps import Perps
from app.services.queries import Query
from app.services.store import put
from tests.bench.load import Call, http, side_by_side
from tests.bench.report import Line
from tests.db.facts import batch

HOUR = timedelta(hours=1)
DAYS, CONNECTIONS, ROUNDS, SECONDS = 30, 4, 5, 2.0
FORGET = "If-None-Match: nothing"
READY = re.compile(r"http://[\d.]+:(\d+)")


@contextmanager
def served(dsn: str) -> Iterator[str]:
    """A server process on the same database; gives its address."""
    env = {**os.environ, "DATABASE_URL": dsn, "PERPSTORE_SCHEDULER": "off", "PERPSTORE_LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = READY.search(process.stdout.readline())
        if found:
            return f"http://127.0.0.1:{found[1]}"
    raise RuntimeError("the server did not start")


def bare(dsn: str, query: Query, row: type[Row], limit: int, *, arrays: bool) -> Callable[[], Awaitable[Call]]:
    """The very statement the server runs, prepared, on a connection of its own."""
    wanted = shape.Shape(tuple((c.name, c.kind) for c in columns(row)), row.keys)
    text = shape.page(query.text, len(query.arguments), wanted, arrays=arrays, after=False)

    async def open_call() -> Call:
        connection = await asyncpg.connect(dsn, server_settings=SESSION)
        statement = await connection.prepare(text)
        return lambda: statement.fetchrow(*query.arguments, limit)

    return open_call


async def _fill(db: Database, start: datetime) -> None:
    """Thirty days of BTC on four exchanges: settlements, and open interest every five minutes."""
    for n, (exchange, step) in enumerate({"binance": 8, "bybit": 8, "okx": 8, "hyperliquid": 1}.items()):
        await reference.put_instruments(db, exchange, [Instrument("BENCH", "BTC", "USDT")])
        to = (await reference.series_of(db, exchange, exchange))["BENCH"].id
        settled = [
            {"series_id": to, "ts": start + h * HOUR, "rate": 1e-5 * step * sin(h + n)} for h in range(0, 720, step)
        ]
        held = [{"series_id": to, "ts": start + m * HOUR / 12, "oi_usd": 1e9 + m} for m in range(8640)]
        await put(db, "funding", [batch("funding", settled)])
        await put(db, "open_interest", [batch("open_interest", held)])
    await db.reads.execute("analyze funding")
    await db.reads.execute("analyze open_interest")


async def weighted(db: Database, dsn: str) -> list[Line]:
    """`/funding/BTC?weighted=oi` over thirty days hourly: from the rollup, and computed on every request."""
    await db.reads.execute("truncate funding, open_interest, revision, latest, coin_1h, coin_1h_ready")
    start = datetime(2026, 9, 1, tzinfo=UTC)
    await _fill(db, start)
    entity = await db.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    window = f"start={start:%Y-%m-%d}&end={start + DAYS * 24 * HOUR:%Y-%m-%d}"
    lines: list[Line] = []
    with served(dsn) as address:
        for name, form in (("rows", "json"), ("columns", "columns")):
            await rollup.refresh(db)
            lines += await _weighted(db, dsn, entity, start, f"{address}/funding/BTC?weighted=oi&{window}", name, form)
        live = f"{address}/funding/BTC?weighted=oi&{window}&margin=stable"
        lines += await _weighted(db, dsn, entity, start, live, "rows, computed", "json", margin="stable")
    return lines


async def _weighted(
    db: Database, dsn: str, entity: int, start: datetime, url: str, name: str, form: str, **narrow: object
) -> list[Line]:
    last = start + (DAYS * 24 - 1) * HOUR
    query = await funding.weighted(db, Perps(entity, **narrow), start, last, Mean())  # type: ignore[arg-type]
    alone = bare(dsn, query, WeightedFunding, 1000, arrays=form == "columns")
    asked = f"{url}&format={form}"
    rates = await side_by_side(
        ROUNDS, SECONDS, CONNECTIONS, http=http(asked), forgotten=http(asked, FORGET), bare=alone
    )
    told = {"http": "over HTTP", "forgotten": "over HTTP, nothing remembered"}
    return [
        Line(
            f"weighted funding, {DAYS} days hourly ({name}): {words} ÷ the statement alone",
            rates[way] / rates["bare"],
            "at least 0.6",
            f"{rates[way]:,.0f} and {rates['bare']:,.0f} requests/s, {CONNECTIONS} connections",
        )
        for way, words in told.items()
    ]


async def snapshot(db: Database, dsn: str) -> Line:
    """The market now, of a thousand perpetuals: time of an answer against time of the query."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    await db.reads.execute("truncate funding, open_interest, revision, latest, coin_1h, coin_1h_ready")
    await reference.put_instruments(db, "benchmark", [Instrument(f"BTC{n}", "BTC", "USDT") for n in range(1000)])
    series = await reference.series_of(db, "benchmark", "benchmark")
    settled = [{"series_id": to.id, "ts": now, "rate": 1e-5, "interval_hours": 8.0} for to in series.values()]
    await put(db, "funding", [batch("funding", settled)])
    await db.reads.execute("analyze")
    query = funding.snapshot(None, ("benchmark",), None, 8.0)
    with served(dsn) as address:
        asked = http(f"{address}/funding?exchanges=benchmark&limit=1000&format=json")
        rates = await side_by_side(
            ROUNDS, SECONDS, 1, http=asked, bare=bare(dsn, query, LatestFunding, 1000, arrays=False)
        )
    return Line(
        "snapshot of 1,000 perpetuals: time over HTTP ÷ time of the query",
        rates["bare"] / rates["http"],
        "at most 3",
        f"{1000 / rates['http']:.1f} and {1000 / rates['bare']:.1f} ms, 1 connection",
    )
