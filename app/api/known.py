"""Names of ours that have to exist: a mistyped exchange is an error, not an empty answer."""

from collections.abc import Sequence

from app.api.errors import BadRequest, Wrong
from app.api.words import nearest
from app.db import Database

EXCHANGES = "select slug from exchange"
SOURCES = """
select slug from source union select source from entity_source_id union select source from source_asset
union select slug from exchange union select source from metric
"""
METRICS = "select canonical as slug from metric union select name from metric"


async def known_exchanges(db: Database, words: Sequence[str] | None, parameter: str = "exchanges") -> None:
    """Refuse exchanges nobody has heard of, naming the nearest."""
    await _known(db, EXCHANGES, words, parameter, "exchange")


async def known_source(db: Database, word: str | None, parameter: str = "source", others: Sequence[str] = ()) -> None:
    """Refuse a source nobody has heard of, naming the nearest. `others` are known beside those that are stored."""
    await _known(db, SOURCES, [word] if word else None, parameter, "source", others)


async def known_sources(db: Database, words: Sequence[str] | None, parameter: str) -> None:
    """Refuse sources nobody has heard of, naming the nearest."""
    await _known(db, SOURCES, words, parameter, "source")


async def known_metrics(db: Database, words: Sequence[str] | None) -> None:
    """Refuse metrics that are in nobody's catalogue under any name, naming the nearest."""
    await _known(db, METRICS, words, "metric", "metric")


async def _known(
    db: Database, statement: str, words: Sequence[str] | None, parameter: str, what: str, others: Sequence[str] = ()
) -> None:
    known = [*others, *(row["slug"] for row in await db.reads.fetch(statement))] if words else []
    spelled = {name.lower() for name in known}
    wrong = [word for word in words or () if word.lower() not in spelled]
    if wrong:
        close = [name for word in wrong for name in nearest(word, known, 1)]
        errors = [Wrong(parameter, word, f"no such {what}") for word in wrong]
        raise BadRequest(f"No {what} {', '.join(wrong)}", code=f"unknown_{what}", errors=errors, candidates=close)
