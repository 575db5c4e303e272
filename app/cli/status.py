"""`perpstore status`: what is stored, how fresh it is, what ran last; on one screen, or all of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import glance
from app.cli.console import emit, say, size, span, table
from app.cli.facts import where
from app.cli.options import Json
from app.cli.sources import configured

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.db import Database

PULLS, TABLES = 10, 10
LEADING = """
select count(*) > 0 from pg_locks
where locktype = 'advisory' and granted and objid = $1 and objsubid = 1
  and database = (select oid from pg_database where datname = current_database())
"""


def status(
    all: Annotated[
        bool, typer.Option("--all", help="All of it: every table and dataset, the last pulls with their errors.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what is stored and how fresh it is.

    One screen: the database, its size and the disk, how each source stands, gaps, the largest tables, collectors and
    the schedule; at the end what is wrong, and the next step. NO_COLOR takes the colours away.

    \b
    Examples:
      perpstore status
      perpstore status --all
      perpstore status --json | jq .database.dsn
    """
    from app.cli.session import on_database, settings

    configured(settings().sources)  # before any database is started
    found = on_database(_found)
    if json:
        emit(found)
    elif all:
        say("\n".join(_lines(found)))
    else:
        glance.show(found)


async def _found(session: "Session") -> dict[str, Any]:
    from app.cli import facts, standing
    from app.models import Pull
    from app.services import gaps, generated, log, storage

    pulls = await log.pulls(session.db, limit=PULLS)
    scheduler = await _scheduler(session)
    tables = await storage.tables(session.db, session.settings.kept_days, datetime.now(UTC))
    freshness = await _freshness(session)
    return {
        "version": _version(),
        "database": await facts.database(session),
        "counts": await facts.counts(session.db),
        "generated": await generated.exchanges(session.db),
        "tables": tables,
        "forecast": asdict(await storage.forecast(session.db, tables, session.settings.disk_folder)),
        "scheduler": scheduler,
        "sources": await standing.sources(session, scheduler["jobs"], freshness),
        "freshness": freshness,
        "gaps": [dict(row) for row in await gaps.counts(session.db)],
        "collectors": await collectors_of(session.db),
        "pulls": [dict(zip(Pull.__table__.columns.keys(), row, strict=True)) for row in pulls],
    }


def _version() -> str:
    from importlib.metadata import version

    return version("perpstore")


async def _scheduler(session: "Session") -> dict[str, Any]:
    """Whether settings want it, whether some process leads it now, and its jobs."""
    from app.ingest import schedule
    from app.locks import LEAD_LOCK

    jobs = schedule.planned(configured(session.settings.sources).values())
    return {
        "enabled": session.settings.scheduler,
        "running": await session.db.reads.fetchval(LEADING, LEAD_LOCK),
        "jobs": [asdict(job) for job in await schedule.listing(session.db, jobs)],
    }


async def _freshness(session: "Session") -> list[dict[str, Any]]:
    """The newest fact of each source and dataset, and whether it is late for what is asked of it."""
    from app.cli.standing import expected
    from app.services import quality

    query = quality.freshness(expected(session), datetime.now(UTC))
    rows = [dict(row) for row in await session.db.reads.fetch(query.text, *query.arguments)]
    return sorted(rows, key=lambda row: (row["source"], row["dataset"]))


async def collectors_of(db: "Database") -> list[dict[str, Any]]:
    """Each live collector as it last told of itself: the rows of `/admin/collectors`."""
    from app.services import collectors

    query = collectors.collectors()
    rows = [dict(row) for row in await db.reads.fetch(query.text, *query.arguments)]
    return sorted(rows, key=lambda row: row["id"])


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    database, counts, scheduler = found["database"], found["counts"], found["scheduler"]
    yield f"perpstore   {found['version']}"
    yield f"PostgreSQL  {database['version']}, {where(database)}"
    yield f"TimescaleDB {database['timescaledb'] or 'no'}"
    yield f"size        {size(database['bytes'])}"
    yield f"disk        {glance.told_of_disk(found['forecast'])}"
    yield f"schedule    {'running' if scheduler['running'] else 'no process runs it'}, {len(scheduler['jobs'])} jobs"
    yield "stored      " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    yield from glance.told_of_generated(found["generated"])
    yield "\n" + table(("TABLE", "SIZE", "ROWS, ABOUT", "A DAY", "KEPT"), map(_table, found["tables"][:TABLES]))
    told = [row for row in found["freshness"] if row["newest"] or row["pulled_at"]]
    yield "\n" + table(("SOURCE", "DATASET", "NEWEST", "AGE", "SERIES", "LATE"), map(_fresh, told))
    if found["collectors"]:
        yield "\n" + told_of_collectors(found["collectors"])
    if found["pulls"]:
        yield "\n" + table(("PULL", "STATUS", "BEGUN", "TOOK", "INSERTED", "ERROR"), map(_pull, found["pulls"]))


def told_of_collectors(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table: how each stands, how far behind it is, what it hears and what it lost."""
    heads = ("COLLECTOR", "STATE", "LAG", "MESSAGES/S", "DROPPED", "RECONNECTS", "LAST MESSAGE")
    return table(heads, map(_collector, rows))


def _collector(row: Mapping[str, Any]) -> tuple[object, ...]:
    a_second = None if row["messages_per_s"] is None else f"{row['messages_per_s']:.1f}"
    lag, last = span(row["lag_s"]) or None, row["last_message_at"]
    return row["id"], row["state"], lag, a_second, row["dropped"], row["reconnects"], last


def _table(row: Mapping[str, Any]) -> tuple[object, ...]:
    days = row["retention_days"]
    a_day = None if row["bytes_per_day"] is None else size(row["bytes_per_day"])
    return row["table"], size(row["bytes"]), row["rows_estimated"], a_day or "", f"{days} days" if days else ""


def _fresh(row: Mapping[str, Any]) -> tuple[object, ...]:
    return row["source"], row["dataset"], row["newest"], span(row["age_s"]), row["series"], row["late"]


def _pull(row: Mapping[str, Any]) -> tuple[object, ...]:
    took = row["finished_at"] and (row["finished_at"] - row["started_at"]).total_seconds()
    name = f"{row['source']}:{row['dataset']}"
    return name, row["status"], row["started_at"], span(took), row["inserted"], row["error"] or ""
