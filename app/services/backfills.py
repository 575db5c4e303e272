"""Back-fills as they stand in the database: orders, and the chunks that processes claim, finish or give back.

A worker is a connection that holds an advisory lock; a chunk of a worker whose lock is gone is anybody's again.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import asyncpg

from app.db import SESSION, Database, Driver, driver, writing
from app.locks import WORK_LOCK
from app.services.log import Counts
from app.services.queries import Query, sql

State = Literal["queued", "running", "cancelling", "cancelled", "succeeded", "partial", "failed"]
LONGEST_ERROR = 500
SCHEDULE = "schedule"
"""Who orders what a pause left missing."""


class Conflict(Exception):
    """What was asked of a back-fill does not go with the state it is in, or with an earlier order."""


class NotOurs(Exception):
    """The chunk has gone to another worker meanwhile: nothing of it may be stored here."""


class NothingToAsk(ValueError):
    """The source tells nothing of what is wanted: why, in words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk asks: a dataset and, as JSON, the windows of it. `rows`: how many are expected at the most."""

    dataset: str
    window: Mapping[str, Any]
    requests: int = 1
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a back-fill will do for `[start, end)`; `rows` and `seconds` are at the most, as the budgets allow."""

    source: str
    datasets: tuple[str, ...]
    start: datetime
    end: datetime
    pieces: tuple[Piece, ...]
    requests: int
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A claimed chunk."""

    backfill: int
    number: int
    source: str
    dataset: str
    window: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class Ordered:
    """A back-fill that was ordered; `new` is false where the same order had come before."""

    id: int
    new: bool


@dataclass(slots=True)
class Worker:
    """A process that may work chunks while its lock is held; `lost` is set when it is not any more."""

    number: int
    lost: asyncio.Event = field(default_factory=asyncio.Event)


async def order(
    db: Database,
    source: str,
    asked: Mapping[str, Any],
    pieces: Sequence[Piece],
    *,
    asked_by: str,
    key: str | None = None,
) -> Ordered:
    """Write a back-fill down with its chunks, all or nothing. With the key of an earlier order it is that one.

    `asked` holds the `request` as it came, and as it was understood: `datasets`, `assets`, `exchanges`, `start`, `end`.
    Raises Conflict where an earlier order with that key had another request.
    """
    async with writing(db) as connection:
        copy = await driver(connection)
        made = await copy.fetchval(sql("backfills", "order"), source, json.dumps(dict(asked)), key, asked_by)
        if made is None:
            earlier = await copy.fetchrow(sql("backfills", "of_key"), key)
            if earlier is None or json.loads(earlier["asked"])["request"] != asked["request"]:
                raise Conflict("this Idempotency-Key was used for another back-fill")
            return Ordered(earlier["id"], new=False)
        rows = [(made, at, one.dataset, json.dumps(dict(one.window))) for at, one in enumerate(pieces)]
        names = ("backfill_id", "number", "dataset", "piece")
        await copy.copy_records_to_table("backfill_chunk", records=rows, columns=names)
    return Ordered(made, new=True)


@asynccontextmanager
async def worker(db: Database) -> AsyncGenerator[Worker]:
    """To be one of those who work chunks. Raises `OSError` or `asyncpg.PostgresError` when nobody answers."""
    connection = await asyncpg.connect(db.dsn, server_settings=SESSION)
    try:
        me = Worker(await connection.fetchval("select pg_backend_pid()"))
        connection.add_termination_listener(lambda _: me.lost.set())
        await connection.execute("select pg_advisory_lock($1, $2)", WORK_LOCK, me.number)
        await connection.execute(sql("backfills", "let_go"), me.number, [], [])
        yield me
    finally:
        await connection.close(timeout=2)


async def claim(db: Database, me: Worker, sources: Collection[str]) -> Chunk | None:
    """The next chunk of these sources that nobody is at, now this worker's; None where there is none."""
    async with writing(db) as connection:
        copy = await driver(connection)
        row = await copy.fetchrow(sql("backfills", "claim"), list(sources), me.number, WORK_LOCK)
    if row is None:
        return None
    told = json.loads(row["piece"])
    return Chunk(row["backfill_id"], row["number"], row["source"], row["dataset"], told, row["attempts"])


