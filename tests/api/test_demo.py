"""Generated data: every view has something to show, every answer says so, and out it goes without a trace."""

import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from app.db import Database, connected, migrate
from app.main import create_app
from app.models import Base
from app.records import MetricValue
from app.services import demo, metrics, rollup
from app.services.demo.metrics import TVL
from app.services.demo.world import EXCHANGES
from app.services.seed import put_seed
from app.settings import Settings
from tests.conftest import create_database
from tests.db.facts import DAY, hold, series, settle

GENERATED = sorted(EXCHANGES)
HOUR = timedelta(hours=1)
NOTICE = f"this store holds generated data ({', '.join(GENERATED)}): `perpstore demo --remove` takes it out"
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Store:
    """A database with real facts and generated ones, and how many rows there were on the way.

    `before` these; after a load that was `killed` and taken out; and when they were `loaded`, `until` then. What was
    `told` of what was known `then`: before the first load, while one was cut short, after it was taken out.
    """

    until: datetime
    db: Database
    client: httpx.AsyncClient
    before: Counts
    killed: Counts
    loaded: Counts
    then: datetime
    told: Sequence[Mapping[str, Any]]

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        answer = await self.client.get(path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def counts(db: Database) -> Counts:
    """Rows of every table but that of pulls, which has more after each load."""
    tables = [table for table in Base.metadata.sorted_tables if table.name != "pull"]
    async with db.engine.connect() as connection:
        return {t.name: (await connection.execute(select(func.count()).select_from(t))).scalar_one() for t in tables}


async def load(db: Database, until: datetime) -> demo.Loaded:
    return await demo.load(db, until, lambda dataset, rows: None)


async def put_real(db: Database, until: datetime) -> None:
    """A contract of an exchange that exists, and a metric whose series has a number of demo's too; versions of both."""
    to = await series(db, "okx", "BTC-USDT-SWAP")
    now = (until - DAY) // (8 * HOUR) * 8
    for rate in (1e-4, 2e-4):
        await settle(db, to, {now - 8 * n: rate for n in range(9)}, 8)
        await hold(db, to, {now - n: rate * 1e13 for n in range(72)})
        value = MetricValue(TVL, "canonical_id", "ethereum", until - 72 * HOUR, rate)
        entity = await db.reads.fetchval("select id from entity where canonical_id = 'ethereum'")
        await metrics.put_values(db, "defillama", [value], {("canonical_id", "ethereum"): entity})
    await rollup.refresh(db)


THEN = [
    "/funding/BTC?weighted=oi&at={}&known_at={}",
    "/funding?weighted=oi&at={}&known_at={}",
    "/funding?at={}&known_at={}",
    "/funding/BTC?at={}&known_at={}",
    "/open-interest/BTC?at={}&known_at={}",
]


async def known_then(client: httpx.AsyncClient, then: datetime) -> dict[str, Any]:
    """What is answered of an instant ten hours back, as known `then`, by path."""
    found = dict[str, Any]()
    for path in THEN:
        answer = await client.get(path.format(*(quote(one.isoformat()) for one in (then - 10 * HOUR, then))))
        assert answer.status_code == 200, answer.text
        found[path] = answer.json()["data"]
    return found


KILLED = """
import asyncio, sys
from datetime import datetime
from app.db import connected
from app.services import demo

async def main(dsn, until):
    async with connected(dsn) as db:
        await demo.load(db, datetime.fromisoformat(until), lambda dataset, rows: print(dataset, flush=True))

asyncio.run(main(*sys.argv[1:]))
"""


def kill_while_loading(dsn: str, until: datetime, seen: str) -> None:
    """With signal 9, once rows of a dataset are stored and the next are on their way."""
    arguments = [sys.executable, "-c", KILLED, dsn, until.isoformat()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line.strip() == seen for line in process.stdout)
        process.kill()


@pytest.fixture(scope="module")
async def store(server: str) -> AsyncIterator[Store]:
    dsn = await create_database(server, f"perpstore_demo_{os.getpid()}")
    async with connected(dsn) as db:
        await migrate(db)
        await put_seed(db)
        until = datetime.now(UTC)
        await put_real(db, until)
        app = create_app(Settings(scheduler=False, backfills=False), database=db)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
        ):
            before, then = await counts(db), datetime.now(UTC)
            told = [await known_then(client, then)]
            kill_while_loading(dsn, until, "open_interest")
            told.append(await known_then(client, then))
            assert await demo.remove(db) == GENERATED
            told.append(await known_then(client, then))
            killed = await counts(db)
            await load(db, until)
            yield Store(until, db, client, before, killed, await counts(db), then, told)


SHOWN = [
    "/funding",
    "/funding/BTC",
    "/funding/BTC?weighted=oi",
    "/funding/PEPE?kind=predicted",
    "/open-interest/BTC",
    "/open-interest/BTC?aggregate=sum",
    "/candles/BTC?interval=1h",
    "/candles/ETH",
    "/liquidations/BTC",
    "/long-short/BTC",
    "/taker-volume/BTC",
    "/spreads",
    "/spreads/BTC?long=demo-gamma&short=demo-delta",
    "/options/BTC/chain",
    "/options/ETH/expiries",
    "/options/BTC/surface",
    "/options/BTC/term-structure",
    "/volatility-index/BTC",
    "/index/ETH",
    "/perp-data/BTC",
    "/rolling/BTC",
    "/rolling?at={until}",
    "/wicks/BTC",
    "/quality/freshness",
    "/quality/gaps",
    "/quality/rejects",
    "/quality/disagreements",
    "/quality/coverage",
    "/fundamentals/ethereum",
    "/compare?metric=TVL",
    "/metrics-catalog",
    "/funding/BTC/carry",
    "/funding/BTC/prediction-error",
    "/exchanges",
    "/sources",
]


