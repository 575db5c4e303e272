"""Gaps of the ledger that are taken to be repaired, and what becomes of them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.db import Database, Driver
from app.services.gaps import ledger
from app.services.queries import sql

GAPS_A_CLAIM = 100
CLAIMED = "select id, first, last, attempts from gap where id = any($1::int[]) order by first"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A gap to be repaired."""

    id: int
    first: datetime
    last: datetime
    attempts: int


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

    @property
    def attempts(self) -> int:
        """How often the one of them was asked for that was most often."""
        return max((gap.attempts for gap in self.gaps), default=0)

    def before(self, time: datetime) -> "Claim":
        """The gaps that end by then."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if gap.last <= time))

    def after(self, time: datetime) -> "Claim":
        """The others."""
        return replace(self, gaps=tuple(gap for gap in self.gaps if gap.last > time))


async def due(db: Database, source: str) -> bool:
    """Whether a gap of a source is to be repaired now."""
    return await db.reads.fetchval(sql("gaps", "due"), source)


async def claim(db: Database, source: str, hold: timedelta) -> Claim | None:
    """The next gaps of a source that are due and in which something is missing still, ours for so long; else None."""
    async with ledger(db) as copy:
        while rows := await copy.fetch(sql("gaps", "claim"), source, hold, GAPS_A_CLAIM):
            series, dataset, symbol = (rows[0][name] for name in ("series_id", "dataset", "symbol"))
            left = await _left(copy, dataset, [row["id"] for row in rows])
            gaps = await copy.fetch(CLAIMED, left)
            if gaps:
                return Claim(series, dataset, symbol, tuple(Claimed(*gap) for gap in gaps))
    return None


async def hold(db: Database, claimed: Claim, longer: timedelta) -> None:
    """Keep what is claimed for so much longer."""
    async with ledger(db) as copy:
        await copy.execute(sql("gaps", "hold"), claimed.ids, longer)


async def give_back(db: Database, claimed: Claim) -> None:
    """Anybody may repair what was claimed."""
    async with ledger(db) as copy:
        await copy.execute(sql("gaps", "give_back"), claimed.ids)


async def failed(db: Database, claimed: Claim, detail: str) -> None:
    """It could not be asked for: what is still missing stays open, to be tried again later."""
    async with ledger(db) as copy:
        await copy.execute(sql("gaps", "finish"), await _left(copy, claimed.dataset, claimed.ids), "open", None, detail)


async def asked(db: Database, claimed: Claim, detail: str, sure_until: datetime) -> None:
    """It was asked for, and all that came is stored: what is still missing is not to be had.

    What reaches beyond `sure_until` may yet come, and stays open. A gap of events is repaired until then: who is asked
    for all events of a time tells all there were.
    """
    if not claimed.gaps:
        return
    async with ledger(db) as copy:
        if claimed.dataset == "liquidations":
            told, claimed = await _cut(copy, claimed, sure_until)
            await copy.execute(sql("gaps", "finish"), told.ids, "repaired", None, None)
        left = await _left(copy, claimed.dataset, claimed.ids)
        young = await copy.fetch("select id from gap where id = any($1::int[]) and last > $2", left, sure_until)
        waiting = [row["id"] for row in young]
        await copy.execute(sql("gaps", "finish"), waiting, "open", None, detail)
        await _give_up(copy, claimed, [one for one in left if one not in waiting], detail)


async def hopeless(db: Database, claimed: Claim, detail: str) -> None:
    """Nobody can be asked for it."""
    if not claimed.gaps:
        return
    async with ledger(db) as copy:
        await _give_up(copy, claimed, await _left(copy, claimed.dataset, claimed.ids), detail)


async def _give_up(copy: Driver, claimed: Claim, left: list[int], detail: str) -> None:
    await copy.execute(sql("gaps", "finish"), left, "unfillable", "upstream_keeps_no_more", detail)
    if claimed.gaps:
        span = [claimed.gaps[0].first], [claimed.gaps[-1].last]
        await copy.execute(sql("gaps", "join"), [claimed.series_id], [claimed.dataset], *span)


async def cut(db: Database, claimed: Claim, at: datetime) -> tuple[Claim, Claim]:
    """What is claimed before a time, and after it; the gap that reaches over it becomes two."""
    if not any(gap.first < at < gap.last for gap in claimed.gaps):
        return claimed.before(at), claimed.after(at)
    async with ledger(db) as copy:
        return await _cut(copy, claimed, at)


async def _cut(copy: Driver, claimed: Claim, at: datetime) -> tuple[Claim, Claim]:
    before, after = claimed.before(at), claimed.after(at)
    over = next((gap for gap in after.gaps if gap.first < at), None)
    if over is None:
        return before, after
    made = await _begin_later(copy, over, at)
    early = (*before.gaps, *(replace(over, id=one, last=at) for one in made))
    late = (replace(gap, first=at) if gap is over else gap for gap in after.gaps)
    return replace(before, gaps=early), replace(after, gaps=tuple(late))


async def _begin_later(copy: Driver, gap: Claimed, at: datetime) -> list[int]:
    """Have a gap that is ours begin then; what came before is another gap that is ours: its id."""
    begun = await copy.execute(
        "update gap set first = $2 where id = $1 and state = 'repairing' and first < $2 and last > $2", gap.id, at
    )
    if begun != "UPDATE 1":
        return []
    rows = await copy.fetch(
        """insert into gap (series_id, dataset, first, last, reason, state, attempts, next_try_at, noticed_at, detail)
        select series_id, dataset, $2, $3, reason, state, attempts, next_try_at, noticed_at, detail from gap
        where id = $1 returning id""",
        *(gap.id, gap.first, at),
    )
    return [row["id"] for row in rows]


async def _left(copy: Driver, dataset: str, ids: list[int]) -> list[int]:
    """The gaps, or parts of them, in which something is missing still; what is complete is repaired."""
    if dataset == "liquidations":
        return ids
    return [row["id"] for row in await copy.fetch(sql("gaps", "look_again"), ids)]
