"""Look-ups of a backtest against pandas in memory, and a year of funding as Arrow against fetching its rows."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import asyncpg
import httpx
import numpy as np
import pandas as pd
import pyarrow as pa

from app.db import SESSION, Database
from app.records import Instrument
from app.services import funding, reference
from app.services.perps import Perps
from app.services.store import SCHEMAS, put
from tests.bench.report import Line
from tests.bench.serving import served

HOUR = timedelta(hours=1)
START, HOURS = datetime(2025, 9, 1, tzinfo=UTC), 8760
EIGHTS, ONES = ("binance", "bybit", "okx"), ("deribit", "hyperliquid", "extended", "lighter")
COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "LINK", "AVAX", "LTC", "BNB")
LOOK_UPS, ROUNDS = 100_000, 7
FACTS = "funding, open_interest, revision, latest, coin_1h, coin_1h_ready"
AS_IT_IS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
Way = Callable[[], Awaitable[object]]


async def measure(db: Database, dsn: str) -> list[Line]:
    """All of this module."""
    await db.reads.execute(f"truncate {FACTS}")
    told = await _fill(db)
    with served(dsn) as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            return [*(await look_ups(client, told)), await arrow(client, db, dsn)]


async def _fill(db: Database) -> pd.DataFrame:
    """A year of settlements of ten coins on seven exchanges: the same in the store and in memory."""
    frames: list[pd.DataFrame] = []
    for exchange in (*EIGHTS, *ONES):
        step = 8 if exchange in EIGHTS else 1
        listed = [Instrument(f"{coin}USDT", coin, "USDT") for coin in COINS]
        await reference.put_instruments(db, exchange, listed)
        series = await reference.series_of(db, exchange, exchange)
        for n, coin in enumerate(COINS):
            hours = np.arange(0, HOURS, step)
            settled = pd.DataFrame({"time": pd.Timestamp(START) + pd.to_timedelta(hours, unit="h")})
            settled = settled.assign(exchange=exchange, asset=coin, rate=1e-5 * step * np.sin(hours + n))
            frames.append(settled.assign(interval_hours=float(step)))
            await put(db, "funding", _batches(series[f"{coin}USDT"].id, frames[-1]))
    await db.reads.execute("analyze funding")
    return pd.concat(frames).sort_values("time", kind="stable")


def _batches(series: int, settled: pd.DataFrame) -> list[pa.RecordBatch]:
    told = pa.Table.from_pandas(settled.rename(columns={"time": "ts"}), preserve_index=False)
    schema = SCHEMAS["funding"]
    stored = {name: told[name] if name in told.column_names else pa.nulls(told.num_rows) for name in schema.names}
    stored["series_id"] = pa.repeat(pa.scalar(series, pa.int32()), told.num_rows)
    return pa.table(stored).cast(schema).to_batches()


async def look_ups(client: httpx.AsyncClient, told: pd.DataFrame) -> list[Line]:
    """100,000 instants of the year at random, over all coins and exchanges."""
    dice = np.random.default_rng(1)
    minutes = dice.integers(0, HOURS * 60, LOOK_UPS)
    asked = pd.DataFrame(
        {
            "time": (pd.Timestamp(START) + pd.to_timedelta(minutes, unit="min")).astype(told["time"].dtype),
            "exchange": dice.choice([*EIGHTS, *ONES], LOOK_UPS),
            "asset": dice.choice(COINS, LOOK_UPS),
        }
    )
    told, by_time = told.assign(settled=told["time"]), asked.sort_values("time", kind="stable")
    text = asked.assign(time=asked["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    rows = json.dumps({"dataset": "funding", "per": "native", "rows": text.to_dict("records")}).encode()
    arrays = json.dumps({"dataset": "funding", "per": "native", "columns": text.to_dict("list")}).encode()

    async def merged() -> Any:
        return pd.merge_asof(by_time, told, on="time", by=["exchange", "asset"])

    def posted(body: bytes) -> Way:
        return lambda: _post(client, body)

    await _must_equal(await _post(client, rows), await merged(), by_time)
    taken = await _in_turns(ROUNDS, merged=merged, rows=posted(rows), columns=posted(arrays))
    return [
        Line(
            f"{LOOK_UPS:,} look-ups over HTTP ({form}): time ÷ merge_asof of {len(told):,} settlements in memory",
            taken[form] / taken["merged"],
            "at most 15",
            f"{1000 * taken[form]:.0f} and {1000 * taken['merged']:.0f} ms",
        )
        for form in ("rows", "columns")
    ]


async def _post(client: httpx.AsyncClient, body: bytes) -> bytes:
    answer = await client.post("/lookup", content=body, headers=AS_IT_IS)
    return answer.raise_for_status().content


async def _must_equal(answer: bytes, merged: pd.DataFrame, by_time: pd.DataFrame) -> None:
    """Both ways find the same settlements: all are in force here."""
    found = pd.Series(json.loads(answer)["data"]["rate"]).reindex(by_time.index)
    if not np.array_equal(found.to_numpy(), merged["rate"].to_numpy()):
        raise RuntimeError("the look-ups are not those of merge_asof")


async def arrow(client: httpx.AsyncClient, db: Database, dsn: str) -> Line:
    """A year of one coin on seven exchanges: the answer read into a table, against `fetch` of the same statement."""
    entity = await db.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    query = funding.history(Perps(entity), START, START + HOURS * HOUR, 8.0)
    statement = f'select * from ({query.text}) rows order by time, exchange collate "C", instrument collate "C"'
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    window = {"start": f"{START:%Y-%m-%d}", "end": f"{START + HOURS * HOUR:%Y-%m-%d}", "format": "arrow"}

    async def fetched() -> int:
        return len(await connection.fetch(statement, *query.arguments))

    async def streamed() -> int:
        answer = await client.get("/funding/BTC", params=window, headers={"Accept-Encoding": "identity"})
        with pa.ipc.open_stream(answer.raise_for_status().content) as reader:
            return reader.read_all().num_rows

    count = await fetched()
    if await streamed() != count:
        raise RuntimeError("the answer has not all the rows")
    taken = await _in_turns(ROUNDS, fetched=fetched, streamed=streamed)
    await connection.close()
    return Line(
        f"a year of funding on 7 exchanges as Arrow over HTTP, {count:,} rows ÷ asyncpg fetching them",
        taken["fetched"] / taken["streamed"],
        "at least 0.5",
        f"{count / taken['streamed']:,.0f} and {count / taken['fetched']:,.0f} rows/s",
    )


async def _in_turns(rounds: int, **ways: Way) -> dict[str, float]:
    """The median seconds of each way, measured in turns, after one try each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            begun = time.perf_counter()
            await way()
            if turn:
                taken[name].append(time.perf_counter() - begun)
            await asyncio.sleep(0.05)
    return {name: median(times) for name, times in taken.items()}
