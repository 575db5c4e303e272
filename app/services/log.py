"""What the engine writes down: its pulls, rows it refused, bodies nobody could read, and what operators say of jobs."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import CursorResult, Row, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db import Database, writing
from app.models import Job, Pull, RawBody, Reject

Status = Literal["running", "succeeded", "partial", "failed"]
MAX_BODY = 2**20
KEPT_BODIES = 200
KEPT_PULLS = timedelta(days=30)
MAX_WORDS = 500
CANCELLED, ABANDONED = "cancelled", "its process ended"
"""Errors of pulls that say nothing about who was asked."""
UNREACHABLE = "unreachable"
"""The code in the log of errors of a pull that asked and got no answer at all: no connection, or none in time."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of a pull so far. `received` are rows: inserted, updated, unchanged or rejected."""

    requests: int = 0
    received: int = 0
    inserted: int = 0
    updated: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """Rows refused for one reason: the stable code, whose they were ('' where unknown), the last reason, how many."""

    code: str
    symbol: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Unread:
    """A body nobody could read: what was asked, HTTP status, why not, and the body."""

    request: str
    status: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class JobState:
    """What operators said of a job: not to run, or to run now (when that was asked)."""

    paused: bool = False
    asked_at: datetime | None = None


def _clean(words: str) -> str:
    return words.replace("\x00", "")[:MAX_WORDS]


async def begin(db: Database, source: str, dataset: str) -> int:
    """A pull has begun; returns its number."""
    async with writing(db) as connection:
        row = insert(Pull).values(source=source, dataset=dataset, status="running").returning(Pull.id)
        return (await connection.execute(row)).scalar_one()


async def note(db: Database, pull: int, counts: Counts) -> None:
    """How far a running pull has come."""
    async with writing(db) as connection:
        await connection.execute(update(Pull).where(Pull.id == pull).values(**asdict(counts)))


async def finish(db: Database, pull: int, status: Status, counts: Counts, error: str | None) -> None:
    """A pull is over."""
    values = {"status": status, "finished_at": func.clock_timestamp(), "error": error and _clean(error)}
    async with writing(db) as connection:
        await connection.execute(update(Pull).where(Pull.id == pull).values(**values, **asdict(counts)))


async def abandon(db: Database) -> int:
    """Pulls that say they run although nobody runs them have failed; old ones are forgotten. Returns how many did."""
    values = {"status": "failed", "finished_at": func.clock_timestamp(), "error": ABANDONED}
    async with writing(db) as connection:
        await connection.execute(delete(Pull).where(Pull.started_at < func.clock_timestamp() - KEPT_PULLS))
        done = await connection.execute(update(Pull).where(Pull.status == "running").values(**values))
        return cast("CursorResult[tuple[()]]", done).rowcount


async def last_success(db: Database, source: str, dataset: str) -> datetime | None:
    """When a pull of a dataset last came to a good end."""
    newest = select(func.max(Pull.finished_at)).where(
        Pull.source == source, Pull.dataset == dataset, Pull.status == "succeeded"
    )
    async with db.engine.connect() as connection:
        return (await connection.execute(newest)).scalar()


async def reject(db: Database, source: str, dataset: str, rows: Iterable[Rejected]) -> None:
    """Count rows that were refused, by code and symbol."""
    whose = {"source": source, "dataset": dataset}
    values = [{**asdict(row), **whose, "symbol": _clean(row.symbol), "reason": _clean(row.reason)} for row in rows]
    if not values:
        return
    statement = insert(Reject)
    told = statement.excluded
    seen = {"reason": told.reason, "count": Reject.count + told.count, "last_seen": func.clock_timestamp()}
    upsert = statement.on_conflict_do_update(index_elements=["source", "dataset", "code", "symbol"], set_=seen)
    async with writing(db) as connection:
        await connection.execute(upsert, sorted(values, key=lambda row: (row["code"], row["symbol"])))


async def keep_body(db: Database, source: str, dataset: str, unread: Unread) -> None:
    """Keep the first MiB of a body nobody could read; of each source the newest are kept."""
    values = {
        "source": source,
        "dataset": dataset,
        "request": _clean(unread.request),
        "status": unread.status,
        "reason": _clean(unread.reason),
        "body": unread.body[:MAX_BODY],
    }
    mine = select(RawBody.id).where(RawBody.source == source).order_by(RawBody.id.desc())
    async with writing(db) as connection:
        await connection.execute(insert(RawBody).values(**values))
        old = mine.offset(KEPT_BODIES).limit(1).scalar_subquery()
        await connection.execute(delete(RawBody).where(RawBody.source == source, RawBody.id <= old))


async def pulls(
    db: Database, *, source: str | None = None, dataset: str | None = None, limit: int = 100
) -> Sequence[Row[Any]]:
    """The newest pulls (of this source, of this dataset), newest first; rows have the columns of `Pull`."""
    wanted = select(Pull.__table__).order_by(Pull.id.desc()).limit(limit)
    if source:
        wanted = wanted.where(Pull.source == source)
    if dataset:
        wanted = wanted.where(Pull.dataset == dataset)
    return await _rows(db, wanted)


async def rejects(db: Database, *, source: str | None = None, limit: int = 100) -> Sequence[Row[Any]]:
    """What was refused last (of this source); rows have the columns of `Reject`."""
    wanted = select(Reject.__table__).order_by(Reject.last_seen.desc(), Reject.id).limit(limit)
    return await _rows(db, wanted.where(Reject.source == source) if source else wanted)


async def bodies(db: Database, *, source: str | None = None, limit: int = 20) -> Sequence[Row[Any]]:
    """The newest bodies nobody could read (of this source); rows have the columns of `RawBody`."""
    wanted = select(RawBody.__table__).order_by(RawBody.id.desc()).limit(limit)
    return await _rows(db, wanted.where(RawBody.source == source) if source else wanted)


async def _rows(db: Database, wanted: Select[*tuple[Any, ...]]) -> Sequence[Row[Any]]:
    async with db.engine.connect() as connection:
        return (await connection.execute(wanted)).all()


async def job_states(db: Database) -> dict[str, JobState]:
    """What operators said, by job id; of jobs nobody spoke of there is nothing."""
    rows = await _rows(db, select(Job.id, Job.paused, Job.asked_at))
    return {row.id: JobState(row.paused, row.asked_at) for row in rows}


async def pause_job(db: Database, job: str, paused: bool) -> None:
    """Do not run a job on schedule from now on, or do again."""
    await _say(db, job, {"paused": paused})


async def ask_job(db: Database, job: str) -> None:
    """Ask whoever runs the schedule to run a job now. A paused job runs too."""
    await _say(db, job, {"asked_at": func.clock_timestamp()})


async def _say(db: Database, job: str, values: dict[str, Any]) -> None:
    statement = insert(Job).values(**{"id": job, "paused": False, **values})
    async with writing(db) as connection:
        await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


async def take_asked(db: Database, jobs: Collection[str]) -> list[str]:
    """Those of these jobs that somebody asked to run now; the asking is then answered."""
    asked = update(Job).where(Job.id.in_(jobs), Job.asked_at.is_not(None)).values(asked_at=None).returning(Job.id)
    async with writing(db) as connection:
        return list((await connection.execute(asked)).scalars())
