"""The chain of a thousand options at an instant, among millions of quotes: over HTTP, and the statement alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from random import Random
from statistics import median, quantiles

import asyncpg
import httpx

from app.api import shape
from app.api.option_rows import ChainRow
from app.api.schemas import columns
from app.db import SESSION, Database, driver, writing
from app.services import options, partitions
from app.services.options import Options
from tests.bench import ticks
from tests.bench.report import Line
from tests.bench.serving import served
from tests.bench.ticks import DAY, DAYS, START

STRIKES, ROUNDS = ticks.OPTIONS // 2, 200
LIMIT_MS = 50
AS_IT_IS = {"Accept-Encoding": "identity"}
STATES = (
    "insert into option_1m (series_id, ts, bid, ask, mark_price, mark_iv, underlying_price, index_price) "
    "select s, $2::timestamptz + n * interval '5 minutes', 0.01, 0.02, 0.015, 0.5, 90000, 90000 "
    "from unnest($1::int[]) s, generate_series(0, 287) n"
)


async def measure(db: Database, dsn: str, quotes: int = ticks.QUOTES) -> list[Line]:
    """All of this module."""
    await fill(db, quotes)
    entity = await db.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    alone = await _alone(dsn, Options(entity))
    with served(dsn) as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            return [
                await _line(f"chain of {ticks.OPTIONS:,} options, {quotes:,} quotes: ms over HTTP", _over(client)),
                await _line("the same: ms of the statement alone", alone),
            ]


async def fill(db: Database, quotes: int) -> None:
    """The options of `ticks.fill` with their quotes, and how they stood every five minutes."""
    series = await ticks.fill(db, quotes)
    days = [START + n * DAY for n in range(DAYS + 1)]
    async with writing(db) as connection:
        copy = await driver(connection)
        for fact in ("option_1m", "greeks"):
            await partitions.provide(db, copy, fact, days)
        for day in days[:-1]:
            await copy.execute(STATES, series, day)
    for fact in ("option_1m", "greeks", "instrument", "series"):
        await db.reads.execute(f"analyze {fact}")


async def _alone(dsn: str, which: Options) -> Callable[[datetime], Awaitable[object]]:
    """The very statement the server runs, prepared, on a connection of its own."""
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    query = options.chain(which, START, milliseconds=False)
    wanted = shape.Shape(tuple((c.name, c.kind) for c in columns(ChainRow)), ChainRow.keys)
    text = shape.page(query.text, len(query.arguments), wanted, arrays=False, after=False)
    statement = await connection.prepare(text)
    return lambda moment: statement.fetchrow(*options.chain(which, moment, milliseconds=False).arguments, 1000)


def _over(client: httpx.AsyncClient) -> Callable[[datetime], Awaitable[object]]:
    async def asked(moment: datetime) -> None:
        answer = await client.get("/options/BTC/chain", params={"at": moment.isoformat()}, headers=AS_IT_IS)
        if answer.raise_for_status().content.count(b'"put":{') != STRIKES:
            raise RuntimeError("the chain is not whole")

    return asked


async def _line(name: str, asked: Callable[[datetime], Awaitable[object]]) -> Line:
    """The median of instants at random, none of them asked twice."""
    dice, taken = Random(1), list[float]()
    for turn in range(ROUNDS + 10):
        moment = START + DAY + (DAYS - 1) * DAY * dice.random()
        begun = time.perf_counter()
        await asked(moment)
        if turn >= 10:
            taken.append(1000 * (time.perf_counter() - begun))
        await asyncio.sleep(0.005)
    high = quantiles(taken, n=20)[18]
    return Line(
        name, median(taken), f"at most {LIMIT_MS}", f"of {ROUNDS}: median {median(taken):.1f}, 95th {high:.1f} ms"
    )