async def finish(copy: Driver, me: Worker, chunk: Chunk, counts: Counts, note: str | None = None) -> None:
    """The chunk is done, in the transaction that stores its rows. Raises NotOurs."""
    done = await copy.execute(
        sql("backfills", "finish"),
        *(chunk.backfill, chunk.number, me.number, note and note[:LONGEST_ERROR]),
        *(counts.requests, counts.received, counts.inserted, counts.updated, counts.rejected),
    )
    if done != "UPDATE 1":
        raise NotOurs


async def give_back(
    db: Database,
    me: Worker,
    chunk: Chunk,
    error: str | None = None,
    *,
    failed: bool = False,
    for_good: bool = False,
    requests: int = 0,
) -> None:
    """The chunk is not done after so many `requests`: anybody may try it again or, `for_good`, nobody.

    `failed` ones count as attempts.
    """
    state, said = "failed" if for_good else "queued", error and error[:LONGEST_ERROR]
    told = (chunk.backfill, chunk.number, me.number, state, said, int(failed), requests)
    async with writing(db) as connection:
        await (await driver(connection)).execute(sql("backfills", "give_back"), *told)


async def let_go(db: Database, me: Worker, held: Iterable[Chunk]) -> None:
    """Chunks that are this worker's but not among those it holds are anybody's again."""
    keys = [(chunk.backfill, chunk.number) for chunk in held]
    numbers = [[key[at] for key in keys] for at in range(2)]
    async with writing(db) as connection:
        await (await driver(connection)).execute(sql("backfills", "let_go"), me.number, *numbers)


async def settle(db: Database) -> list[int]:
    """Back-fills with nothing left to do have come to their end. Returns those that are being cancelled."""
    async with writing(db) as connection:
        copy = await driver(connection)
        rows = await copy.fetch(sql("backfills", "settle"), WORK_LOCK)
    return [row["id"] for row in rows if row["state"] == "cancelling"]


async def cancel(db: Database, backfill: int) -> None:
    """Stop a back-fill; what is stored stays. Raises KeyError for one that is not there, Conflict at its end."""
    await _change(db, backfill, "cancel", "it is {} already")


async def resume(db: Database, backfill: int) -> None:
    """Go on with a back-fill that was cancelled or did not wholly succeed. Raises KeyError and Conflict."""
    await _change(db, backfill, "resume", "it is {}: there is nothing to resume", WORK_LOCK)


async def _change(db: Database, backfill: int, statement: str, refusal: str, *arguments: int) -> None:
    async with writing(db) as connection:
        copy = await driver(connection)
        state = await copy.fetchval("select state from backfill where id = $1 for update", backfill)
        if state is None:
            raise KeyError(backfill)
        if await copy.fetchval(sql("backfills", statement), backfill, *arguments) is None:
            raise Conflict(refusal.format(state))


async def scheduled(db: Database, source: str) -> list[tuple[list[list[str]], datetime]]:
    """The pairs that the schedule ordered history of, and until when."""
    rows = await db.reads.fetch(sql("backfills", "scheduled"), source, SCHEDULE)
    return [(json.loads(row["pairs"]), row["until"]) for row in rows]


async def resume_scheduled(db: Database, source: str) -> None:
    """What the schedule ordered of late and could not wholly be had is tried again."""
    for row in await db.reads.fetch(sql("backfills", "unfinished"), source, SCHEDULE):
        with suppress(Conflict):
            await resume(db, row["id"])


async def state_of(db: Database, backfill: int) -> asyncpg.Record | None:
    """A back-fill as `listing` tells of it, or None."""
    async with writing(db) as connection:
        return await (await driver(connection)).fetchrow(sql("backfills", "listing"), backfill)


def listing(backfill: int | None = None) -> Query:
    """Every back-fill, or one: what was asked, its state, how far it has come and when it will be done."""
    return Query(sql("backfills", "listing"), (backfill,))


async def left_over(db: Database, request: Mapping[str, Any]) -> int | None:
    """The newest back-fill of a request that came in the last day and is not at its end; a cancelled one goes on."""
    async with writing(db) as connection:
        found = await (await driver(connection)).fetchrow(sql("backfills", "left_over"), json.dumps(dict(request)))
    if found is None:
        return None
    if found["state"] == "cancelled":
        await resume(db, found["id"])
    return int(found["id"])
