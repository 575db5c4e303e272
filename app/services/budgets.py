"""What is spent of the budgets of sources, by every process on this database together."""

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

    async def pause(self, budget: str, seconds: float, period: timedelta) -> None:
        """Nobody spends of a budget for so long: it was told that it was asked too often."""
        told = {"budget": budget, "pause": timedelta(seconds=seconds), "period": period, "everything": EVERYTHING}
        async with writing(self.db) as connection:
            await connection.execute(PAUSE, told)
