"""What the tests of imports bring, and all that is there before and after."""

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.db import Database
from app.services import rollup, store
from tests.db.facts import series

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT", "AVAXUSDT")
COINS = {symbol: symbol.removesuffix("USDT") for symbol in SYMBOLS}
TABLES = {
    "funding": "series_id, ts", "predicted_funding": "series_id, ts", "open_interest": "series_id, ts",
    "perp_1m": "series_id, ts", "liquidation": "series_id, ts",
    "perp_1h": "series_id, ts", "revision": "id", "latest": "series_id", "entity": "id",
    "exchange": "id", "source": "id", "instrument": "id", "series": "id",
    "import_made": "batch_id, kind, made_id",
}  # fmt: skip
Row = Mapping[str, object]


def hours_ago(hours: float) -> str:
    return (NOW - hours * HOUR).isoformat().replace("+00:00", "Z")


async def contents(db: Database) -> dict[str, object]:
    """All tables as one digest each, the rollup as it is once it is up to date."""
    await rollup.refresh(db)
    found: dict[str, object] = {}
    for table, order in TABLES.items():
        found[table] = await db.reads.fetchrow(
            f"select count(*), md5(string_agg(t::text, '|' order by {order})) from {table} t"
        )
    found["coin_1h"] = await db.reads.fetchrow(
        "select count(*), md5(string_agg(t::text, '|' order by entity_id, ts)) from coin_1h t where ts <= $1", NOW
    )
    found["begins"] = await db.reads.fetch("select entity_id, first_ts from coin_1h_ready order by 1")
    return found


async def answers(client: httpx.AsyncClient, *moments: datetime) -> dict[str, object]:
    """What the API says, as bytes: now and as it was known at these moments; answers about now without their time."""
    window = {"start": hours_ago(80), "end": hours_ago(0)}
    questions: list[tuple[str, dict[str, str]]] = [
        ("/funding/BTC", {**window, "per": "native"}),
        ("/funding/ETH", {**window, "format": "csv"}),
        ("/funding/BTC", {**window, "weighted": "oi"}),
        ("/funding/BTC", {"at": hours_ago(7.5)}),
        ("/funding/BTC/carry", {**window, "notional": "10000"}),
        ("/funding", {"at": hours_ago(7.5)}),
        ("/open-interest/BTC", window),
        ("/open-interest/BTC", {**window, "aggregate": "sum"}),
        ("/candles/BTC", {**window, "interval": "1h"}),
        ("/candles/BTC", {"start": hours_ago(2), "end": hours_ago(0), "interval": "1m"}),
        ("/entities/BTC", {}),
        ("/entities/ETH", {}),
        ("/instruments", {}),
        ("/exchanges", {}),
    ]
    timed = [q for q in questions if q[1] and q[0] != "/candles/BTC"]
    questions += [(p, {**q, "known_at": m.isoformat()}) for m in moments for p, q in timed if "instruments" not in p]
    found: dict[str, object] = {}
    for path, query in questions:
        answer = await client.get(path, params=query, headers={"X-Request-ID": "same"})
        assert answer.status_code == 200, (path, query, answer.text)
        found[f"{path} {query}"] = answer.content
    latest = (await client.get("/funding")).json()["data"]
    found["/funding"] = [{name: value for name, value in row.items() if name != "age_s"} for row in latest]
    return found


async def bring(
    client: httpx.AsyncClient, dataset: str, rows: Sequence[Row] | pa.Table, status: int = 200, **query: object
) -> int:
    """Import rows, into the series of the exchange itself; returns the number of the import."""
    query.setdefault("source", "bybit")
    if isinstance(rows, pa.Table):
        sink = io.BytesIO()
        pq.write_table(rows, sink)
        body, media = sink.getvalue(), "application/vnd.apache.parquet"
    else:
        body, media = json.dumps(rows).encode(), "application/json"
    answer = await client.post(f"/{dataset}", content=body, headers={"Content-Type": media}, params=query)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    return answer.json().get("import_id")


async def take_back(client: httpx.AsyncClient, number: int, status: int = 200) -> dict[str, object]:
    answer = await client.delete(f"/admin/imports/{number}")
    assert answer.status_code == status, answer.text
    return answer.json()["data"][0] if status == 200 else answer.json()


def settlement(hours: float, rate: float, symbol: str = "BTCUSDT", exchange: str = "bybit", **more: object) -> Row:
    return {"time": hours_ago(hours), "exchange": exchange, "instrument": symbol, "rate": rate, **more}


def rates(symbols: Sequence[str], count: int, factor: float = 1.0) -> pa.Table:
    """Hourly settlements up to now."""
    times = [NOW - h * HOUR for h in range(count)][::-1]
    values = np.sin(np.arange(count) / 9) * 1e-5 * factor
    return pa.table(
        {
            "time": pa.array(times * len(symbols)),
            "exchange": ["bybit"] * count * len(symbols),
            "instrument": np.repeat(symbols, count).tolist(),
            "rate": np.tile(values, len(symbols)),
        }
    )


async def pulled(db: Database, symbols: Sequence[str], count: int) -> None:
    """The same, as the engine pulls them; with open interest and candles of hours and minutes."""
    for symbol in symbols:
        to = await series(db, "bybit", symbol, COINS[symbol])
        table = rates([symbol], count)
        stored = {"series_id": [to] * count, "ts": table["time"], "rate": table["rate"]}
        await put(db, "funding", stored)
        times = [NOW - h * HOUR for h in range(80)]
        await put(db, "open_interest", {"series_id": [to] * 80, "ts": times, "oi_usd": [1e6 + h for h in range(80)]})
        price = {name: [100.0 + h for h in range(80)] for name in ("open", "high", "low", "close")}
        await put(db, "perp_1h", {"series_id": [to] * 80, "ts": times, **price})
        minutes = [NOW - h * timedelta(minutes=1) for h in range(1, 81)]
        await put(db, "perp_1m", {"series_id": [to] * 80, "ts": minutes, **price})


async def put(db: Database, fact: str, columns: Mapping[str, object]) -> None:
    schema = store.SCHEMAS[fact]
    count = len(columns["series_id"])  # type: ignore[arg-type]
    full = {name: columns.get(name, [None] * count) for name in schema.names}
    await store.put(db, fact, pa.table(full).cast(schema).to_batches())
