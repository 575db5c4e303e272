"""What the jobs of a process share: the database, a way to ask, and what they know of each other."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from app.db import Database
from app.ingest.plan import Span
from app.ingest.runner import Web, opened
from app.services.budgets import Ledger

WRITERS = 2


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many days each fact is kept (0, or absent: for ever), and where what is removed is archived."""

    days: Mapping[str, int] = field(default_factory=dict[str, int])
    archive: Path | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """What the jobs of a process share. `asked` remembers what was answered, so that nothing is asked in vain again.

    `most_traded`: of a source that is in it, only that many coins are pulled, those with the most open interest.
    `pulled`: the sources that are; none: all there are.
    """

    db: Database
    web: Web
    history_days: float = 30
    most_traded: Mapping[str, int] = field(default_factory=dict[str, int])
    keeping: Keeping = field(default_factory=Keeping)
    pulled: Collection[str] = ()
    writers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITERS))
    listing: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    listed: dict[str, datetime] = field(default_factory=dict[str, datetime])
    asked: dict[tuple[str, str], dict[str, Span]] = field(default_factory=dict[tuple[str, str], dict[str, Span]])

    def history_of(self, fact: str) -> float:
        """How many days back a fact is filled on schedule: no further than it is kept."""
        return min(self.history_days, self.keeping.days.get(fact) or self.history_days)


@asynccontextmanager
async def started(
    db: Database,
    history_days: float = 30,
    most_traded: Mapping[str, int] | None = None,
    keeping: Keeping | None = None,
    pulled: Collection[str] = (),
) -> AsyncGenerator[Engine]:
    """An engine with an HTTP client of its own, closed at the end, and budgets shared with whoever is on `db`."""
    async with opened(ledger=Ledger(db)) as web:
        yield Engine(db, web, history_days, most_traded or {}, keeping or Keeping(), pulled)
