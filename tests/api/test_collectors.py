"""`/admin/collectors`: how live collectors fare."""

import json
from datetime import UTC, datetime, timedelta

import httpx

from app.cli.status import collectors_of, told_of_collectors
from app.db import Database
from app.services import collectors
from app.services.collectors import Report


async def told(db: Database) -> None:
    now = datetime.now(UTC)
    for source, state in (("binance", "connected"), ("okx", "waiting")):
        heard = now - timedelta(seconds=30)
        reports = [Report(f"{source}:ws:0", source, "/ws", state, 200, now, heard, 5000, 12.5, 1.5, 2, 3, "cut off")]
        await collectors.tell(db, source, reports)


async def test_each_collector_is_a_row(writer: httpx.AsyncClient, clean_database: Database) -> None:
    await told(clean_database)
    rows = (await writer.get("/admin/collectors")).json()["data"]
    assert [row["id"] for row in rows] == ["binance:ws:0", "okx:ws:0"]
    first = rows[0]
    assert 29 < first["age_s"] < 60
    expected = {"state": "connected", "subscriptions": 200, "messages": 5000, "messages_per_s": 12.5, "lag_s": 1.5}
    assert {name: first[name] for name in expected} == expected
    assert (first["dropped"], first["reconnects"], first["error"]) == (2, 3, "cut off")


async def test_rows_are_chosen_by_source_and_state(writer: httpx.AsyncClient, clean_database: Database) -> None:
    await told(clean_database)
    for params in ({"source": "okx"}, {"state": "Waiting"}):
        rows = (await writer.get("/admin/collectors", params=params)).json()["data"]
        assert [row["id"] for row in rows] == ["okx:ws:0"]
    assert (await writer.get("/admin/collectors", params={"state": "asleep"})).status_code == 400


async def test_status_shows_them(clean_database: Database) -> None:
    assert await collectors_of(clean_database) == []
    await told(clean_database)
    rows = await collectors_of(clean_database)
    heads, first, _ = (line.split() for line in told_of_collectors(rows).splitlines())
    assert heads == ["COLLECTOR", "STATE", "LAG", "MESSAGES/S", "DROPPED", "RECONNECTS", "LAST", "MESSAGE"]
    assert first == ["binance:ws:0", "connected", "2s", "12.5", "2", "3", _shown(rows[0]["last_message_at"])]
    (document,) = json.loads(json.dumps(rows[:1], default=str))
    assert (document["id"], document["age_s"] > 29, document["error"]) == ("binance:ws:0", True, "cut off")


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


async def test_only_admins_see_them(client: httpx.AsyncClient) -> None:
    assert (await client.get("/admin/collectors")).status_code == 401


async def test_they_are_in_the_metrics(client: httpx.AsyncClient, clean_database: Database) -> None:
    await told(clean_database)
    text = (await client.get("/metrics")).text
    assert 'perpstore_collector_up{collector="binance:ws:0",source="binance"} 1.0' in text
    assert 'perpstore_collector_up{collector="okx:ws:0",source="okx"} 0.0' in text
    assert 'perpstore_collector_messages_total{collector="okx:ws:0",source="okx"} 5000.0' in text
    assert 'perpstore_collector_lag_seconds{collector="okx:ws:0",source="okx"} 1.5' in text


async def test_why_there_are_none(writer: httpx.AsyncClient, clean_database: Database) -> None:
    app = writer._transport.app  # type: ignore[attr-defined]

    async def why(**params: str) -> str:
        answer = (await writer.get("/admin/collectors", params=params)).json()
        assert answer["data"] == []
        return answer["meta"]["notices"][-1]

    before = app.state.settings
    try:
        assert "PERPSTORE_SCHEDULER is off" in await why()
        app.state.settings = before.model_copy(update={"scheduler": True, "streams": False})
        assert "PERPSTORE_STREAMS is off" in await why()
        app.state.settings = before.model_copy(update={"scheduler": True})
        assert "no instruments known yet" in await why()
        await told(clean_database)
        assert "these filters" in await why(source="bybit")
    finally:
        app.state.settings = before
