"""An engine, the exchanges it asks, and the time that both go by."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app import settings
from app.db import Database
from app.ingest import limits
from app.ingest.engine import Engine
from app.ingest.runner import Patience, opened
from tests.e2e.rounds import HISTORY_DAYS, Clock
from tests.replay import Replay
from tests.streaming import Live, following, perpetuals, serving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replay(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    with Replay(now=clock) as replay:
        for name, value in replay.settings().items():
            monkeypatch.setenv(name, value)
        settings.environment.cache_clear()
        yield replay
    settings.environment.cache_clear()


@pytest.fixture
async def engine(
    clean_database: Database, replay: Replay, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Engine]:
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(limits, "BAN", 0.05)
    async with opened(Patience(tries=8, first=0.01, most=0.05), now=clock) as web:
        yield Engine(clean_database, replace(web, limiters={}), HISTORY_DAYS)


@pytest.fixture(scope="module")
async def served(database: Database) -> AsyncIterator[tuple[str, FastAPI]]:
    """One server for the tests of a module, with small buffers for what it sends."""
    async with serving(database, send_buffer=8192) as found:
        yield found


@pytest.fixture
async def live(served: tuple[str, FastAPI], clean_database: Database) -> AsyncIterator[Live]:
    """The same as if it had been started anew on an emptied database with a few perpetuals."""
    url, app = served
    series = await perpetuals(clean_database)
    async with following(app, clean_database) as hub:
        yield Live(clean_database, url, app, hub, series)
