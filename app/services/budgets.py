"""What is spent of the budgets of sources, by every process on this database together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from app.db import Database, writing

SPEND = text("select spend(:budget, :cost, :allowed, :period, :aligned)")
PAUSE = text(
    """insert into budget_spent (budget, at, cost)
    values (:budget, clock_timestamp() + cast(:pause as interval) - cast(:period as interval), :everything)"""
)
EVERYTHING = 1e12
THROTTLED = text(
    """insert into throttle as t (source, answers) values (:source, 1)
    on conflict (source) do update set answers = t.answers + 1, last_at = clock_timestamp()"""
)
THROTTLES = "select source, answers from throttle"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The account of all budgets. Its methods raise what the database raises."""

    db: Database

    async def spend(self, budget: str, cost: float, allowed: float, period: timedelta, aligned: bool) -> float:
        """Take a cost of a budget of which so much is allowed in a period (`aligned`: that begins with the clock's).

        Returns 0.0 when it was there, else the seconds until it may be.
        """
        told = {"budget": budget, "cost": cost, "allowed": allowed, "period": period, "aligned": aligned}
        async with writing(self.db) as connection:
            return float((await connection.execute(SPEND, told)).scalar_one())

    async def throttled(self, source: str) -> None:
        """A source has answered that it is asked too often: it is counted, for all processes together."""
        async with writing(self.db) as connection:
            await connection.execute(THROTTLED, {"source": source})

    async def pause(self, budget: str, seconds: float, period: timedelta) -> None:
        """Nobody spends of a budget for so long: it was told that it was asked too often."""
        told = {"budget": budget, "pause": timedelta(seconds=seconds), "period": period, "everything": EVERYTHING}
        async with writing(self.db) as connection:
            await connection.execute(PAUSE, told)


async def throttles(db: Database) -> Mapping[str, int]:
    """How often each source has answered that it is asked too often; one that never did is not there."""
    return {row["source"]: row["answers"] for row in await db.reads.fetch(THROTTLES)}
