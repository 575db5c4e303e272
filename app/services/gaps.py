"""The ledger of missing rows: which stretch of which series, why, and what is done about it.

Who writes in it takes its lock first, for a moment: of a series and dataset no two gaps overlap, but repaired ones.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Literal

import asyncpg

from app.db import Database, Driver, driver, writing
from app.services.queries import Query, sql

LEDGER_LOCK = 7_022_006
GAPS_A_LOOK, GAPS_A_CLAIM = 500, 100

Dataset = Literal["candles_1m", "open_interest", "predicted_funding", "long_short", "taker_volume", "liquidations"]
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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A gap to be repaired."""

    id: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """Gaps of one series and dataset, in order, that are ours to repair; `symbol` is the native one."""

    series_id: int
    dataset: str
    symbol: str
    gaps: tuple[Claimed, ...]

    @property
    def ids(self) -> list[int]:
        """Of its gaps."""
        return [gap.id for gap in self.gaps]

    def before(self, time: datetime) -> "Claim":
        """The gaps that end by then."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if gap.last <= time))

    def after(self, time: datetime) -> "Claim":
        """The others."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if gap.last > time))


@asynccontextmanager
async def _ledger(db: Database) -> AsyncGenerator[Driver]:
    """The ledger to oneself, for one transaction."""
    async with writing(db) as connection:
        copy = await driver(connection)
        await copy.execute("select pg_advisory_xact_lock($1)", LEDGER_LOCK)
        yield copy


async def note(db: Database, holes: Collection[Hole]) -> None:
    """Enter holes as gaps, but for what is known already; one that touches a gap of its kind makes that longer."""
    if not holes:
        return
    told = [[getattr(hole, field.name) for hole in holes] for field in fields(Hole)]
    async with _ledger(db) as copy:
        await copy.execute(sql("gaps", "note"), *told)
        await copy.execute(sql("gaps", "join"), list(set(told[0])))


async def forget_removed(db: Database) -> None:
    """What retention removed is not missing."""
    async with _ledger(db) as copy:
        await copy.execute(sql("gaps", "forget"))


async def settle(db: Database, start: datetime, end: datetime) -> None:
    """Look again at gaps that reach into a window: they may have been filled meanwhile."""
    rows = await db.reads.fetch(sql("gaps", "unsettled"), start, end)
    found = [row["id"] for row in rows]
    for at in range(0, len(found), GAPS_A_LOOK):
        async with _ledger(db) as copy:
            await copy.execute(sql("gaps", "look_again"), found[at : at + GAPS_A_LOOK])


async def due(db: Database, source: str) -> bool:
    """Whether a gap of a source is to be repaired now."""
    return await db.reads.fetchval(sql("gaps", "due"), source)


async def claim(db: Database, source: str, hold: timedelta) -> Claim | None:
    """The next gaps of a source that are due and in which something is missing still, ours for so long; else None."""
    async with _ledger(db) as copy:
        while rows := await copy.fetch(sql("gaps", "claim"), source, hold, GAPS_A_CLAIM):
            series, dataset, symbol = (rows[0][name] for name in ("series_id", "dataset", "symbol"))
            left = await _left(copy, dataset, [row["id"] for row in rows])
            gaps = await copy.fetch("select id, first, last from gap where id = any($1::int[]) order by first", left)
            if gaps:
                return Claim(series, dataset, symbol, tuple(Claimed(*gap) for gap in gaps))
    return None


async def hold(db: Database, claimed: Claim, longer: timedelta) -> None:
    """Keep what is claimed for so much longer."""
    async with _ledger(db) as copy:
        await copy.execute(sql("gaps", "hold"), claimed.ids, longer)


async def give_back(db: Database, claimed: Claim) -> None:
    """Anybody may repair what was claimed."""
    async with _ledger(db) as copy:
        await copy.execute(sql("gaps", "give_back"), claimed.ids)


async def failed(db: Database, claimed: Claim, detail: str) -> None:
    """It could not be asked for: what is still missing stays open, to be tried again later."""
    async with _ledger(db) as copy:
        await copy.execute(sql("gaps", "finish"), await _left(copy, claimed.dataset, claimed.ids), "open", None, detail)


async def asked(db: Database, claimed: Claim, detail: str, sure_until: datetime) -> None:
    """It was asked for, and all that came is stored: what is still missing is not to be had.

    What reaches beyond `sure_until` may yet come, and stays open. A gap of events is repaired: who is asked for all
    events of a time tells all there were.
    """
    async with _ledger(db) as copy:
        if claimed.dataset == "liquidations":
            await copy.execute(sql("gaps", "finish"), claimed.ids, "repaired", None, None)
            return
        left = await _left(copy, claimed.dataset, claimed.ids)
        young = await copy.fetch("select id from gap where id = any($1::int[]) and last > $2", left, sure_until)
        waiting = [row["id"] for row in young]
        await copy.execute(sql("gaps", "finish"), waiting, "open", None, detail)
        gone = [one for one in left if one not in waiting]
        await copy.execute(sql("gaps", "finish"), gone, "unfillable", "upstream_keeps_no_more", detail)
        await copy.execute(sql("gaps", "join"), [claimed.series_id])


async def hopeless(db: Database, claimed: Claim, detail: str) -> None:
    """Nobody can be asked for it."""
    if not claimed.gaps:
        return
    async with _ledger(db) as copy:
        left = await _left(copy, claimed.dataset, claimed.ids)
        await copy.execute(sql("gaps", "finish"), left, "unfillable", "upstream_keeps_no_more", detail)
        await copy.execute(sql("gaps", "join"), [claimed.series_id])


async def _left(copy: Driver, dataset: str, ids: list[int]) -> list[int]:
    """The gaps, or parts of them, in which something is missing still; what is complete is repaired."""
    if dataset == "liquidations":
        return ids
    return [row["id"] for row in await copy.fetch(sql("gaps", "look_again"), ids)]


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
