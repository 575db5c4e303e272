"""Trades that no socket told are asked for over REST: by their numbers, and of a time in which nobody listened."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

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
NEVER = datetime.min.replace(tzinfo=UTC)
ROOM, WAIT = 20_000, 0.2
A_TURN = 10_000
"""So many numbers of a hole are asked for before those of others."""
TOO_LONG_AGO = f"nobody collected for more than {OLDEST.days} days"


@dataclass(slots=True)
class Filling:
    """What is to be asked for of one currency. Rows that cannot be read are handed to `refuse`."""

    web: Web
    source: Source
    currency: str
    taking: Taking
    refuse: Callable[[Iterable[Bad]], None]
    repairs: Repairs = field(default_factory=Repairs)
    _archive: Archive | None = field(init=False)
    _due: datetime = field(init=False)
    _stored_until: datetime | None = None

    def __post_init__(self) -> None:
        self._archive = archive(self.web, self.source)
        self._due = self.taking.complete_until = self.web.now()

    @property
    def id(self) -> str:
        """`deribit:BTC`"""
        return f"{self.source.id}:{self.currency}"

    async def begin(self, db: Database, family: Family, heard: datetime | None, now: datetime) -> datetime | None:
        """Go on from when every trade was stored. Where nobody told: from those there are, or when anything was heard.

        Returns the time of the newest trade there is.
        """
        symbols = {family.series[symbol].id: symbol for symbol in family.contracts if symbol in family.series}
        newest = await ticks.newest_trades(db, symbols.keys(), now - OLDEST)
        missing = await ticks.missing_trades(db, symbols.keys(), now - LOOKED_BACK, now - OLDEST)
        self.taking.sequences.begin({symbols[series]: told for series, told in newest.items()})
        self.taking.sequences.miss(Hole(symbols[one[0]], *one[1:]) for one in missing)
        stored = max((time for _, time in newest.values()), default=None)
        told = await ticks.complete_until(db, self.id)
        since = min(told or (stored and stored - MARGIN - ASKED_EVERY) or heard or now, now)
        if since < now - OLDEST:
            self._too_long_ago(family, since, now - OLDEST)
        self.missed(max(now - OLDEST, since))
        self._stored_until = min(told or NEVER, now)
        return stored

    def missed(self, since: datetime) -> None:
        """Nobody listened since then."""
        self.taking.complete_until = min(self.taking.complete_until, since)
        self._due = self.web.now()

    async def remember(self, db: Database, until: datetime) -> None:
        """Every trade until then is stored: who comes after us goes on from there."""
        if self._stored_until and until > self._stored_until:
            await ticks.note_complete(db, self.id, until)
            self._stored_until = until

    async def catch_up(self) -> None:
        """Ask for all trades since it was last known that all of them had come."""
        now = self.web.now()
        if self._archive is None or now < self._due:
            return
        self._due = now + ASKED_EVERY
        try:
            while self.taking.complete_until < now:
                since = self.taking.complete_until
                until = min(since + AT_ONCE, now)
                async for page in self._archive.recent(self.currency, since - MARGIN, until):
                    await self._take(page)
                if self.taking.complete_until == since:  # else somebody missed more meanwhile
                    self.taking.complete_until = until
        except UpstreamError:
            self._due = now + TROUBLED

    async def fill(self) -> None:
        """Ask for the numbers that are missing, of each hole for the newest. What is told by nobody is given up."""
        if self._archive is None:
            return
        for hole in self.repairs.due(self.taking.sequences.holes(), self.web.now()):
            if part := self.taking.sequences.cut(hole, A_TURN):
                try:
                    await self._ask_for(self._archive, part)
                except UpstreamError:
                    for one in self.taking.sequences.missing(hole):
                        self.repairs.failed(one, self.web.now())
                    break
                left = self.taking.sequences.missing(part)
                for gone in self.repairs.answered(part, left, self.web.now()):
                    self._give_up(gone)

    async def _ask_for(self, archive: Archive, hole: Hole) -> None:
        """The newest first, until they are of before the hole: a contract may be older than that we know of it."""
        async for page in archive.missing(hole):
            await self._take(page)
            found, _ = page
            oldest = min(found, key=lambda trade: trade.seq, default=None)
            if oldest and oldest.time < hole.since - MARGIN:
                self.taking.sequences.give_up_before(hole.symbol, oldest.seq, hole.since)
                return

    async def _take(self, page: Page) -> None:
        """Take what is told as there is room for it."""
        found, bad = page
        self.refuse(bad)
        self.taking.take_trades(of_currency(found, self.currency), self.web.now())
        while self.taking.saving.buffer.waiting("option_trade") > ROOM:
            await self.web.sleep(WAIT)

    def _too_long_ago(self, family: Family, since: datetime, until: datetime) -> None:
        """Nobody collected for longer than trades are asked for."""
        for symbol, one in family.contracts.items():
            first = max(since, one.listed_at or since)
            if first < until:
                self.taking.noted.note(symbol, "trades", first, until, "outage", TOO_LONG_AGO)

    def _give_up(self, hole: Hole) -> None:
        self.taking.sequences.give_up(hole)
        detail = NOT_THERE.format(first=hole.first, last=hole.last)
        self.taking.noted.note(hole.symbol, "trades", hole.since, hole.until, "upstream_keeps_no_more", detail)
