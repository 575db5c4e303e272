"""`perpstore backfill`: history on order, in the same chunks and with the same record as over the API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import completing, names
from app.cli.console import Failure, emit, note, say, span, table
from app.cli.options import Assets, Exchanges, Json, words
from app.cli.progress import progress
from app.cli.sources import source as source_named

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.ingest.engine import Engine
    from app.ingest.spec import Source
    from app.services.backfills import Plan

WATCH_SECONDS = 0.5
GOING = ("queued", "running", "cancelling")
COUNTS = ("windows_planned", "windows_done", "windows_failed", "requests", "inserted", "updated", "rejected")


def backfill(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="As `perpstore sources` names it.", autocompletion=completing.sources),
    ],
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset", metavar="DATASET", help="Only these; repeat, or commas.", autocompletion=completing.datasets
        ),
    ] = None,
    days: Annotated[float, typer.Option("--days", min=0.01, metavar="N", help="How far back from now.")] = 30.0,
    asset: Assets = None,
    exchange: Exchanges = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan: requests, rows, time.")] = False,
    json: Json = False,
) -> None:
    """Fetch history of a source.

    It is cut in windows that are stored one by one; a serving process on the same database helps. End it with Ctrl-C
    or kill it: what is stored stays, and the same command goes on with the rest.

    \b
    Examples:
      perpstore backfill velo --days 30 --asset BTC --exchange bybit
      perpstore backfill defillama --days 3650 --dry-run
    """
    from app.cli.session import on_database

    found = source_named(source)
    wanted = [name.lower().replace("-", "_") for name in words(dataset)]
    assets, exchanges = words(asset), [name.lower() for name in words(exchange)]

    async def work(session: "Session") -> dict[str, Any]:
        return await _done(session, found, (wanted, days, assets, exchanges), dry_run=dry_run)

    done = on_database(work)
    emit(done) if json else _show(done)
    if done.get("state") in ("failed", "partial", "cancelled"):
        raise typer.Exit(1)


async def _done(
    session: "Session", source: "Source", wish: tuple[list[str], float, list[str], list[str]], *, dry_run: bool
) -> dict[str, Any]:
    from app import logs
    from app.ingest.backfill import working
    from app.ingest.engine import started
    from app.ingest.runner import key_of
    from app.services import backfills

    logs.configure("WARNING", secrets=[key] if (key := key_of(source)) else [])
    async with started(session.db, session.settings.history_days) as engine:
        plan, asked = await _planned(session, engine, source, wish)
        if dry_run:
            return _plan(plan)
        number = await backfills.left_over(session.db, asked["request"])
        if number is None:
            ordered = await backfills.order(session.db, source.id, asked, plan.pieces, asked_by="command line")
            number = ordered.id
            note(f"back-fill {number}: {_size(_plan(plan))}")
        else:
            note(f"back-fill {number} was begun before: it goes on with what is left")
        async with working(engine, {source.id: source}):
            return await _watched(session, number)


async def _planned(
    session: "Session", engine: "Engine", source: "Source", wish: tuple[list[str], float, list[str], list[str]]
) -> "tuple[Plan, dict[str, Any]]":
    from app.ingest.orders import plan_order
    from app.services.backfills import NothingToAsk

    datasets, days, assets, exchanges = wish
    entities = await names.entities(session.db, assets)
    end = datetime.now(UTC)
    start = end - timedelta(days=days)
    wanted = {
        "source": source.id,
        "datasets": tuple(datasets),
        "entities": tuple(one.id for one in entities) or None,
        "exchanges": tuple(exchanges) or None,
        "start": start,
        "end": end,
    }
    try:
        plan = await plan_order(engine, {source.id: source}, wanted)
    except NothingToAsk as error:
        raise Failure(f"{error}. See `perpstore sources`", 2) from error
    request = {"source": source.id, "datasets": datasets, "assets": assets, "exchanges": exchanges, "days": days}
    understood = {"datasets": list(plan.datasets), "assets": [one.canonical_id for one in entities]}
    window = {"exchanges": exchanges, "start": start.isoformat(), "end": end.isoformat()}
    return plan, {"request": request, **understood, **window}


async def _watched(session: "Session", number: int) -> dict[str, Any]:
    """Until it has come to its end, whoever works it."""
    from app.services import backfills

    with progress("windows") as tell:
        while True:
            row = await backfills.state_of(session.db, number)
            if row is None:
                raise Failure(f"Back-fill {number} is not there any more")
            tell(f"back-fill {number}", row["windows_done"] + row["windows_failed"], row["windows_planned"])
            if row["state"] not in GOING:
                return dict(row)
            await asyncio.sleep(WATCH_SECONDS)


def _plan(plan: "Plan") -> dict[str, Any]:
    facts = {"source": plan.source, "datasets": list(plan.datasets), "start": plan.start, "end": plan.end}
    return {**facts, "windows": len(plan.pieces), "requests": plan.requests, "rows": plan.rows, "time_s": plan.seconds}


def _size(plan: dict[str, Any]) -> str:
    time = span(plan["time_s"])
    return f"{plan['windows']:,} windows, {plan['requests']:,} requests, at most {plan['rows']:,} rows, {time}"


def _show(done: dict[str, Any]) -> None:
    if "state" not in done:
        return say(_size(done))
    say(f"back-fill {done['id']}: {done['state']}")
    say(table([name.upper() for name in COUNTS], [[done[name] for name in COUNTS]]))
    for error in done["errors"]:
        note(f"{done['source']}: {error}")
