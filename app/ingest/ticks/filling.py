"""Trades that no socket told are asked for over REST: by their numbers, and of a time in which nobody listened."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.db import Database
from app.ingest.errors import UpstreamError
from app.ingest.runner import Web
from app.ingest.spec import Bad, Source
from app.ingest.ticks.asking import Archive, Page, archive, of_currency
from app.ingest.ticks.family import Family
from app.ingest.ticks.noting import NOT_THERE
from app.ingest.ticks.repairs import TROUBLED, Repairs
from app.ingest.ticks.sequences import Hole
from app.ingest.ticks.taking import Taking
from app.services import ticks

ASKED_EVERY = timedelta(minutes=5)
"""So often it is looked whether every trade was told: who sees only numbers does not miss the last ones."""
MARGIN = timedelta(minutes=1)
"""Trades may be told so late, and stored so late."""
AT_ONCE = timedelta(hours=1)
LOOKED_BACK, OLDEST = timedelta(days=1), timedelta(days=7)
ROOM, WAIT = 20_000, 0.2


@dataclass(slots=True)
class Filling:
    """What is to be asked for of one currency."""

    web: Web
    source: Source
    currency: str
    taking: Taking
    repairs: Repairs = field(default_factory=Repairs)
    _archive: Archive | None = field(init=False)
    _heard_until: datetime = field(init=False)
    _due: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._archive = archive(self.web, self.source)
        self._heard_until = self._due = self.web.now()

    async def begin(self, db: Database, family: Family, heard: datetime | None, now: datetime) -> datetime | None:
        """Go on from the trades that are stored, or else from when anything was heard.

        Returns the time of the newest trade there is.
        """
        symbols = {family.series[symbol].id: symbol for symbol in family.contracts if symbol in family.series}
        newest = await ticks.newest_trades(db, symbols.keys())
        missing = await ticks.missing_trades(db, symbols.keys(), now - LOOKED_BACK)
        self.taking.sequences.begin({symbols[series]: told for series, told in newest.items()})
        self.taking.sequences.miss(Hole(symbols[one[0]], *one[1:]) for one in missing)
        stored = max((time for _, time in newest.values()), default=None)
        self.missed(max(now - OLDEST, min(stored or heard or now, now)))
        return stored

    def missed(self, since: datetime) -> None:
        """Nobody listened since then."""
        self._heard_until = min(self._heard_until, since)
        self._due = self.web.now()

    async def catch_up(self) -> list[Bad]:
        """Ask for all trades since it was last known that all of them had come; rows that cannot be read."""
        refused: list[Bad] = []
        now = self.web.now()
        if self._archive is None or now < self._due:
            return refused
        self._due = now + ASKED_EVERY
        try:
            while self._heard_until < now:
                since = self._heard_until
                until = min(since + AT_ONCE, now)
                refused += await self._take(self._archive.recent(self.currency, since - MARGIN, until))
                if self._heard_until == since:  # else somebody missed more meanwhile
                    self._heard_until = until
        except UpstreamError:
            self._due = now + TROUBLED
        return refused

    async def fill(self) -> list[Bad]:
        """Ask for the numbers that are missing; rows that cannot be read. What is told by nobody is given up."""
        refused: list[Bad] = []
        if self._archive is None:
            return refused
        for hole in self.repairs.due(self.taking.sequences.holes(), self.web.now()):
            try:
                refused += await self._take(self._archive.missing(hole))
            except UpstreamError:
                self.repairs.failed(hole, self.web.now())
                break
            left = self.taking.sequences.missing(hole)
            for gone in self.repairs.answered(hole, left, self.web.now()):
                self._give_up(gone)
        return refused

    async def _take(self, pages: AsyncIterator[Page]) -> list[Bad]:
        """Take what is told page by page, as there is room for it."""
        refused: list[Bad] = []
        async for found, bad in pages:
            self.taking.take_trades(of_currency(found, self.currency), self.web.now())
            refused += bad
            while self.taking.saving.buffer.waiting("option_trade") > ROOM:
                await self.web.sleep(WAIT)
        return refused

    def _give_up(self, hole: Hole) -> None:
        self.taking.sequences.give_up(hole)
        detail = NOT_THERE.format(first=hole.first, last=hole.last)
        self.taking.noted.note(hole.symbol, "trades", hole.since, hole.until, "upstream_keeps_no_more", detail)
