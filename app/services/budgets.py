"""What is spent of the budgets of sources, by every process on this database together."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import text

from app.db import Database, writing

SPEND = text("select spend(:budget, :cost, :allowed, :period, :aligned)")
Spend = Callable[[str, float, float, timedelta, bool], Awaitable[float]]


def spending(db: Database) -> Spend:
    """How to take a cost of a budget: 0.0 when it was there, else the seconds until it may be.

    To be called with the budget's name, the cost, the limit in a period, the period, and whether that begins with the
    clock's. Raises what the database raises.
    """

    async def spend(budget: str, cost: float, allowed: float, period: timedelta, aligned: bool) -> float:
        told = {"budget": budget, "cost": cost, "allowed": allowed, "period": period, "aligned": aligned}
        async with writing(db) as connection:
            return float((await connection.execute(SPEND, told)).scalar_one())

    return spend
