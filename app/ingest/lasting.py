"""Work that is to go on for ever, whatever becomes of the database and of itself."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

from app.db import DATABASE_ERRORS, Database
from app.ingest.line import Clock
from app.ingest.waiting import back_off
from app.services.error_log import note_error

LONGEST_ANSWER = 600.0
"""Seconds. Who imports a long history may keep writers waiting for minutes; a connection that died never answers."""
LASTED = timedelta(minutes=10)
"""What ends sooner is waited for longer each time."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def patient(name: str, seconds: float = LONGEST_ANSWER) -> AsyncGenerator[None]:
    """A database that does not answer in time is told of; the next round tries again."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except DATABASE_ERRORS as error:
        logger.warning("%s: the database does not answer: %s: %s", name, type(error).__name__, error)


async def keep_going(name: str, work: Callable[[], Awaitable[None]], db: Database, clock: Clock) -> None:
    """Do the work of collecting source `name` until it is cancelled. An error is told of, and it is begun anew."""
    failures = 0
    while True:
        began = clock.now()
        try:
            await work()
        except Exception as error:
            failures = 0 if clock.now() - began >= LASTED else failures + 1
            cause = _cause(error)
            logger.exception("the collector of %s has ended, and begins anew", name)
            message = f"the collector has ended, and begins anew: {type(cause).__name__}: {cause}"
            await note_error(db, "collector", type(cause).__name__.lower(), message, name)
            await clock.sleep(back_off(failures, False))


def _cause(error: Exception) -> Exception:
    """The first of the errors that a group of tasks ended with."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error
