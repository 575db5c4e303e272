"""What just became known, told once more in the transaction that stores it: an outbox for those who follow.

One row a write (`live_event`), announced to listeners of `CHANNEL`. Ids grow in the order of the commits: whoever has
read up to one has missed nothing. What is older than an hour goes, but for the newest such row: all since it are there.
"""

import json
from dataclasses import dataclass
from typing import Any

from app.db import Driver
from app.locks import OUTBOX_LOCK
from app.services.queries import sql

CHANNEL = "perpstore"
FACTS = frozenset({"funding", "predicted_funding", "open_interest"})
PRUNE_EVERY = 100
EVENTS_A_PAGE, ROWS_A_PAGE = 500, 5_000

PRUNE = """
delete from live_event where id < (
  select id from live_event where at < now() - interval '1 hour' order by at desc limit 1)"""
COMPLETE = """
select coalesce(min(id), 1) <= greatest($1::bigint, 1) and $1 <= coalesce(max(id), 0) from live_event"""
LAST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Event:
    """The rows of one write that were the newest of their series. `at`: right before its commit, RFC 3339."""

    id: int
    at: str
    fact: str
    rows: list[dict[str, Any]]


async def tell(copy: Driver, fact: str) -> None:
    """Called last in the transaction that wrote what is `touched`: from here to its commit no other one tells."""
    if fact not in FACTS:
        return
    await copy.execute("select pg_advisory_xact_lock($1)", OUTBOX_LOCK)
    number = await copy.fetchval(sql("live", f"tell_{fact}"), CHANNEL)
    if number is not None and number % PRUNE_EVERY == 0:
        await copy.execute(PRUNE)


async def between(connection: Driver, first: int, last: int = LAST_ID) -> list[Event]:
    """A page of the events of these ids, both included, the oldest first; none where there are none."""
    rows = await connection.fetch(sql("live", "between"), first, last, EVENTS_A_PAGE, ROWS_A_PAGE)
    return [Event(row["id"], row["at"], row["fact"], json.loads(row["rows"])) for row in rows]


async def newest(connection: Driver) -> int:
    """The id of the newest event; 0 where there is none."""
    return await connection.fetchval("select coalesce(max(id), 0) from live_event")


async def complete_since(connection: Driver, number: int) -> bool:
    """Whether everything told after event `number` is still there, and the event itself.

    It is not where ids have gone back: a backup was restored.
    """
    return await connection.fetchval(COMPLETE, number)
