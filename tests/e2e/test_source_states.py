"""`GET /quality/sources`: how a source stands is told by what really became of its pulls."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app import settings
from app.api.times import utc_now
from app.ingest.engine import Engine
from app.main import create_app
from app.services import log
from app.settings import Settings
from tests.e2e.rounds import pull_round
from tests.replay import Replay, broken

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
async def asking(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The API beside an engine, of an operator who wants some sources only; it says that it pulls, but does not."""
    monkeypatch.delenv("VELO_API_KEY", raising=False)
    settings.environment.cache_clear()
    wanted = Settings(scheduler=False, backfills=False, sources=("bybit", "okx", "velo"))
    app = create_app(wanted, engine.db)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        app.state.scheduled = True
        yield client


async def ask(client: httpx.AsyncClient, source: str) -> dict[str, Any]:
    (row,) = (await client.get("/quality/sources", params={"source": source})).json()["data"]
    return row


async def test_nobody_answers_then_errors_then_data(
    asking: httpx.AsyncClient, engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await ask(asking, "bybit")
    assert (row["state"], row["last_success_at"], row["failures"]) == ("waiting", None, 0)
    assert row["next_step"].startswith("it is asked again at 20")

    there = settings.environment()["BYBIT_BASE_URL"]
    monkeypatch.setenv("BYBIT_BASE_URL", NOBODY)
    settings.environment.cache_clear()
    await pull_round(engine, ["bybit"])
    row = await ask(asking, "bybit")
    assert (row["state"], row["last_success_at"]) == ("unreachable", None)
    assert row["failures"] >= row["datasets"]
    assert row["reason"].startswith("instruments: bybit /v5/market/instruments-info: ConnectError")
    assert row["next_step"].startswith("check the network; it is asked again at 20")
    assert row["last_failure_at"].endswith("Z")
    noted = await engine.db.reads.fetch("select distinct code from error_log where message like '%ConnectError%'")
    assert [one["code"] for one in noted] == ["unreachable"]

    monkeypatch.setenv("BYBIT_BASE_URL", there)
    settings.environment.cache_clear()
    engine.listed.clear()
    replay.storm([broken(502)], share=1)
    await pull_round(engine, ["bybit"])
    row = await ask(asking, "bybit")
    assert (row["state"], row["last_success_at"]) == ("failing", None)
    assert "HTTP 502" in row["reason"]

    replay.storm([], share=0)
    engine.listed.clear()
    await pull_round(engine, ["bybit"])
    row = await ask(asking, "bybit")
    assert (row["state"], row["reason"], row["next_step"], row["failures"]) == ("ok", None, None, 0)
    assert row["last_success_at"] > row["last_failure_at"]
    assert 0 <= row["late"] <= row["datasets"] == 6


async def test_what_was_ended_is_no_failure(asking: httpx.AsyncClient, engine: Engine) -> None:
    number = await log.begin(engine.db, "okx", "funding")
    row = await ask(asking, "okx")
    assert (row["state"], row["reason"]) == ("waiting", "its first pull is running")
    await log.abandon(engine.db)
    await log.finish(engine.db, number, "failed", log.Counts(), log.CANCELLED)
    assert (await ask(asking, "okx"))["state"] == "waiting"


async def test_one_dataset_that_fails_is_named(asking: httpx.AsyncClient, engine: Engine) -> None:
    for dataset, status in (("funding", "failed"), ("candles_1m", "succeeded"), ("funding", "failed")):
        number = await log.begin(engine.db, "okx", dataset)
        error = "HTTP 500" if status == "failed" else None
        await log.finish(engine.db, number, status, log.Counts(requests=1), error)  # type: ignore[arg-type]
    row = await ask(asking, "okx")
    assert (row["state"], row["reason"], row["failures"]) == ("failing", "funding: HTTP 500", 2)


async def test_what_nobody_pulls_says_why(asking: httpx.AsyncClient, engine: Engine) -> None:
    rows = {row["source"]: row for row in (await asking.get("/quality/sources")).json()["data"]}
    velo, binance = rows["velo"], rows["binance"]
    assert (velo["state"], velo["reason"]) == ("disabled", "VELO_API_KEY is not set")
    assert velo["next_step"] == "set VELO_API_KEY in .env and restart"
    assert (velo["key_setting"], velo["key_present"], velo["late"]) == ("VELO_API_KEY", False, None)
    assert (binance["state"], binance["late"], binance["next_at"], velo["next_at"]) == ("off", None, None, None)
    assert rows["okx"]["next_at"] > utc_now().isoformat()[:19]
    assert "PERPSTORE_SOURCES" in binance["next_step"]


async def test_without_a_schedule_only_what_others_pull_is_on(
    client: httpx.AsyncClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (await client.get("/quality/sources")).json()
    assert "the scheduler is off" in answer["meta"]["notices"][0]
    assert {row["state"] for row in answer["data"]} <= {"off", "disabled"}
    number = await log.begin(engine.db, "okx", "funding")
    await log.finish(engine.db, number, "succeeded", log.Counts(requests=1), None)
    assert (await ask(client, "okx"))["state"] == "ok"
    await engine.db.reads.execute("update pull set finished_at = now() - interval '3 days'")
    assert (await ask(client, "okx"))["state"] == "off"


async def test_what_is_paused_does_not_fail_for_ever(asking: httpx.AsyncClient, engine: Engine) -> None:
    for dataset, status in (("funding", "failed"), ("candles_1h", "succeeded")):
        number = await log.begin(engine.db, "okx", dataset)
        await log.finish(engine.db, number, status, log.Counts(requests=1), "HTTP 500")  # type: ignore[arg-type]
    assert (await ask(asking, "okx"))["state"] == "failing"
    await engine.db.reads.execute("insert into job (id, paused) values ('okx:funding', true)")
    row = await ask(asking, "okx")
    assert (row["state"], row["reason"], row["failures"]) == ("ok", "paused: funding", 0)


async def test_late_is_what_freshness_calls_late(asking: httpx.AsyncClient) -> None:
    for source in ("okx", "bybit"):
        fresh = (await asking.get("/quality/freshness", params={"source": source})).json()["data"]
        row = await ask(asking, source)
        assert row["late"] == sum(bool(one["late"]) for one in fresh) > 0
        assert row["datasets"] == len(fresh)
