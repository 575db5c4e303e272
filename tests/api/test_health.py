"""For supervisors and Prometheus; how fresh the data is and what was refused."""

from datetime import UTC, datetime, timedelta

import httpx
import pyarrow as pa
from prometheus_client.parser import text_string_to_metric_families

from app.db import Database
from app.services import log
from app.services.store import WIDE_MINUTE, put
from tests.db import facts


async def test_live_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


async def test_old_schema_is_not_ready(client: httpx.AsyncClient, clean_database: Database) -> None:
    version = await clean_database.reads.fetchval("select version_num from alembic_version")
    await clean_database.reads.execute("update alembic_version set version_num = 'older'")
    try:
        answer = await client.get("/health/ready")
    finally:
        await clean_database.reads.execute("update alembic_version set version_num = $1", version)
    assert (answer.status_code, answer.json()["code"]) == (503, "schema_not_at_head")
    assert answer.headers["retry-after"]


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = (await client.get("/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def label(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


async def test_metrics_of_requests(client: httpx.AsyncClient) -> None:
    for asset in ("BTC", "ETH", "nothing-like-that"):
        await client.get(f"/funding/{asset}")
    await client.get("/no/such/path")
    await client.request("BREW", "/exchanges")
    found = await samples(client)
    route = {"method": "GET", "path": "/funding/{asset}"}
    assert found["perpstore_requests_total", label(**route, status="200")] == 2
    assert found["perpstore_requests_total", label(**route, status="404")] == 1
    assert found["perpstore_requests_total", label(method="GET", path="unmatched", status="404")] == 1
    assert found["perpstore_request_seconds_count", label(**route)] == 3
    assert any(dict(labels).get("method") == "OTHER" for _, labels in found)
    assert not any("BREW" in dict(labels).values() for _, labels in found)


async def test_metrics_of_pulls_and_data(client: httpx.AsyncClient, clean_database: Database) -> None:
    for inserted in (10, 20):
        pull = await log.begin(clean_database, "okx", "funding")
        await log.finish(clean_database, pull, "succeeded", log.Counts(1, inserted + 1, inserted, 0, 1), None)
    series = await facts.series(clean_database, "okx", "BTC-USDT-SWAP")
    await facts.settle(clean_database, series, {0: 1e-4}, hours=8)
    found = await samples(client)
    which = {"source": "okx", "dataset": "funding"}
    assert found["perpstore_pulls_total", label(**which, status="succeeded")] == 2
    assert found["perpstore_rows_inserted_total", label(**which)] == 30
    assert found["perpstore_rows_rejected_total", label(**which)] == 2
    age = (datetime.now(UTC) - facts.DAY).total_seconds()
    assert abs(found["perpstore_data_age_seconds", label(**which)] - age) < 60
    assert found["perpstore_data_late", label(**which)] == 1
    assert ("perpstore_db_connections", label(pool="reads", state="idle")) in found


async def test_freshness(client: httpx.AsyncClient, clean_database: Database) -> None:
    now = datetime.now(UTC)
    for exchange, symbol, age in (("okx", "BTC-USDT-SWAP", 1), ("bybit", "BTCUSDT", 30)):
        series = await facts.series(clean_database, exchange, symbol)
        hours = (now - timedelta(hours=age) - facts.DAY) / timedelta(hours=1)
        await facts.settle(clean_database, series, {hours: 1e-4}, hours=8)
    rows = (await client.get("/quality/freshness?dataset=funding")).json()["data"]
    found = {row["source"]: row for row in rows}
    assert (found["okx"]["late"], found["okx"]["series"], found["okx"]["expected_every_s"]) == (False, 1, 28800)
    assert found["bybit"]["late"]
    assert (found["binance"]["late"], found["binance"]["newest"]) == (True, None)
    assert {row["dataset"] for row in rows} == {"funding"}


async def test_freshness_of_what_only_collectors_tell(client: httpx.AsyncClient, clean_database: Database) -> None:
    """The newest minute that has a value of it, not the newest minute."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    first, second = [await facts.series(clean_database, "bybit", name) for name in ("BTCUSDT", "ETHUSDT")]
    told = [
        {"series_id": first, "ts": now - timedelta(minutes=30), "long_short_ratio": 1.5, "sell_volume_base": 1.0},
        {"series_id": second, "ts": now - timedelta(minutes=30), "long_short_ratio": 1.5, "sell_volume_base": None},
        {"series_id": first, "ts": now - timedelta(minutes=1), "long_short_ratio": None, "sell_volume_base": 2.0},
    ]
    columns = pa.schema([WIDE_MINUTE.field(name) for name in (*told[0], "known_at")])
    await put(clean_database, "perp_1m", [pa.RecordBatch.from_pylist(told, columns)])
    died = {"series_id": first, "ts": now - timedelta(hours=5), "side": 1, "price": 1.0, "quantity": 1.0}
    await put(clean_database, "liquidation", [facts.batch("liquidation", [died])])
    asked = "/quality/freshness?dataset=long_short,liquidations,taker_volume"
    found = {(row["source"], row["dataset"]): row for row in (await client.get(asked)).json()["data"]}
    ratio, taker, liquidation = (found["bybit", name] for name in ("long_short", "taker_volume", "liquidations"))
    assert (ratio["expected_every_s"], ratio["late"], ratio["series"]) == (300, True, 2)
    assert 30 * 60 <= ratio["age_s"] < 32 * 60
    assert (taker["expected_every_s"], taker["late"], taker["series"]) == (120, False, 1)
    assert (liquidation["expected_every_s"], liquidation["late"], liquidation["series"]) == (None, None, 1)
    assert liquidation["age_s"] >= 5 * 3600
    assert (found["okx", "long_short"]["newest"], found["okx", "long_short"]["late"]) == (None, True)
    assert ("hyperliquid", "long_short") not in found


async def test_rejects(client: httpx.AsyncClient, clean_database: Database) -> None:
    for _ in range(2):
        refused = [log.Rejected("not_finite", "BTCUSDT", "rate is nan", 3), log.Rejected("unreadable", "", "what?")]
        await log.reject(clean_database, "okx", "funding", refused)
    rows = (await client.get("/quality/rejects?source=OKX")).json()["data"]
    assert {(row["code"], row["symbol"], row["count"]) for row in rows} == {
        ("not_finite", "BTCUSDT", 6),
        ("unreadable", None, 2),
    }
    assert (await client.get("/quality/rejects?source=bybit")).json()["data"] == []
