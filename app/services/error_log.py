"""The log of errors: what went wrong where, with its context, for 30 days and not more than so many rows."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.db import DATABASE_ERRORS, Database, writing
from app.logs import redact
from app.models import ErrorLog
from app.services.queries import Query

KEPT = timedelta(days=30)
KEPT_ROWS = 10_000
MAX_MESSAGE, MAX_WORD, MAX_CONTEXT = 2_000, 500, 30
ERRORS = """
select e.id, e.at as time, e.place, e.source, e.dataset, e.code, e.message, e.context
from error_log e
where ($1::text[] is null or e.place = any($1)) and ($2::text[] is null or e.source = any($2))
  and ($3::timestamptz is null or e.at >= $3)
"""

logger = logging.getLogger(__name__)


def _clean(words: str, most: int) -> str:
    return redact(words.replace("\x00", ""))[:most]


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float) or value is None else _clean(str(value), MAX_WORD)


async def note_error(
    db: Database,
    place: str,
    code: str,
    message: str,
    source: str | None = None,
    dataset: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> None:
    """Write down what went wrong, without secrets and not too much of it; the oldest rows make room.

    `place`: which part of the program (`pull`, `backfill`, `collector`, `repair`, `retention`, `request`); `code` is
    stable. Raises nothing the database raises: an error that cannot be written here is in the log of the process.
    """
    told = {name: _plain(value) for name, value in list((context or {}).items())[:MAX_CONTEXT]}
    whose = {"source": source, "dataset": dataset}
    row = {"place": place, "code": code, "message": _clean(message, MAX_MESSAGE), "context": told, **whose}
    newest = select(func.max(ErrorLog.id) - KEPT_ROWS).scalar_subquery()
    old = or_(ErrorLog.at < func.clock_timestamp() - KEPT, ErrorLog.id <= newest)
    try:
        async with writing(db) as connection:
            await connection.execute(insert(ErrorLog).values(**row))
            await connection.execute(delete(ErrorLog).where(old))
    except DATABASE_ERRORS as error:
        logger.warning("the error log cannot be written: %s", error)


def errors(places: Sequence[str] | None, sources: Sequence[str] | None, since: datetime | None) -> Query:
    """One row an error, of these places and sources (None: all), from `since` on."""
    return Query(ERRORS, (places, sources, since))
