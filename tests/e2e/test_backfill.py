"""Back-fills over real sockets and a real database: every row once, whoever works them and whatever happens."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.db import Database, connected
from app.ingest import backfill
from app.ingest.engine import Engine
from app.ingest.orders import plan_order
from app.ingest.spec import Source
from app.services import backfills
from app.services.backfills import Plan
from tests.e2e.rounds import source
from tests.replay import Replay, broken, slow

ENDED = ("cancelled", "succeeded", "partial", "failed")


async def planned(
    engine: Engine,
    found: Source,
    days: float,
    datasets: tuple[str, ...] = (),
    entities: tuple[int, ...] | None = None,
) -> Plan:
    end = engine.web.now()
    wish = {"source": found.id, "start": end - timedelta(days=days), "end": end, "datasets": datasets}
    return await plan_order(engine, {found.id: found}, {**wish, "entities": entities, "exchanges": None})


async def ordered(engine: Engine, plan: Plan, key: str | None = None) -> int:
    asked = {"request": {"source": plan.source, "n": len(plan.pieces)}, "datasets": list(plan.datasets)}
    window = {"assets": [], "exchanges": [], "start": plan.start.isoformat(), "end": plan.end.isoformat()}
    made = await backfills.order(engine.db, plan.source, {**asked, **window}, plan.pieces, asked_by="test", key=key)
    return made.id


async def ended(db: Database, number: int, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while (row := await backfills.state_of(db, number)) is None or row["state"] not in ENDED:
        assert time.monotonic() < deadline, dict(row or {})
        await asyncio.sleep(0.05)
    return row


async def asked(replay: Replay, requests: int) -> None:
    """Wait until that many requests have come in."""
    for _ in range(1500):
        if len(replay.asked) >= requests:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(replay.asked)} requests came in")


@pytest.fixture
async def second(engine: Engine) -> AsyncIterator[Engine]:
    """The same database and upstreams, as another process has them."""
    async with connected(engine.db.dsn) as db:
        yield Engine(db, replace(engine.web, limiters={}), engine.history_days)


async def test_a_plan_says_what_it_will_ask_and_asks_that(engine: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    plan = await planned(engine, bybit, 3, ("funding", "candles_1h"))
    before = len(replay.asked)
    number = await ordered(engine, plan)
    async with backfill.working(engine, {"bybit": bybit}):
        row = await ended(engine.db, number)
    assert (row["state"], row["windows_done"]) == ("succeeded", len(plan.pieces))
    assert len(replay.asked) - before == plan.requests == row["requests"]
    assert 0 < row["inserted"] <= plan.rows
    assert row["received"] == row["inserted"] + row["updated"] + row["rejected"]


async def test_two_processes_share_the_chunks_none_twice(engine: Engine, second: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    plan = await planned(engine, bybit, 2)
    before = len(replay.asked)
    number = await ordered(engine, plan)
    async with backfill.working(engine, {"bybit": bybit}), backfill.working(second, {"bybit": bybit}):
        row = await ended(engine.db, number)
    assert row["state"] == "succeeded"
    assert len(replay.asked) - before == plan.requests


async def test_cancelled_what_is_stored_stays_and_the_rest_follows(engine: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    plan = await planned(engine, bybit, 2)
    number = await ordered(engine, plan)
    before = len(replay.asked)
    replay.misbehave(slow(30), times=4)
    async with backfill.working(engine, {"bybit": bybit}):
        await asked(replay, before + 4)
        await backfills.cancel(engine.db, number)
        row = await ended(engine.db, number, 10)
        assert row["state"] == "cancelled"
        with pytest.raises(backfills.Conflict):
            await backfills.cancel(engine.db, number)
        await backfills.resume(engine.db, number)
        row = await ended(engine.db, number)
    assert (row["state"], row["windows_done"]) == ("succeeded", len(plan.pieces))


async def test_what_cannot_be_had_is_said_and_tried_again(
    engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "REST_SECONDS", 0.01)
    bybit = source("bybit")
    plan = await planned(engine, bybit, 2, ("funding",))
    number = await ordered(engine, plan)
    replay.misbehave(broken(), to="BTCUSDT", times=10_000)
    async with backfill.working(engine, {"bybit": bybit}):
        row = await ended(engine.db, number)
        assert row["state"] == "partial"
        assert (row["windows_failed"], row["windows_done"]) == (1, len(plan.pieces) - 1)
        assert "upstream connect error" in row["errors"][0] or "500" in row["errors"][0]
        replay._faults.clear()
        await backfills.resume(engine.db, number)
        assert (await ended(engine.db, number))["state"] == "succeeded"


async def test_a_key_used_before_is_the_same_order(engine: Engine, replay: Replay) -> None:
    plan = await planned(engine, source("bybit"), 1, ("funding",))
    assert await ordered(engine, plan, "once") == await ordered(engine, plan, "once")
    other = replace(plan, pieces=plan.pieces[:1])
    with pytest.raises(backfills.Conflict):
        await ordered(engine, other, "once")


async def test_a_worker_that_is_gone_leaves_its_chunks(engine: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    number = await ordered(engine, await planned(engine, bybit, 1, ("funding",)))
    async with backfills.worker(engine.db) as gone:
        held = await backfills.claim(engine.db, gone, ["bybit"])
        assert held is not None
    async with backfill.working(engine, {"bybit": bybit}):
        row = await ended(engine.db, number)
    assert row["state"] == "succeeded"


async def test_tries_are_of_what_failed_not_of_workers_that_went(engine: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    number = await ordered(engine, await planned(engine, bybit, 1, ("funding",)))
    for _ in range(5):
        async with backfills.worker(engine.db) as me:
            assert await backfills.claim(engine.db, me, ["bybit"])
    replay.misbehave(broken(), times=8)
    async with backfill.working(engine, {"bybit": bybit}):
        assert (await ended(engine.db, number))["state"] == "succeeded"


async def test_cancelled_while_its_worker_was_killed_it_can_be_resumed(engine: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    plan = await planned(engine, bybit, 1, ("funding",))
    number = await ordered(engine, replace(plan, pieces=plan.pieces[:1]))
    async with backfills.worker(engine.db) as me:
        assert await backfills.claim(engine.db, me, ["bybit"])
        await backfills.cancel(engine.db, number)
    await backfills.settle(engine.db)
    assert (await ended(engine.db, number))["state"] == "cancelled"
    await backfills.resume(engine.db, number)
    async with backfill.working(engine, {"bybit": bybit}):
        assert (await ended(engine.db, number))["state"] == "succeeded"


async def test_whatever_goes_wrong_is_recorded_and_ends(
    engine: Engine, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "REST_SECONDS", 0.01)

    def odd(*_: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(backfill, "restored", odd)
    bybit = source("bybit")
    plan = await planned(engine, bybit, 1, ("funding",))
    number = await ordered(engine, replace(plan, pieces=plan.pieces[:2]))
    async with backfill.working(engine, {"bybit": bybit}):
        row = await ended(engine.db, number)
    assert (row["state"], row["errors"]) == ("failed", ["ZeroDivisionError: odd"])


async def test_what_is_not_listed_any_more_fails_and_says_so(engine: Engine, replay: Replay) -> None:
    bybit = source("bybit")
    plan = await planned(engine, bybit, 1, ("funding",))
    first = plan.pieces[0]
    delisted = replace(first, window={**first.window, "symbol": "GONEUSDT"})
    other = replace(first, window={**first.window, "feed": "funding instrument by_letter"})
    number = await ordered(engine, replace(plan, pieces=(delisted, other)))
    async with backfill.working(engine, {"bybit": bybit}):
        row = await ended(engine.db, number)
    assert (row["state"], row["windows_failed"]) == ("failed", 2)
    assert {"GONEUSDT" in error for error in row["errors"]} == {True, False}
    assert any("by_letter" in error for error in row["errors"])
