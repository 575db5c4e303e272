"""The ledger of missing rows: which stretch of which series, why, and what is done about it.

Who writes in it takes its lock first, for a moment: of a series and dataset no two gaps overlap, but repaired ones.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import Database, Driver, driver, writing
from app.locks import LEDGER_LOCK
from app.services.queries import Query, sql

GAPS_A_LOOK, GAPS_A_NOTE = 500, 5000
REPAIRED_KEPT = timedelta(days=30)
SUMMED = """
select state, reason, count(*) as gaps, sum(minutes) as minutes, min(next_try_at) as next_try_at
from ({listed}) g group by state, reason
"""

Dataset = Literal[
    "candles_1m",
    "open_interest",
    "predicted_funding",
    "long_short",
    "taker_volume",
    "liquidations",
    "quotes",
    "trades",
    "book",
]
Reason = Literal["outage", "upstream_keeps_no_more", "not_listed", "not_fetched_yet"]
State = Literal["open", "repairing", "repaired", "unfillable"]


@dataclass(frozen=True, slots=True)
class Hole:
    """Rows of a dataset that a series lacks in `[first, last)`. `dataset`: `candles_1m`, `long_short` and so on."""

    series_id: int
    dataset: str
    first: datetime
    last: datetime
    reason: Reason = "outage"
    state: State = "open"
    detail: str | None = None


_turns: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()
"""Whose turn it is in this process, by pool: who waits for the ledger waits without a connection."""


@asynccontextmanager
async def ledger(db: Database) -> AsyncGenerator[Driver]:
    """The ledger to oneself, for one transaction."""
    async with _turns.setdefault(db.engine, asyncio.Lock()), writing(db) as connection:
        copy = await driver(connection)
        await copy.execute("select pg_advisory_xact_lock($1)", LEDGER_LOCK)
        yield copy


async def note(db: Database, holes: Collection[Hole]) -> None:
    """Enter holes as gaps, but for what is known already; one that touches a gap of its kind makes that longer.

    What was repaired and is there is known too. Many are entered some at a time.
    """
    ordered = sorted(holes, key=lambda hole: (hole.series_id, hole.dataset, hole.first))
    for at in range(0, len(ordered), GAPS_A_NOTE):
        some = ordered[at : at + GAPS_A_NOTE]
        told = [[getattr(hole, field.name) for hole in some] for field in fields(Hole)]
        async with ledger(db) as copy:
            await copy.execute(sql("gaps", "note"), *told)
            await copy.execute(sql("gaps", "join"), *told[:4])


async def forget_removed(db: Database) -> None:
    """What retention removed is not missing."""
    async with ledger(db) as copy:
        await copy.execute(sql("gaps", "forget"))


async def forget_repaired(db: Database) -> None:
    """What was repaired long ago is of no interest any more."""
    async with ledger(db) as copy:
        await copy.execute(
            "delete from gap where state = 'repaired' and settled_at < clock_timestamp() - $1::interval", REPAIRED_KEPT
        )


async def settle(
    db: Database, start: datetime, end: datetime, *, given_up: bool, series: Sequence[int] | None = None
) -> None:
    """Look again at gaps that reach into a window: they may have been filled meanwhile. Of `series`; None: of all.

    At those that were `given_up` only where it is asked for.
    """
    rows = await db.reads.fetch(sql("gaps", "unsettled"), start, end, given_up, series)
    found = [row["id"] for row in rows]
    for at in range(0, len(found), GAPS_A_LOOK):
        async with ledger(db) as copy:
            await copy.execute(sql("gaps", "look_again"), found[at : at + GAPS_A_LOOK])


async def counts(db: Database) -> list[asyncpg.Record]:
    """How many `gaps` there are, by `state` and `dataset`."""
    return await db.reads.fetch(sql("gaps", "counts"))


async def any_noted(db: Database) -> bool:
    """Whether anything is in the ledger."""
    return await db.reads.fetchval("select exists (select from gap)")


def listing(
    *,
    entities: Sequence[int] | None = None,
    exchanges: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
    reasons: Sequence[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Query:
    """One row a gap that reaches into a window."""
    return Query(sql("gaps", "listing"), (entities, exchanges, datasets, sources, states, reasons, start, end))


def summed(listed: Query) -> Query:
    """One row a state and reason of gaps that are `listed`: how many, and how many minutes they are long together."""
    return Query(SUMMED.format(listed=listed.text), listed.arguments)
