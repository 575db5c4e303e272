"""Velo over real sockets: every pair and column of an hour, history in chunks, never more than it allows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import settings
from app.db import Database
from app.ingest import backfill, jobs
from app.ingest.engine import Engine
from app.ingest.sources.velo import COLUMNS, ESSENTIAL
from app.ingest.sources.velo import SOURCE as VELO
from app.ingest.work import Order
from app.services import backfills
from app.services.budgets import Ledger
from tests.e2e.rounds import Clock
from tests.e2e.test_backfill import ended, ordered, planned
from tests.replay import Asked, Replay
from tests.replayed import velo

HOUR = timedelta(hours=1)
OURS = {"binance-futures": "binance", "bybit": "bybit", "okex-swap": "okx", "hyperliquid": "hyperliquid"}
SMALL = {("binance-futures", "bybit", "okex-swap", "hyperliquid"): 6, ("binance-futures", "bybit"): 12, ("bybit",): 5}


@pytest.fixture(autouse=True)
def calm(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("VELO_API_KEY", velo.KEY)
    settings.environment.cache_clear()
    velo.calm()
    yield
    velo.calm()


async def pulled(engine: Engine) -> list[jobs.Pulled]:
    done = await jobs.pull_all(engine, VELO, jobs.datasets(VELO), Order())
    assert [(one.status, one.error) for one in done] == [("succeeded", None)] * 2
    return done


def questions(replay: Replay) -> list[Asked]:
    return [asked for asked in replay.asked if asked.path == "/api/v1/rows"]


def cells(asked: Asked) -> int:
    hours = (int(asked.query["end"]) - int(asked.query["begin"])) / 3_600_000
    names = (asked.query[name].split(",") for name in ("exchanges", "coins", "columns"))
    assert asked.query["resolution"] == "60"
    return round(hours) * len(next(names)) * len(next(names)) * len(next(names))


async def stored(db: Database) -> dict[tuple[str, str, datetime], dict[str, Any]]:
    rows = await db.reads.fetch(
        """select x.slug, i.symbol, i.multiplier, p.* from perp_1h p join series s on s.id = p.series_id
        join instrument i on i.id = s.instrument_id join exchange x on x.id = i.exchange_id"""
    )
    return {(row["slug"], row["symbol"], row["ts"]): dict(row) for row in rows}


def check(found: dict[tuple[str, str, datetime], dict[str, Any]], first: datetime, hours: int) -> None:
    """Every hour of every pair is there once, in coins, and nothing else."""
    times = [first + n * HOUR for n in range(hours)]
    wanted = {(OURS[m.exchange], m.product, time): m for m in velo.mood.markets for time in times}
    assert found.keys() == wanted.keys()
    for key, market in wanted.items():
        hour, row = round(key[2].timestamp()) // 3600, found[key]
        for name, column in COLUMNS.items():
            ours, told = column.metric.column or "", velo.value(market, name, hour)
            unit = row["multiplier"] if "_base" in ours else 1 / row["multiplier"] if "price" in name else 1
            assert row[ours] == pytest.approx(told * unit, rel=1e-12), (key, name)


async def test_a_full_round_of_every_pair_and_column(engine: Engine, replay: Replay, clock: Clock) -> None:
    """1,069 pairs × 30 columns: first the newest hours, then hour by hour in as few requests as there can be."""
    assert len(velo.mood.markets) == 1069
    now = clock.now.replace(minute=0, second=0)
    await pulled(engine)
    check(await stored(engine.db), now - 6 * HOUR, 6)
    before = len(questions(replay))
    clock.now += HOUR
    await pulled(engine)
    check(await stored(engine.db), now - 6 * HOUR, 7)
    of_an_hour = questions(replay)[before:]
    assert len(of_an_hour) == 2 == -(-1069 * 30 // velo.CELLS)
    assert max(map(cells, questions(replay))) <= velo.CELLS
    assert velo.mood.most <= velo.mood.allowed


async def test_history_before_the_newest_hours_is_ordered_and_worked(engine: Engine, clock: Clock) -> None:
    """Half a day of history is wanted: what is older than the newest hours comes by a back-fill."""
    velo.mood.markets = velo.listing(SMALL)
    await pulled(engine)
    await pulled(engine)
    (row,) = await engine.db.reads.fetch("select id, asked_by from backfill")
    assert row["asked_by"] == "schedule"
    async with backfill.working(engine, {"velo": VELO}):
        assert (await ended(engine.db, row["id"]))["state"] == "succeeded"
    now = clock.now.replace(minute=0, second=0)
    first = (now - timedelta(days=engine.history_days)).replace(hour=0)
    check(await stored(engine.db), first, round((now - first) / HOUR))


async def test_a_long_gap_has_its_essential_columns_first(engine: Engine, replay: Replay) -> None:
    velo.mood.markets = velo.listing(SMALL)
    await jobs.pull_all(engine, VELO, ["instruments"], Order())
    plan = await planned(engine, VELO, 10)
    columns = [tuple(piece.window["columns"]) for piece in plan.pieces]
    assert columns == sorted(columns, key=lambda told: told != ESSENTIAL)
    assert Counter(map(len, columns)).keys() == {5, 25}
    number = await ordered(engine, plan)
    async with backfill.working(engine, {"velo": VELO}):
        row = await ended(engine.db, number)
    assert (row["state"], row["requests"]) == ("succeeded", plan.requests)
    check(await stored(engine.db), plan.start.replace(minute=0, second=0), 240)
    assert max(map(cells, questions(replay))) <= velo.CELLS


async def test_minutes_for_hours_become_hours(engine: Engine, clock: Clock) -> None:
    velo.mood.markets, velo.mood.minutes = velo.listing({tuple(OURS): 2}), True
    await pulled(engine)
    check(await stored(engine.db), clock.now.replace(minute=0, second=0) - 6 * HOUR, 6)


async def test_what_velo_has_nothing_of_is_no_error_and_not_asked_for_ever(
    engine: Engine, replay: Replay, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    velo.mood.markets = velo.listing({("okex-swap",): 3})
    told, quiet = velo._futures, "bybit,QUIET,QUIETUSDT,1700000000000,true\n"
    monkeypatch.setitem(velo.PATHS, "/api/v1/futures", lambda query, now: told(query, now) + quiet)
    await pulled(engine)
    first = len(questions(replay))
    clock.now += HOUR
    await pulled(engine)
    spans = {(int(q.query["end"]) - int(q.query["begin"])) // 3_600_000 for q in questions(replay)[first:]}
    assert spans == {3}  # of the quiet one also those hours that may only have been late; one request for all
    assert not await engine.db.reads.fetchval("select count(*) from reject where source = 'velo'")


async def test_an_outage_beside_a_pair_that_never_tells_leaves_no_hole(
    engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    velo.mood.markets = velo.listing({("okex-swap",): 3})
    told, quiet = velo._futures, "bybit,QUIET,QUIETUSDT,1700000000000,true\n"
    monkeypatch.setitem(velo.PATHS, "/api/v1/futures", lambda query, now: told(query, now) + quiet)
    engine = replace(engine, history_days=3)
    first = (clock.now - timedelta(days=engine.history_days)).replace(hour=0, minute=0, second=0)
    async with backfill.working(engine, {"velo": VELO}):
        for _ in range(3):
            await pulled(engine)
            for row in await engine.db.reads.fetch("select id from backfill"):
                assert (await ended(engine.db, row["id"]))["state"] == "succeeded"
            engine.asked.clear()
            clock.now += 15 * HOUR
    clock.now -= 15 * HOUR
    check(await stored(engine.db), first, round((clock.now.replace(minute=0, second=0) - first) / HOUR))


async def test_a_hole_in_the_newest_hours_is_asked_for_again(engine: Engine, clock: Clock) -> None:
    velo.mood.markets = velo.listing({("okex-swap",): 3})
    await pulled(engine)
    now = clock.now.replace(minute=0, second=0)
    await engine.db.reads.execute("delete from perp_1h where ts = $1", now - 3 * HOUR)
    engine.asked.clear()  # as after a round in which not everything was answered
    clock.now += HOUR
    await pulled(engine)
    check(await stored(engine.db), now - 6 * HOUR, 7)


async def test_of_the_most_traded_only_history_is_ordered(engine: Engine, clock: Clock) -> None:
    velo.mood.markets = velo.listing({("okex-swap",): 5})
    clock.now = clock.now.replace(hour=0)
    few = replace(engine, most_traded={"velo": 2})
    await pulled(few)
    assert await engine.db.reads.fetchval("select count(*) from backfill") == 0
    clock.now += timedelta(days=1)
    await pulled(few)
    (row,) = await engine.db.reads.fetch("select asked -> 'request' ->> 'pairs' as pairs from backfill")
    assert row["pairs"].count("okx") == 2


async def test_columns_in_any_order_and_columns_nobody_expected(
    engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other columns may come before the essential ones; one that Velo adds is a metric at once."""
    velo.mood.markets = velo.listing({("okex-swap",): 2})
    await jobs.pull_all(engine, VELO, ["instruments"], Order())
    plan = await planned(engine, VELO, 2)
    number = await ordered(engine, replace(plan, pieces=plan.pieces[::-1]))
    async with backfill.working(engine, {"velo": VELO}):
        assert (await ended(engine.db, number))["state"] == "succeeded"
    check(await stored(engine.db), plan.start.replace(minute=0, second=0), 48)
    told = velo._rows

    def more(query: dict[str, str], now: int) -> str:
        head, *lines = told(query, now).splitlines()
        return "\n".join([f"{head},basis", *(f"{line},0.5" for line in lines), ""])

    monkeypatch.setitem(velo.PATHS, "/api/v1/rows", more)
    clock.now += HOUR
    await pulled(engine)
    found = await engine.db.reads.fetch(
        """select t.name, v.value from metric_value v join metric_series s on s.id = v.series_id
        join metric t on t.id = s.metric_id"""
    )
    assert {(row["name"], row["value"]) for row in found} == {("BASIS", 0.5)}


