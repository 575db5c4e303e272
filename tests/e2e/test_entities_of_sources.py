"""DefiLlama and Artemis over real sockets: lists first, values of what we know, what nobody knows listed, history."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import settings
from app.db import Database
from app.ingest import backfill, jobs
from app.ingest.engine import Engine
from app.ingest.spec import Source
from app.ingest.work import Order
from tests.e2e.rounds import Clock, source
from tests.e2e.test_backfill import ended, ordered, planned
from tests.replay import Replay
from tests.replayed import artemis, defillama

DEFILLAMA, ARTEMIS = source("defillama"), source("artemis")
VALUES = """
select t.name, e.canonical_id, v.ts, v.value from metric_value v join metric_series s on s.id = v.series_id
join metric t on t.id = s.metric_id join entity e on e.id = s.entity_id where t.source = $1
"""


@pytest.fixture(autouse=True)
def keyed(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTEMIS_API_KEY", artemis.KEY)
    monkeypatch.setattr(artemis.mood, "a_second", 10_000)
    monkeypatch.setattr(defillama, "MOST_IN_A_MINUTE", 10_000)
    settings.environment.cache_clear()


async def pulled(engine: Engine, found: Source) -> jobs.Pulled:
    (done,) = await jobs.pull_all(engine, found, jobs.datasets(found), Order())
    assert done.status == "succeeded", done
    return done


async def values(db: Database, source: str) -> dict[tuple[str, str, datetime], float]:
    rows = await db.reads.fetch(VALUES, source)
    found = {(row["name"], row["canonical_id"], row["ts"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


def midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


async def test_a_round_of_defillama(engine: Engine, replay: Replay, clock: Clock) -> None:
    await pulled(engine, DEFILLAMA)
    found = await values(engine.db, "defillama")
    assert {time for *_, time in found} == {midnight(clock.now)}
    names = {(name, entity) for name, entity, _ in found}
    assert {("CHAIN_TVL", "ethereum"), ("TVL", "lido-dao"), ("TVL", "aave"), ("STABLECOIN_SUPPLY", "tether")} <= names
    lists = Counter(asked.path for asked in replay.asked if asked.path in ("/v2/chains", "/protocols", "/bridges"))
    assert set(lists.values()) == {1}
    unmapped = await engine.db.reads.fetchval("select count(*) from source_asset where entity_id is null")
    assert unmapped > 0


async def test_live_values_replace_todays_and_the_old_ones_are_known(engine: Engine, replay: Replay) -> None:
    await pulled(engine, DEFILLAMA)
    before = await values(engine.db, "defillama")
    moment = await engine.db.reads.fetchval("select clock_timestamp()")
    key = next(key for key in before if key[:2] == ("TVL", "lido-dao"))
    await engine.db.reads.execute("update metric_value set value = value * 2")
    assert (await pulled(engine, DEFILLAMA)).counts.updated > 0
    assert (await values(engine.db, "defillama"))[key] == before[key]
    old = await engine.db.reads.fetchval(
        """select k.value from metric_value_known($1) k join metric_series s on s.id = k.series_id
        join metric t on t.id = s.metric_id join entity e on e.id = s.entity_id
        where t.name = 'TVL' and e.canonical_id = 'lido-dao' and t.source = 'defillama'""",
        moment,
    )
    assert old == 2 * before[key]


async def test_history_of_defillama_keeps_its_own_days(engine: Engine, clock: Clock) -> None:
    await pulled(engine, DEFILLAMA)
    ours = await engine.db.reads.fetch("select id from entity where canonical_id in ('lido-dao', 'ethereum', 'tether')")
    plan = await planned(engine, DEFILLAMA, 20, (), tuple(row["id"] for row in ours))
    number = await ordered(engine, plan)
    async with backfill.working(engine, {"defillama": DEFILLAMA}):
        row = await ended(engine.db, number)
    assert row["state"] == "succeeded", row
    found = await values(engine.db, "defillama")
    of_lido = sorted(time for name, entity, time in found if (name, entity) == ("TVL", "lido-dao"))
    days = [midnight(clock.now) - timedelta(days=n) for n in range(20, 0, -1)]
    assert set(days) <= set(of_lido)


async def test_a_round_of_artemis_and_its_years(engine: Engine, replay: Replay, clock: Clock) -> None:
    await pulled(engine, ARTEMIS)
    found = await values(engine.db, "artemis")
    assert {("PRICE", "bitcoin"), ("FEES", "ethereum")} <= {key[:2] for key in found}
    most = max(len(asked.query["symbols"].split(",")) for asked in replay.asked if "symbols" in asked.query)
    assert most == 50
    before = len(replay.asked)
    plan = await planned(engine, ARTEMIS, 5 * 365)
    assert plan.requests > 5 * 23
    assert len(replay.asked) == before


async def test_a_number_that_is_none_is_no_zero(engine: Engine) -> None:
    await pulled(engine, DEFILLAMA)
    zeros: list[Any] = [key for key, value in (await values(engine.db, "defillama")).items() if value == 0]
    rejects = await engine.db.reads.fetch("select code, symbol, reason from reject where source = 'defillama'")
    assert all(row["code"] in ("negative", "not_finite", "unreadable", "part_unreadable") for row in rejects), rejects
    assert len(zeros) < len(await values(engine.db, "defillama")) / 2
