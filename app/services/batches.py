"""Imports as batches: each write over the API or the command line is one, and can be taken back."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database, Driver, driver, writing
from app.locks import MAKING_LOCK, RUNNING_LOCK
from app.models import ImportBatch
from app.services import merge, undo
from app.services.queries import Query, sql

REMOVALS = ("series", "metric_series", "metrics", "instruments", "entities", "exchanges", "sources")

Via = Literal["api", "command line"]
State = Literal["running", "stored", "failed", "taken_back"]

IMPORTS = """
select b.id, b.dataset, b.source, b.who, b.via, b.file, b.started_at, b.finished_at, b.received, b.inserted, b.updated,
  b.received - b.inserted - b.updated - b.rejected as unchanged, b.rejected, b.state, b.taken_back_at
from import_batch b
where ($1::text[] is null or b.source = any($1)) and ($2::text[] is null or b.dataset = any($2))
  and ($3::text is null or b.state = $3) and ($4::bigint is null or b.id = $4)
"""


class UnknownBatch(LookupError):
    """There is no import of this number."""


class RunningBatch(ValueError):
    """An import that still runs cannot be taken back."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who brings rows: the name of a key or `command line`, over what, and the file or body they are in."""

    who: str
    via: Via
    file: str | None = None


@asynccontextmanager
async def begun(db: Database, dataset: str, source: str, writer: Writer | None) -> AsyncGenerator[int | None]:
    """An import that runs until the end of this context; failed if `finish` was not called by then.

    Gives its number; None without a writer: such rows are of no batch.
    """
    if writer is None:
        yield None
        return
    async with db.engine.connect() as alive:
        batch = await _begin(alive, dataset, source, writer)
        try:
            yield batch
        finally:
            mine = update(ImportBatch).where(ImportBatch.id == batch, ImportBatch.state == "running")
            await alive.execute(mine.values(state="failed", finished_at=func.clock_timestamp()))
            await alive.execute(text("select pg_advisory_unlock(:key, :id)"), {"key": RUNNING_LOCK, "id": batch})
            await alive.commit()


async def _begin(alive: AsyncConnection, dataset: str, source: str, writer: Writer) -> int:
    """Locked before anybody sees it: who sees a running import without its lock knows that its process ended."""
    values = {"dataset": dataset, "source": source, "who": writer.who, "via": writer.via, "file": writer.file}
    row = insert(ImportBatch).values(**values, state="running").returning(ImportBatch.id)
    batch = (await alive.execute(row)).scalar_one()
    await alive.execute(text("select pg_advisory_lock(:key, :id)"), {"key": RUNNING_LOCK, "id": batch})
    await alive.commit()
    return batch


async def count(copy: Driver, batch: int, received: int, inserted: int, updated: int) -> None:
    """Rows of an import that are stored, counted in the transaction that stores them."""
    await copy.execute(
        """update import_batch set received = received + $2, inserted = inserted + $3, updated = updated + $4
        where id = $1""",
        *(batch, received, inserted, updated),
    )


async def finish(copy: Driver, batch: int, received: int, rejected: int) -> None:
    """All rows of an import are stored, or were refused; in the transaction of the last of them."""
    await copy.execute(
        """update import_batch set state = 'stored', finished_at = clock_timestamp(), received = $2, rejected = $3
        where id = $1""",
        *(batch, received, rejected),
    )


async def drop(copy: Driver, batch: int) -> None:
    """An import of which nothing is stored is none."""
    await copy.execute("delete from import_batch where id = $1", batch)


async def note_made(copy: Driver, batch: int, kind: str, ids: Sequence[int]) -> None:
    """What an import made beside facts, in the transaction that makes it."""
    await copy.execute("insert into import_made select $1::int, $2::text, unnest($3::int[])", batch, kind, ids)


async def settle(db: Database) -> None:
    """Imports that say they run although their process ended have failed; nothing of them is stored half."""
    if not await db.reads.fetchval("select exists (select from import_batch where state = 'running')"):
        return
    over = func.pg_try_advisory_xact_lock(RUNNING_LOCK, ImportBatch.id)
    gone = update(ImportBatch).where(ImportBatch.state == "running", over)
    async with writing(db) as connection:
        await connection.execute(gone.values(state="failed", finished_at=func.clock_timestamp()))


def imports(
    *,
    sources: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    state: State | None = None,
    one: int | None = None,
) -> Query:
    """One row an import."""
    return Query(IMPORTS, (sources, datasets, state, one))


async def take_back(db: Database, batch: int) -> None:
    """Make everything as if an import had never been; nothing happens where that was done.

    All in one transaction; other writers wait. Raises UnknownBatch and RunningBatch.
    """
    await settle(db)
    async with writing(db) as connection:
        copy = await driver(connection)
        state = await copy.fetchval("select state from import_batch where id = $1 for update", batch)
        if state is None:
            raise UnknownBatch(batch)
        if state == "running":
            raise RunningBatch(batch)
        if state != "taken_back":
            await _take_back(copy, batch)


async def _take_back(copy: Driver, batch: int) -> None:
    """Under the locks of all writers: taken in one order, and no other lock is waited for between them."""
    for fact in sorted(merge.FACTS):
        await merge.lock(copy, fact)
    await copy.execute("select pg_advisory_xact_lock($1)", MAKING_LOCK)
    entities = [row["entity_id"] for row in await copy.fetch(sql("batches", "entities"), batch)]
    for row in await copy.fetch("select distinct fact from import_span where batch_id = $1 order by fact", batch):
        await undo.undo(copy, row["fact"], batch)
    await copy.execute(
        "update import_batch set state = 'taken_back', taken_back_at = clock_timestamp() where id = $1", batch
    )
    await _remove(copy, entities)


async def _remove(copy: Driver, entities: Sequence[int]) -> None:
    """What imports taken back made, unless somebody else uses it; and what the rollup has of it."""
    adopted = await copy.fetch(sql("batches", "adopted"))
    await copy.execute(sql("importing", "adopted_due"), [row["made_id"] for row in adopted])
    await copy.execute(sql("batches", "orphan"))
    await copy.execute(sql("batches", "rollup_begins"), entities)
    for kind in REMOVALS:
        await copy.execute(sql("batches", f"remove_{kind}"))