async def test_two_processes_keep_one_budget(engine: Engine, replay: Replay) -> None:
    """Together they stay below what Velo allows, whoever of them polls and whoever fetches history."""
    velo.mood.markets = velo.listing(SMALL)
    velo.mood.allowed, velo.mood.a_period = 12, 1.0
    tight = {name: replace(b, limit=12, period=timedelta(seconds=1)) for name, b in VELO.budgets.items()}
    narrow = replace(VELO, budgets=tight)
    webs = (replace(engine.web, limiters={}, ledger=Ledger(engine.db)) for _ in range(2))
    one, two = (replace(engine, web=web) for web in webs)
    await jobs.pull_all(one, narrow, ["instruments"], Order())
    number = await ordered(engine, await planned(one, narrow, 20))
    async with backfill.working(one, {"velo": narrow}), backfill.working(two, {"velo": narrow}):
        done = await jobs.pull_all(two, narrow, jobs.datasets(narrow), Order())
        assert all(pull.status == "succeeded" for pull in done)
        assert (await backfills.state_of(engine.db, number) or {})[
            "state"
        ] == "running"  # polls do not wait for history
        assert (await ended(engine.db, number))["state"] == "succeeded"
    assert velo.mood.most <= 12
    assert not any("429" in str(pull.error) for pull in done)


async def test_who_is_asked_too_often_is_left_alone_by_all(engine: Engine) -> None:
    """A process that is told to wait tells the others."""
    ledger, second = Ledger(engine.db), timedelta(seconds=1)
    assert await ledger.spend("velo:requests", 1, 12, second, False) == 0
    await ledger.pause("velo:requests", 20, second)
    assert 19 < await Ledger(engine.db).spend("velo:requests", 1, 12, second, False) <= 20
    assert await ledger.spend("velo:others", 1, 12, second, False) == 0
