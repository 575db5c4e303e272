"""Keys and their scopes, pulls and jobs."""

import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest

from app.db import Database
from app.services import keys, log
from app.settings import Settings
from tests.apps import asking, made

ADMIN = [
    ("GET", "/admin/pulls"),
    ("GET", "/admin/pulls/1"),
    ("GET", "/admin/jobs"),
    ("POST", "/admin/pulls"),
    ("POST", "/admin/jobs/bybit:funding/run"),
    ("POST", "/admin/jobs/bybit:funding/pause"),
    ("POST", "/admin/jobs/bybit:funding/resume"),
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("method", "path"), ADMIN)
async def test_admin_needs_the_scope(
    client: httpx.AsyncClient, clean_database: Database, method: str, path: str
) -> None:
    without = await client.request(method, path)
    assert (without.status_code, without.json()["code"]) == (401, "key_required")
    assert without.headers["www-authenticate"].startswith("Bearer")
    unknown = await client.request(method, path, headers=bearer("pst_unknown"))
    assert (unknown.status_code, unknown.json()["code"]) == (401, "key_unknown")
    writer = await keys.create(clean_database, "w", ["write"])
    less = await client.request(method, path, headers=bearer(writer))
    assert (less.status_code, less.json()["code"]) == (403, "scope_missing")


