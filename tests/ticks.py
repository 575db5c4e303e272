"""What the tests of collected ticks share: a replayed Deribit that breaks in every way, and what ought to be stored."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import settings
from app.db import Database
from app.ingest import sources
from app.ingest.engine import Engine
from app.ingest.runner import Patience, opened
from app.ingest.spec import Source
from app.ingest.ticks.running import collecting_ticks
from tests.minutes import without_limits
from tests.replayed import deribit_sockets
from tests.replayed.deribit_sockets import Deribit
from tests.replayed.deribit_world import Row, World

PERPETUAL = "BTC-PERPETUAL"
OPTIONS = tuple(f"BTC-25DEC30-{strike}-{side}" for strike in (60000, 70000, 80000) for side in "CP")
INSTRUMENTS = (PERPETUAL, "BTC-25DEC30", *OPTIONS)
QUOTED = 4
"""Options with quotes and books; trades are of all."""
MINUTE = timedelta(minutes=1)
TRADES = """
select i.symbol, t.trade_seq, t.ts, t.price, t.amount, t.side from option_trade t
join series s on s.id = t.series_id join instrument i on i.id = s.instrument_id
"""
GAPS = """
select i.symbol, g.dataset, g.first, g.last, g.reason, g.state
from gap g join series s on s.id = g.series_id join instrument i on i.id = s.instrument_id order by g.id
"""


def world(start: datetime | None = None, busy: float = 1.0) -> World:
    """Things happen so often; a tenth of all are trades."""
    return World(INSTRUMENTS, start, busy) if start else World(INSTRUMENTS, busy=busy)


@asynccontextmanager
async def replayed(
    db: Database, monkeypatch: pytest.MonkeyPatch, speed: float = 60, busy: float = 1.0, start: datetime | None = None
) -> AsyncIterator[tuple[Engine, Source, Deribit]]:
    """A Deribit whose time passes so fast, and an engine that goes by it."""
    async with deribit_sockets.serving(world(start, busy), speed) as there:
        for name, value in pointing(there).items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        async with opened(Patience(tries=3, first=0.05, most=0.1), now=there.now) as web:
            engine = Engine(db, replace(web, limiters={}, sleep=there.now.sleep))
            yield engine, without_limits(sources.load(["deribit"])["deribit"]), there
    settings.environment.cache_clear()


def pointing(there: Deribit) -> dict[str, str]:
    """What points a service there."""
    names = {"DERIBIT_WS_URL": there.url, "DERIBIT_BASE_URL": there.rest}
    return {**names, "PERPSTORE_WS_BTC_TOP_N_INSTRUMENTS": str(QUOTED), "DERIBIT_API_KEY": ""}


@asynccontextmanager
async def collected(engine: Engine, source: Source, there: Deribit) -> AsyncIterator[datetime]:
    """Ticks are collected meanwhile; since when all is listened to."""
    async with collecting_ticks(engine, source, ["BTC"]):
        await listened(there)
        yield there.now()


async def listened(there: Deribit) -> None:
    """Wait until somebody listens to all that is to be listened to."""
    await until(lambda: len(there.channels) >= 2 + 2 * (2 + QUOTED), 30)


async def until(is_so: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - of many things
            await asyncio.sleep(0.01)


Trade = tuple[str, int]


def happened(there: Deribit, since: datetime, until: datetime) -> set[Trade]:
    """The trades there were."""
    span = since.timestamp() * 1000, until.timestamp() * 1000
    trades = (trade for of in there.world.trades.values() for trade in of)
    return {(one["instrument_name"], one["trade_seq"]) for one in trades if span[0] <= one["timestamp"] <= span[1]}


def not_told(there: Deribit) -> list[Row]:
    """Trades that nobody was told of."""
    return [trade for one in there.missed if one.kind == "trades" for trade in one.data]


async def stored(db: Database) -> set[Trade]:
    """Those that are stored, each once."""
    rows = [(row["symbol"], row["trade_seq"]) for row in await db.reads.fetch(TRADES)]
    assert len(rows) == len(set(rows))
    return set(rows)


async def wait_for_trades(db: Database, wanted: set[Trade], seconds: float = 30) -> None:
    """Wait until all of these are stored."""
    deadline = time.monotonic() + seconds
    while (left := wanted - await stored(db)) and time.monotonic() < deadline:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.1)
    assert not left, f"{len(left)} of {len(wanted)} trades are not stored: {sorted(left)[:5]}"


async def wrong_trades(db: Database, there: Deribit) -> list[Trade]:
    """Stored trades that are not as they happened."""
    told = {(one["instrument_name"], one["trade_seq"]): one for of in there.world.trades.values() for one in of}
    sides = {"buy": 1, "sell": -1}
    return [
        (row["symbol"], row["trade_seq"])
        for row in await db.reads.fetch(TRADES)
        if (one := told[row["symbol"], row["trade_seq"]])
        and (round(row["ts"].timestamp() * 1000), row["price"], row["amount"], row["side"])
        != (one["timestamp"], one["price"], one["amount"], sides[one["direction"]])
    ]


async def unknown_breaks(db: Database, there: Deribit, since: datetime, until: datetime) -> list[tuple[str, datetime]]:
    """Changes of books that nobody was told of and that are in no gap of the ledger."""
    gaps = [row for row in await db.reads.fetch(GAPS) if row["dataset"] == "book"]
    missed = [
        (one.symbol, datetime.fromtimestamp(one.data["timestamp"] / 1000, UTC))
        for one in there.missed
        if one.kind == "book"
    ]
    quoted = {PERPETUAL, "BTC-25DEC30", *OPTIONS[:QUOTED]}
    return [
        (symbol, at)
        for symbol, at in missed
        if since <= at <= until and symbol in quoted
        if not any(row["symbol"] == symbol and row["first"] <= at <= row["last"] for row in gaps)
    ]


async def break_all(there: Deribit, breaks: int, apart: timedelta, seed: int = 11) -> None:
    """Break in every way there is, one after the other in any order."""
    dice = random.Random(seed)
    quoted = [PERPETUAL, "BTC-25DEC30", *OPTIONS[:QUOTED]]
    for number in range(breaks):
        symbol = dice.choice(quoted)
        match number % 5:
            case 0:
                there.disconnect()
            case 1:
                there.skip_trades(3)
            case 2:
                there.silently_unsubscribe(f"book.{symbol}.100ms")
                there.silently_unsubscribe(dice.choice(["trades.option.BTC.100ms", f"quote.{symbol}"]))
            case 3:
                there.break_book(symbol)
            case _:
                await there.too_many_requests()
        await there.now.sleep(apart.total_seconds() * dice.uniform(0.7, 1.3))
