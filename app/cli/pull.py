"""`perpstore pull`: ask an upstream now, and keep what it says."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import completing, names
from app.cli.console import Failure, emit, note, say, table
from app.cli.options import Assets, Exchanges, Json, words
from app.cli.progress import progress
from app.cli.sources import source as source_named

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.ingest.jobs import Pulled
    from app.ingest.spec import Source

SYMBOLS = """
select i.symbol from instrument i join exchange x on x.id = i.exchange_id
where x.slug = $1 and i.entity_id = any($2) order by i.symbol
"""
HEADS = ("SOURCE", "DATASET", "STATUS", "REQUESTS", "RECEIVED", "INSERTED", "UPDATED", "REJECTED")


def pull(
    source: Annotated[str, typer.Argument(help="One of `perpstore sources`.", autocompletion=completing.sources)],
    dataset: Annotated[
        str | None, typer.Argument(help="One of its datasets; without one, all.", autocompletion=completing.datasets)
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0, help="So many days of history, whatever is held; else what is missing.")
    ] = None,
    asset: Assets = None,
    exchange: Exchanges = None,
    json: Json = False,
) -> None:
    """Ask an upstream now and store what it says.

    All that is missing since the last time, instruments first. The exit code is 1 when a dataset failed. Interrupted,
    it goes on from what is stored the next time.

    \b
    Examples:
      perpstore pull hyperliquid
      perpstore pull binance funding --days 30 --asset BTC,ETH
    """
    from app.cli.session import on_database

    found = source_named(source)
    _check_key(found)
    name = _dataset(found, dataset)
    _check_exchanges(found, words(exchange))
    if words(asset) and any(feed.scope == "batch" for feed in found.feeds):
        raise Failure(f"{found.id} is pulled whole. For some assets: `perpstore backfill {found.id} --asset …`", 2)

    async def work(session: "Session") -> "list[Pulled]":
        return await _pulled(session, found, name, days, words(asset))

    done = on_database(work)
    emit({"pulls": [_document(pulled) for pulled in done]}) if json else say(table(HEADS, map(_row, done)))
    for line in _errors(done):
        note(line)
    if any(pulled.status == "failed" for pulled in done):
        raise typer.Exit(1)


def _check_key(source: "Source") -> None:
    from app.ingest.runner import why_disabled

    if reason := why_disabled(source):
        raise Failure(f"{source.id} is disabled: {reason}. Set it in the environment or in .env", 2)


def _dataset(source: "Source", given: str | None) -> str | None:
    name = given and given.lower().replace("-", "_")
    known = dict.fromkeys(feed.dataset for feed in source.feeds)
    if name and name not in known:
        raise Failure(f"{source.id} has no dataset {given}. It has {', '.join(known)}", 2)
    return name


def _check_exchanges(source: "Source", wanted: list[str]) -> None:
    if strange := [name for name in wanted if name.lower() != source.id]:
        raise Failure(f"{source.id} tells of itself only, not of {', '.join(strange)}. Leave --exchange out", 2)


async def _pulled(
    session: "Session", source: "Source", dataset: str | None, days: float | None, assets: list[str]
) -> "list[Pulled]":
    from app import logs
    from app.ingest import jobs

    logs.configure("WARNING")
    symbols = await _symbols(session, source, assets) if assets else None
    with progress("windows") as tell:
        return await jobs.pull(
            session.db,
            source,
            dataset,
            days=days,
            symbols=symbols,
            progress=lambda at: tell(f"{at.source} {at.dataset}", at.done, at.planned),
            history_days=session.settings.history_days,
            pulled=session.settings.sources,
        )


async def _symbols(session: "Session", source: "Source", assets: list[str]) -> list[str]:
    """Native symbols of these assets; the instruments are listed first where they are not known yet."""
    from app.ingest import jobs

    wanted = await names.assets(session.db, assets)
    symbols = await session.db.reads.fetch(SYMBOLS, source.id, wanted)
    if not symbols:
        await jobs.pull(session.db, source, "instruments", pulled=session.settings.sources)
        symbols = await session.db.reads.fetch(SYMBOLS, source.id, wanted)
    if not symbols:
        raise Failure(
            f"{source.id} lists no contract of {', '.join(assets)}. See `perpstore pull {source.id} instruments`"
        )
    return [row["symbol"] for row in symbols]


def _document(pulled: "Pulled") -> dict[str, Any]:
    facts = asdict(pulled)
    return {**{name: facts[name] for name in ("source", "dataset", "status")}, **facts["counts"], "error": pulled.error}


def _row(pulled: "Pulled") -> tuple[object, ...]:
    counts = pulled.counts
    numbers = (counts.requests, counts.received, counts.inserted, counts.updated, counts.rejected)
    return pulled.source, pulled.dataset, pulled.status, *numbers


def _errors(done: "list[Pulled]") -> Iterator[str]:
    return (f"{pulled.source} {pulled.dataset}: {pulled.error}" for pulled in done if pulled.error)