async def test_only_the_hash_is_kept(clean_database: Database) -> None:
    key = await keys.create(clean_database, "x", ["READ", "write"])
    assert key.startswith("pst_")
    assert len(key) > 40
    row = await clean_database.reads.fetchrow("select * from api_key")
    assert row is not None
    assert row["hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in str(dict(row))
    assert row["scopes"] == ["read", "write"]


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", ""]])
async def test_scopes_that_do_not_exist(clean_database: Database, scopes: list[str]) -> None:
    with pytest.raises(keys.BadScope):
        await keys.create(clean_database, "x", scopes)


@pytest.mark.parametrize(
    ("scope", "implied"), [("read", {"read"}), ("write", {"read", "write"}), ("admin", {"read", "write", "admin"})]
)
async def test_scopes_imply_others(clean_database: Database, scope: str, implied: set[str]) -> None:
    found = await keys.check(clean_database, await keys.create(clean_database, "x", [scope]))
    assert found is not None
    assert {word for word in keys.SCOPES if found.may(word)} == implied


async def test_use_is_noted_and_revoking_ends_it(clean_database: Database) -> None:
    key = await keys.create(clean_database, "x", ["read"])
    other = await keys.create(clean_database, "y", ["read"])
    assert await keys.check(clean_database, key)
    used, unused = await keys.listed(clean_database)
    assert used.last_used_at
    assert unused.last_used_at is None
    assert [found.name for found in await keys.revoke(clean_database, "x")] == ["x"]
    assert await keys.check(clean_database, key) is None
    assert [found.id for found in await keys.revoke(clean_database, str(unused.id))] == [unused.id]
    assert await keys.check(clean_database, other) is None
    assert await keys.revoke(clean_database, "x") == []


@pytest.mark.parametrize("key", ["", "é", "x" * 5000])
async def test_strange_keys(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.get("/admin/jobs", headers={"Authorization": f"Bearer {key}".encode()})
    assert answer.status_code == 401


async def test_reading_may_need_a_key(clean_database: Database) -> None:
    app = made(Settings(scheduler=False, read_requires_key=True), clean_database)
    async with asking(app) as client:
        for path in ("/exchanges", "/funding", "/quality/freshness"):
            assert (await client.get(path)).status_code == 401
        key = await keys.create(clean_database, "r", ["read"])
        assert (await client.get("/exchanges", headers=bearer(key))).status_code == 200
        assert (await client.get("/health/live")).status_code == 200


async def test_pull_now(writer: httpx.AsyncClient, clean_database: Database) -> None:
    before = await log.begin(clean_database, "bybit", "funding")
    answer = await writer.post("/admin/pulls", json={"source": "BYBIT"})
    assert answer.status_code == 202, answer.text
    asked = {job for job, state in (await log.job_states(clean_database)).items() if state.asked_at}
    assert asked == {row["id"] for row in answer.json()["data"]}
    assert {"bybit:instruments", "bybit:funding"} <= asked
    assert answer.json()["meta"]["notices"]  # nobody runs the schedule here
    pull = await log.begin(clean_database, "bybit", "funding")
    await log.begin(clean_database, "okx", "funding")
    come = (await writer.get(answer.headers["location"])).json()["data"]
    assert [row["id"] for row in come] == [pull]
    assert before < pull


async def test_pull_of_one_dataset(writer: httpx.AsyncClient, clean_database: Database) -> None:
    answer = await writer.post("/admin/pulls", json={"source": "bybit", "dataset": "funding"})
    assert [row["id"] for row in answer.json()["data"]] == ["bybit:funding"]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"source": "bybi"}, "body.source"),
        ({"source": "bybit", "dataset": "fundin"}, "body.dataset"),
        ({"source": "bybit", "data": "funding"}, "body.data"),
        ({}, "body.source"),
    ],
)
async def test_pull_of_what_does_not_exist(writer: httpx.AsyncClient, body: dict[str, str], parameter: str) -> None:
    answer = await writer.post("/admin/pulls", json=body)
    assert answer.status_code == 400
    assert parameter in {error["parameter"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("length_told", [True, False])
async def test_bodies_are_small(client: httpx.AsyncClient, length_told: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    content = b" " * 1_000_000 if length_told else parts()
    answer = await client.post("/admin/pulls", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_log_of_pulls(writer: httpx.AsyncClient, clean_database: Database) -> None:
    first = await log.begin(clean_database, "okx", "funding")
    await log.finish(clean_database, first, "partial", log.Counts(3, 100, 90, 5, 5), "two symbols did not answer")
    second = await log.begin(clean_database, "bybit", "funding")
    rows = (await writer.get("/admin/pulls?order=desc")).json()["data"]
    assert [row["id"] for row in rows] == [second, first]
    assert (rows[1]["status"], rows[1]["inserted"], rows[1]["rejected"]) == ("partial", 90, 5)
    assert (rows[0]["status"], rows[0]["finished_at"]) == ("running", None)
    assert rows[1]["duration"] >= 0
    one = (await writer.get(f"/admin/pulls/{first}")).json()["data"]
    assert [row["error"] for row in one] == ["two symbols did not answer"]
    assert [row["id"] for row in (await writer.get("/admin/pulls?status=running")).json()["data"]] == [second]
    assert (await writer.get("/admin/pulls/99999")).status_code == 404


async def test_jobs(writer: httpx.AsyncClient, clean_database: Database) -> None:
    paused = (await writer.post("/admin/jobs/bybit:funding/pause")).json()["data"]
    assert [(row["paused"], row["next_at"]) for row in paused] == [(True, None)]
    run = await writer.post("/admin/jobs/bybit:funding/run")
    assert run.status_code == 202
    assert run.headers["location"].startswith("/admin/pulls?source=bybit&dataset=funding&after=")
    found = {row["id"]: row for row in (await writer.get("/admin/jobs")).json()["data"]}
    assert found["bybit:funding"]["paused"]
    assert found["bybit:funding"]["asked_at"]
    assert found["okx:funding"]["next_at"]
    resumed = (await writer.post("/admin/jobs/bybit:funding/resume")).json()["data"]
    assert [row["paused"] for row in resumed] == [False]


async def test_job_that_does_not_exist(writer: httpx.AsyncClient) -> None:
    answer = await writer.post("/admin/jobs/bybit:fundin/run")
    assert answer.status_code == 404
    assert answer.json()["candidates"][0] == "bybit:funding"
