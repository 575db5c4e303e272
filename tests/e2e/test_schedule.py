"""The schedule: derived from the sources, run by one process of several, steered through the database."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app import settings
from app.db import Database, connected
from app.ingest import schedule
from app.ingest.engine import Keeping, started
from app.ingest.sources import load
from app.locks import LEAD_LOCK
from app.services import compression, log, retention
from app.services.store import put
from tests.db.facts import batch, series
from tests.replay import Replay, slow

NOW = datetime(2026, 3, 10, 12, 5, 20, tzinfo=UTC)


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    with Replay() as replay:
        for name, value in replay.settings().items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        yield replay
    settings.environment.cache_clear()


@pytest.fixture
async def second(clean_database: Database) -> AsyncIterator[Database]:
    """The same database, as another process has it."""
    async with connected(clean_database.dsn) as db:
        yield db


def test_jobs_follow_from_the_sources() -> None:
    jobs = schedule.planned(load().values())
    assert {"binance:instruments", "bybit:funding", "okx:candles_1m", "hyperliquid:open_interest"} <= jobs.keys()
    assert jobs["okx:funding"].every == min(f.every for f in jobs["okx:funding"].source.feeds if f.dataset == "funding")


def test_jobs_are_due_after_the_full_period_and_not_in_step() -> None:
    jobs = schedule.planned(load().values()).values()
    for job in jobs:
        due = job.next_run(NOW)
        assert NOW < due <= NOW + job.every
        ready = max(f.ready_after for f in job.source.feeds if f.dataset == job.dataset)
        assert timedelta() <= (due - schedule.EPOCH) % job.every - ready < timedelta(seconds=10)
        assert job.next_run(due) == due + job.every
    assert len({job.after for job in jobs}) > 3


async def until(db: Database, condition: object) -> None:
    """Wait until the log of pulls says so."""
    deadline = time.monotonic() + 60
    while not condition(await log.pulls(db, limit=1000)):  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def ended(rows: list[log.Row[object]]) -> set[str]:
    return {f"{row.source}:{row.dataset}" for row in rows if row.status == "succeeded"}


async def test_a_start_catches_up_at_once_instruments_first(clean_database: Database, replay: Replay) -> None:
    sources = load(["bybit"]).values()
    async with started(clean_database, 0.1) as engine, schedule.running(engine, sources) as jobs:
        await until(clean_database, lambda rows: ended(rows) == jobs.keys())
    pulls = sorted(await log.pulls(clean_database), key=lambda row: row.id)
    assert pulls[0].dataset == "instruments"
    assert pulls[0].finished_at < pulls[1].started_at
    assert [row.dataset for row in pulls].count("instruments") == 1


async def test_paused_jobs_rest_but_run_when_asked(clean_database: Database, replay: Replay) -> None:
    sources = load(["bybit"]).values()
    jobs = schedule.planned(sources)
    await schedule.pause(clean_database, jobs, "bybit:open_interest")
    async with started(clean_database, 0.1) as engine, schedule.running(engine, sources):
        await until(clean_database, lambda rows: len(ended(rows)) == len(jobs) - 1)
        assert "bybit:open_interest" not in ended(await log.pulls(clean_database))
        (listed,) = [job for job in await schedule.listing(clean_database, jobs) if job.paused]
        assert (listed.id, listed.next_run) == ("bybit:open_interest", None)
        await schedule.ask(clean_database, jobs, ["bybit:open_interest"])
        await until(clean_database, lambda rows: ended(rows) == jobs.keys())
    await schedule.pause(clean_database, jobs, "bybit:open_interest", paused=False)
    states = await log.job_states(clean_database)
    assert states == {"bybit:open_interest": log.JobState(paused=False, asked_at=None)}


async def test_a_job_there_is_not(clean_database: Database) -> None:
    jobs = schedule.planned(load(["bybit"]).values())
    with pytest.raises(schedule.UnknownJob, match="there are bybit:instruments"):
        await schedule.ask(clean_database, jobs, ["bybit:weather"])


async def test_one_leads_and_another_takes_over(
    clean_database: Database, second: Database, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "TAKE_OVER_SECONDS", 0.1)
    sources = load(["hyperliquid"]).values()
    async with started(clean_database, 0.1) as engine, schedule.running(engine, sources) as jobs:
        await until(clean_database, lambda rows: ended(rows) == jobs.keys())
        async with started(second, 0.1) as engine, schedule.running(engine, sources):
            await asyncio.sleep(0.5)
            assert len(await log.pulls(second)) < 2 * len(jobs)  # who leads too would catch up with all
    async with started(second, 0.1) as engine, schedule.running(engine, sources):
        await until(second, lambda rows: len(rows) >= 2 * len(jobs) and not any(r.status == "running" for r in rows))


async def test_it_stops_quickly_and_says_so(clean_database: Database, replay: Replay) -> None:
    replay.misbehave(slow(30), to="/v5/market/tickers", times=50)
    async with started(clean_database, 0.1) as engine, schedule.running(engine, load(["bybit"]).values()):
        await until(clean_database, lambda rows: any(row.dataset == "predicted_funding" for row in rows))
        await asyncio.sleep(0.3)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 3
    rows = {row.dataset: row for row in await log.pulls(clean_database)}
    assert (rows["predicted_funding"].status, rows["predicted_funding"].error) == ("failed", "cancelled")
    assert not [row for row in rows.values() if row.status == "running"]


async def test_pulls_of_a_process_that_is_gone_have_failed(clean_database: Database, replay: Replay) -> None:
    await log.begin(clean_database, "bybit", "funding")
    async with started(clean_database, 0.1) as engine, schedule.running(engine, load(["bybit"]).values()) as jobs:
        await until(clean_database, lambda rows: ended(rows) == jobs.keys())
    first = min(await log.pulls(clean_database), key=lambda row: row.id)
    assert (first.status, first.error) == ("failed", "its process ended")


async def test_a_lost_connection_loses_the_lead_until_it_is_won_again(
    clean_database: Database, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "TAKE_OVER_SECONDS", 0.1)
    async with started(clean_database, 0.1) as engine, schedule.running(engine, load(["hyperliquid"]).values()) as jobs:
        await until(clean_database, lambda rows: ended(rows) == jobs.keys())
        killed = await clean_database.reads.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and objid = $1",
            LEAD_LOCK,
        )
        assert killed == 1
        await until(clean_database, lambda rows: len([r for r in rows if r.status == "succeeded"]) >= 2 * len(jobs))


async def test_who_leads_drops_what_is_older_than_it_is_kept(clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    now = datetime.now(UTC)
    rows = [{"series_id": to, "ts": now - timedelta(days=days), **prices} for days in (30, 20, 2)]
    await put(clean_database, "perp_1m", [batch("perp_1m", rows)])
    async with (
        started(clean_database, 0.1, keeping=Keeping({"perp_1m": 10})) as engine,
        schedule.running(engine, []),
    ):
        assert (engine.history_of("perp_1m"), engine.history_of("funding")) == (0.1, 0.1)
        deadline = time.monotonic() + 30
        while await clean_database.reads.fetchval("select count(*) from perp_1m") > 1:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    before = await retention.removed_before(clean_database, "perp_1m")
    assert before is not None
    assert before <= now - timedelta(days=10)


async def test_what_is_old_goes_though_the_rest_cannot_be_compressed(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(db: Database) -> bool:
        raise asyncpg.InternalServerError("no room")

    monkeypatch.setattr(compression, "ensure", fail)
    to = await series(clean_database, "bybit", "BTCUSDT")
    old = {"series_id": to, "ts": datetime.now(UTC) - timedelta(days=30), "close": 1.0}
    await put(clean_database, "perp_1m", [batch("perp_1m", [old])])
    async with started(clean_database, 0.1, keeping=Keeping({"perp_1m": 10})) as engine, schedule.running(engine, []):
        deadline = time.monotonic() + 30
        while await retention.removed_before(clean_database, "perp_1m") is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_history_is_filled_no_further_back_than_it_is_kept(clean_database: Database) -> None:
    async with started(clean_database, 30, keeping=Keeping({"perp_1m": 10, "liquidation": 0})) as engine:
        assert [engine.history_of(fact) for fact in ("perp_1m", "liquidation", "funding")] == [10, 30, 30]
