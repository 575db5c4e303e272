"""Rounds of the schedule against stand-ins for the exchanges, and what ought to be stored after them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.sources import load
from app.ingest.spec import Source
from app.ingest.work import Order
from tests.replayed import markets as world
from tests.replayed.markets import HOUR, MARKETS, MINUTES_5, Market

MINUTE = timedelta(minutes=1)
ACTIVE = [market for market in MARKETS if market.active]
HISTORY_DAYS = 0.5


@dataclass
class Clock:
    """The time of the exchanges and of those who ask them; it stands until it is moved."""

    now: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(minute=7, second=21, microsecond=0) - 60 * HOUR
    )

    def __call__(self) -> datetime:
        return self.now


def source(name: str) -> Source:
    """A source that may be asked as often as the test likes."""
    found = load([name])[name]
    roomy = {key: replace(budget, limit=budget.limit * 10_000) for key, budget in found.budgets.items()}
    return replace(found, budgets=roomy)


SOURCES = ("binance", "bybit", "okx", "hyperliquid")
ALL_WELL = {"succeeded": sum(len(jobs.datasets(source(name))) for name in SOURCES)}


async def pull_round(
    engine: Engine, names: Iterable[str] = SOURCES, until: datetime | None = None
) -> list[jobs.Pulled]:
    """What the schedule does when it starts, of every source."""
    order = Order(until=until)
    wanted = [source(name) for name in names]
    async with asyncio.TaskGroup() as group:
        each = [group.create_task(jobs.pull_all(engine, one, jobs.datasets(one), order)) for one in wanted]
    return [pulled for task in each for pulled in task.result()]


async def stored(db: Database, fact: str, columns: str) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """Rows of a fact by exchange and symbol, in order."""
    rows = await db.reads.fetch(
        f"""select e.slug, i.symbol, f.ts, {columns} from {fact} f join series s on s.id = f.series_id
        join instrument i on i.id = s.instrument_id join exchange e on e.id = i.exchange_id order by f.ts"""
    )
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for exchange, symbol, *values in rows:
        found.setdefault((exchange, symbol), []).append(tuple(values))
    return found


def first_wanted(start: datetime, step: timedelta) -> datetime:
    """From when on a first round at `start` wants history that comes in these steps."""
    since = start - timedelta(days=HISTORY_DAYS)
    return since - (since - world.EPOCH) % step


async def check_store(db: Database, start: datetime, now: datetime) -> None:
    """Everything the exchanges have told since history was first wanted is stored, once, and nothing else."""
    funding = await stored(db, "funding", "rate")
    since = first_wanted(start, HOUR)
    assert funding == {
        (m.exchange, m.symbol): [(time, world.rate(m, time)) for time in world.settlements(m, since, now)]
        for m in ACTIVE
    }
    for step, fact in ((HOUR, "perp_1h"), (MINUTE, "perp_1m")):
        candles = await stored(db, fact, "open, close, volume_base")
        times = list(world.grid(first_wanted(start, step), now - step, step))
        for m in ACTIVE:
            found = [(time.timestamp(), *values) for time, *values in candles[m.exchange, m.symbol]]
            assert [row[0] for row in found] == [time.timestamp() for time in times]
            assert np.allclose(found, list(bars(m, times, step)), rtol=1e-9, atol=0)
    interest = await stored(db, "open_interest", "oi_base")
    for m in ACTIVE:
        step = {"binance": MINUTES_5, "bybit": HOUR, "okx": HOUR}.get(m.exchange)
        times = set(world.grid(first_wanted(start, step), now, step)) if step else {now}
        assert {row[0] for row in interest[m.exchange, m.symbol]} >= times


def bars(market: Market, times: Iterable[datetime], step: timedelta) -> Iterator[tuple[float, ...]]:
    """Rows of candles as they ought to be stored: in coins."""
    unit = 1000 if market.base in ("1000PEPE", "kPEPE") else 1
    for time in times:
        first, _, _, last, volume = world.candle(market, time, step)
        yield time.timestamp(), first / unit, last / unit, volume * unit


def summary(pulled: Iterable[jobs.Pulled]) -> Counter[str]:
    return Counter(one.status for one in pulled)
