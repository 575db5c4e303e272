"""Room for facts of any time: native range partitions, made before they are needed. Hypertables make their own."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database, Driver, writing

Span = Literal["day", "month"]
SPANS: dict[str, Span] = {
    "perp_1m": "day",
    "liquidation": "day",
    "perp_1h": "month",
    "open_interest": "month",
    "predicted_funding": "month",
}
THERE = "select bool_and(to_regclass(name) is not null) from unnest($1::text[]) name"
PARTITION_LOCK = 7_022_002
NAMES = {"day": "%Y%m%d", "month": "%Y%m"}


def starts(fact: str, days: Iterable[datetime]) -> set[datetime]:
    """The starts of the partitions that hold these days (UTC). Empty for a table that is not partitioned."""
    span = SPANS.get(fact)
    if span is None:
        return set()
    return {day.replace(day=1) if span == "month" else day for day in days}


def _end(span: Span, start: datetime) -> datetime:
    if span == "day":
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


async def _is_partitioned(connection: AsyncConnection, fact: str) -> bool:
    found = await connection.execute(
        text("select relkind = 'p' from pg_class where oid = to_regclass(:t)"), {"t": fact}
    )
    return bool(found.scalar())


async def _existing(connection: AsyncConnection, fact: str) -> set[str]:
    rows = await connection.execute(
        text("select inhrelid::regclass::text from pg_inherits where inhparent = to_regclass(:t)"), {"t": fact}
    )
    return set(rows.scalars())


def _wanted(fact: str, days: Iterable[datetime]) -> dict[str, datetime]:
    return {f"{fact}_p{start.strftime(NAMES[SPANS[fact]])}": start for start in starts(fact, days)}


async def there(copy: Driver, fact: str, days: Iterable[datetime]) -> bool:
    """Whether these days have their partitions already."""
    wanted = list(_wanted(fact, days))
    return not wanted or bool(await copy.fetchval(THERE, wanted))


async def make(db: Database, fact: str, days: Iterable[datetime]) -> None:
    """Make the partitions of `fact` that these days need and that are not there. Safe beside other processes."""
    wanted = _wanted(fact, days)
    if not wanted:
        return
    async with writing(db) as connection:
        if not await _is_partitioned(connection, fact) or not wanted.keys() - await _existing(connection, fact):
            return
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
        for name in sorted(wanted.keys() - await _existing(connection, fact)):
            await _attach(connection, fact, name, wanted[name])


async def _attach(connection: AsyncConnection, fact: str, name: str, start: datetime) -> None:
    """Made apart and attached: unlike `create … partition of`, this does not wait for readers of the parent."""
    first, last = start.astimezone(UTC).isoformat(), _end(SPANS[fact], start).astimezone(UTC).isoformat()
    await connection.execute(text(f"create table {name} (like {fact} including defaults including constraints)"))
    await connection.execute(
        text(f"alter table {fact} attach partition {name} for values from ('{first}') to ('{last}')")
    )
