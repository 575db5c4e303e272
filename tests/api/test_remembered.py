"""Answers are remembered only while nothing changes."""

from datetime import timedelta

import httpx

from app.api.remembered import TOTAL, Kept, Memory
from app.api.times import utc_now
from app.db import Database
from tests.api.test_funding import iso
from tests.db.facts import at, series, settle

PAST = {"start": iso(at(0)), "end": iso(at(24))}


def memory(client: httpx.AsyncClient) -> Memory:
    return client._transport.app.state.memory  # type: ignore[attr-defined]


async def test_the_same_question_is_answered_from_memory(client: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "okx", "BTC-USDT-SWAP")
    await settle(clean_database, to, {0: 1e-4, 8: 1e-4})
    first = await client.get("/funding/BTC", params=PAST, headers={"X-Request-ID": "one"})
    assert len(memory(client).kept) == 1
    again = await client.get("/funding/BTC", params=PAST, headers={"X-Request-ID": "two"})
    assert again.json()["meta"].pop("request_id") == "two"
    assert again.json()["data"] == first.json()["data"]
    assert again.headers["etag"] == first.headers["etag"]
    fresh = await client.get("/funding/BTC", params=PAST, headers={"If-None-Match": first.headers["etag"]})
    assert fresh.status_code == 304


async def test_a_write_is_seen_at_once(client: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "okx", "BTC-USDT-SWAP")
    for n in range(1, 6):
        await settle(clean_database, to, {n: n * 1e-5})
        found = (await client.get("/funding/BTC", params=PAST)).json()["data"]
        assert len(found) == n
        assert (await client.get("/funding/BTC", params=PAST)).json()["data"] == found


async def test_what_depends_on_now_is_not_remembered(client: httpx.AsyncClient) -> None:
    later = iso(utc_now() + timedelta(hours=1))
    for params in ({}, {"start": PAST["start"]}, {"start": PAST["start"], "end": later}, {"at": later}):
        assert (await client.get("/funding/BTC", params=params)).status_code == 200
    assert not memory(client).kept


def test_the_memory_is_bounded() -> None:
    small = Memory()
    part = bytes(TOTAL // 4)
    for n in range(20):
        small.keep((str(n), "", ""), Kept("s", part, b"", {}))
    assert small.size <= TOTAL
    assert list(small.kept) == [(str(n), "", "") for n in (16, 17, 18, 19)]
