"""`perpstore setup`: everything in its place, and what is left to do."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from app.cli.console import Failure, emit, note, say, size
from app.cli.facts import where
from app.cli.options import Json
from app.cli.sources import described

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.settings import Settings

OPEN_ENDED = ("PERPSTORE_RETENTION_DAYS", "PERPSTORE_WS_", "PERPSTORE_DERIBIT_", "PERPSTORE_STREAMS", "PERPSTORE_BIND")


def setup(json: Json = False) -> None:
    """Make the database ready and say what is missing. Doing it again changes nothing.

    Starts the embedded PostgreSQL (or uses DATABASE_URL), brings its schema up to date, adds the entities and
    exchanges that come with the package, checks the settings and names the keys that sources ask for.

    \b
    Examples:
      perpstore setup
      DATABASE_URL=postgresql://me@db/perpstore perpstore setup
    """
    from app.cli.session import on_database

    found = on_database(_found, seed=True)
    if json:
        return emit(found)
    say("\n".join(_lines(found)))
    for warning in found["warnings"]:
        note(f"warning: {warning}")


async def _found(session: "Session") -> dict[str, Any]:
    from app.cli import facts
    from app.settings import environment

    sources = described(session.settings)
    _check_sources(session.settings, [source["source"] for source in sources])
    pulled = [source for source in sources if source["pulled"]]
    missing = [source["key_setting"] for source in pulled if source["key_needed"] and not source["key_present"]]
    counts = await facts.counts(session.db)
    return {
        "database": await facts.database(session),
        "counts": counts,
        "sources": [source["source"] for source in pulled],
        "missing_keys": missing,
        "warnings": list(_unknown_settings(type(session.settings), environment())),
        "next": list(_next_steps(counts, missing)),
    }


def _check_sources(settings: "Settings", known: list[str]) -> None:
    if strange := [name for name in settings.sources if name not in known]:
        raise Failure(f"PERPSTORE_SOURCES={','.join(strange)}: no such source. Choose from {', '.join(known)}")


def _unknown_settings(kind: "type[Settings]", environment: Mapping[str, str]) -> Iterator[str]:
    """Variables that look like settings and are none: most likely misspelt."""
    known = {f"PERPSTORE_{name.upper()}" for name in kind.model_fields}
    for name in sorted(environment):
        if name.startswith("PERPSTORE_") and name not in known and not name.startswith(OPEN_ENDED):
            near = get_close_matches(name, known, 1)
            yield f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "; see .env.example")


def _next_steps(counts: Mapping[str, int], missing: list[str]) -> Iterator[str]:
    for name in missing:
        yield f"set {name} in the environment or .env, or leave its source out"
    if not counts["keys"]:
        yield "perpstore keys create --scope write,admin --name me"
    yield "perpstore serve"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    database, counts = found["database"], found["counts"]
    yield f"PostgreSQL    {database['version']}, {where(database)}"
    yield f"TimescaleDB   {database['timescaledb'] or 'not there: plain partitions do the same'}"
    yield f"schema        {database['schema']}, {size(database['bytes'])}"
    yield f"known         {counts['entities']:,} entities, {counts['exchanges']:,} exchanges"
    yield f"sources       {', '.join(found['sources']) or 'none'}"
    yield f"keys missing  {', '.join(found['missing_keys']) or 'none'}"
    yield from (f"{'next' if not at else '':<14}{step}" for at, step in enumerate(found["next"]))