@pytest.mark.parametrize("path", SHOWN)
async def test_there_is_something_to_show(store: Store, path: str) -> None:
    body = await store.get(path.format(until=store.until.strftime("%Y-%m-%dT%H:%M:00Z")))
    assert body["data"], (path, body["meta"]["notices"])
    assert body["meta"]["generated"] == GENERATED
    assert NOTICE in body["meta"]["notices"]


async def test_bare_rows_say_it_too(store: Store) -> None:
    for form in ("csv", "ndjson", "parquet", "arrow"):
        answer = await store.client.get("/funding", params={"format": form, "exchanges": "okx"})
        told = json.loads(answer.headers["x-perpstore-meta"])
        assert (told["generated"], NOTICE in told["notices"]) == (GENERATED, True), form
        assert answer.status_code == 200
    inside = pq.read_schema(io.BytesIO((await store.client.get("/exchanges?format=parquet")).content)).metadata
    assert json.loads(inside[b"perpstore"])["generated"] == GENERATED


async def test_questions_in_a_body_and_columns_say_it_too(store: Store) -> None:
    row = {"time": store.until.isoformat(), "exchange": "demo-alpha", "asset": "BTC"}
    answer = await store.client.post("/lookup", json={"dataset": "funding", "rows": [row]})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["meta"]["generated"], found["data"]["interval_hours"]) == (GENERATED, [8])
    assert (await store.get("/funding", format="columns", exchanges="okx"))["meta"]["generated"] == GENERATED


async def test_who_is_generated(store: Store) -> None:
    for path, name in (("/exchanges", "exchange"), ("/sources", "source")):
        rows = (await store.get(path, limit="1000"))["data"]
        made_up = {row[name] for row in rows if row["generated"]}
        assert made_up == (set(GENERATED) if name == "exchange" else {"demo", "demo-second"})
        assert len(rows) > len(made_up)


async def test_what_is_missing_is_missing(store: Store) -> None:
    """Not listed, silent for two days, gaps in every state that has come to rest."""
    rows = {(row["asset"], row["exchange"]): row for row in (await store.get("/funding", limit="1000"))["data"]}
    assert ("UNI", "demo-delta") not in rows
    assert rows["AVAX", "demo-gamma"]["age_s"] > 2 * 86_400 - 1
    assert rows["AVAX", "demo-alpha"]["age_s"] < 9 * 3600
    gaps = (await store.get("/quality/gaps", start=(store.until - 48 * HOUR).isoformat()))["data"]
    assert {gap["state"] for gap in gaps} == {"open", "unfillable", "repaired"}
    weighted = (await store.get("/funding/PEPE", weighted="oi"))["data"]
    assert weighted
    assert {len(row["present"]) for row in weighted} == {3}


async def test_options_are_what_black76_says(store: Store) -> None:
    """The greeks we compute belong to the prices that are told."""
    rows = (await store.get("/options/BTC/chain", limit="1000"))["data"]
    sides = [(row["strike"], row[side]) for row in rows for side in ("call", "put") if row[side]]
    assert len(sides) == 6 * 17 * 2
    for strike, side in sides:
        assert side["ask"] > side["mark"] > (side["bid"] or -1)
        assert 0.1 < side["mark_iv"] < 3
        assert abs(side["delta"]) <= 1
        parity = side["mark"] * side["underlying"] + (strike - side["underlying"] if side["delta"] > 0 else 0)
        assert parity >= -1e-6 * side["underlying"]


async def test_what_was_known_before_stays_so(store: Store) -> None:
    """A real store can be asked as of an instant before the load: before it, in it, between two, and now."""
    assert all(told == store.told[0] for told in [*store.told, await known_then(store.client, store.then)])
    assert all(rows for rows in store.told[0].values())


async def test_loaded_twice_is_loaded_once(store: Store) -> None:
    assert (await load(store.db, store.until)).new == 0
    assert await counts(store.db) == store.loaded


def test_taken_out_half_loaded(store: Store) -> None:
    assert store.killed == store.before


async def test_taken_out_without_a_trace(store: Store) -> None:
    """The last tests: they leave nothing for others."""
    etag = (await store.client.get("/funding?exchanges=okx")).headers["etag"]
    assert await demo.remove(store.db) == GENERATED
    assert await counts(store.db) == store.before
    body = await store.get("/funding")
    assert {row["exchange"] for row in body["data"]} == {"okx"}
    assert (body["meta"]["generated"], NOTICE in body["meta"]["notices"]) == ([], False)
    assert (await store.client.get("/funding?exchanges=okx")).headers["etag"] != etag
    assert await demo.remove(store.db) == []


async def test_a_name_that_is_taken(store: Store) -> None:
    await demo.remove(store.db)
    await store.db.reads.execute("insert into exchange (slug, name) values ('demo-beta', 'mine')")
    with pytest.raises(demo.NameTaken, match="demo-beta"):
        await load(store.db, store.until)
    assert (await store.get("/funding"))["meta"]["generated"] == []
