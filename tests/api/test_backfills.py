"""History on order over the API: planned, ordered once, watched, cancelled and resumed; and what is refused."""

from typing import Any

import httpx
import pytest

from app.db import Database
from app.records import Instrument
from app.services import log, reference

WEEK = {"source": "binance", "datasets": ["funding"], "assets": ["BTC"], "days": 7}
PATH = "/admin/backfills"


@pytest.fixture
async def listed(writer: httpx.AsyncClient, clean_database: Database) -> httpx.AsyncClient:
    """Two perpetuals are known, and nobody works: what is ordered waits."""
    contracts = [Instrument(f"{coin}USDT", coin, "USDT", funding_interval_hours=8.0) for coin in ("BTC", "ETH")]
    await reference.put_instruments(clean_database, "binance", contracts)
    pull = await log.begin(clean_database, "binance", "instruments")
    await log.finish(clean_database, pull, "succeeded", log.Counts(), None)
    return writer


async def post(client: httpx.AsyncClient, order: dict[str, Any], status: int, **more: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json=order, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_plan_starts_nothing(listed: httpx.AsyncClient, clean_database: Database) -> None:
    for order, more in ((WEEK, {"params": {"dry_run": "true"}}), ({**WEEK, "dry_run": True}, {})):
        (row,) = (await post(listed, order, 200, **more))["data"]
        assert (row["source"], row["datasets"], row["windows"], row["requests"]) == ("binance", ["funding"], 1, 1)
        assert 21 <= row["rows"] <= 22
        assert row["time_s"] > 0
    assert await clean_database.reads.fetchval("select count(*) from backfill") == 0
    (whole,) = (await post(listed, {**WEEK, "assets": [], "dry_run": True}, 200))["data"]
    assert whole["windows"] == 2


async def test_ordered_once_watched_cancelled_and_resumed(listed: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "week"}
    answer = await listed.post(PATH, json=WEEK, headers=headers)
    assert answer.status_code == 202
    (row,) = answer.json()["data"]
    assert (row["state"], row["assets"], row["windows_planned"], row["windows_done"]) == ("queued", ["bitcoin"], 1, 0)
    assert answer.headers["location"] == f"{PATH}/{row['id']}"
    again = await listed.post(PATH, json=WEEK, headers=headers)
    assert (again.status_code, again.json()["data"][0]["id"]) == (200, row["id"])
    assert (await post(listed, {**WEEK, "days": 8}, 409, headers=headers))["code"] == "idempotency_key_reused"
    cancelled = await listed.post(f"{PATH}/{row['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["data"][0]["state"]) == (202, "cancelling")
    refused = await listed.post(f"{PATH}/{row['id']}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "backfill_state")
    assert [found["id"] for found in (await listed.get(PATH)).json()["data"]] == [row["id"]]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"source": "binanse"}, 400, "unknown_source"),
        ({"datasets": ["weather"]}, 400, "nothing_to_ask"),
        ({"assets": ["NOSUCHCOIN"]}, 404, "unknown_asset"),
        ({"exchanges": ["okx"]}, 400, "nothing_to_ask"),
        ({"exchanges": ["nowhere"]}, 400, "unknown_exchange"),
        ({"days": None}, 400, "bad_value"),
        ({"start": "2026-01-01"}, 400, "bad_value"),
        ({"days": None, "start": "2026-02-01", "end": "2026-01-01"}, 400, "bad_value"),
        ({"days": -1}, 400, None),
        ({"colour": "red"}, 400, None),
        ({"source": "velo", "assets": []}, 400, "nothing_to_ask"),
    ],
)
async def test_what_is_refused(
    listed: httpx.AsyncClient, change: dict[str, Any], status: int, code: str | None
) -> None:
    told = await post(listed, {**WEEK, **change}, status)
    assert code in (None, told["code"]), told


async def test_only_for_administrators_and_only_what_is_there(
    client: httpx.AsyncClient, writer: httpx.AsyncClient
) -> None:
    for path in (f"{PATH}/99", f"{PATH}/99/cancel", f"{PATH}/99/resume"):
        verb = writer.get if path.endswith("99") else writer.post
        assert (await verb(path)).status_code == 404
    del writer.headers["Authorization"]
    assert (await writer.get(PATH)).status_code == 401
    assert (await writer.post(PATH, json=WEEK)).status_code == 401
