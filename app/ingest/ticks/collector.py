"""Ticks as they come: of one currency of a source its quotes, trades and order books.

Collector.run ─┬─ _keep_choosing  which instruments, anew every hour ── lines ── stream.keep_open
               ├─ take            quotes and trades → Saving; books are kept, and seen from time to time
               ├─ _mend, _fill    broken books and missing trades are asked for again
               ├─ _note           what nobody has any more, into the ledger
               └─ _tell           how all that fares
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.ingest.engine import Engine
from app.ingest.heard import Heard, as_body
from app.ingest.lasting import patient
from app.ingest.line import Clock, Line
from app.ingest.spec import Message, Source
from app.ingest.telling import Fares, Telling
from app.ingest.ticks.choosing import EVERY, next_choice
from app.ingest.ticks.family import Family, chosen, family_of, listing_age, with_expired
from app.ingest.ticks.filling import Filling
from app.ingest.ticks.lines import Lines, socket_of, tells
from app.ingest.ticks.noting import Noted
from app.ingest.ticks.saving import Saving
from app.ingest.ticks.taking import Taking
from app.services import collectors, gaps, log

SAVE, NOTE, LOOK, TELL, NOTE_ON = 0.5, 1.0, 1.0, 5.0, 60.0
DEPTHS_EVERY = timedelta(minutes=5)
TRY_AGAIN, LISTED_AGAIN = 5.0, timedelta(minutes=2)
FIRST_CHOICES = timedelta(minutes=1)
LONGEST_QUESTIONS = 3600.0
LAST_WORDS = 2.5
SWITCHING_PROTOCOLS = 101
BEHIND = "back_pressure", "the database does not keep up: of what waits for it the least valuable is dropped"
SLOW = "upstream_slow", "an hour was not enough to ask for missing trades: what is left is asked for in the next turn"
REFUSED = "ticks_refused", "the database refuses ticks: the log says which"


@dataclass(slots=True)
class Collector:
    """The ticks of one currency. What waits to be stored and what is known to be missing outlive it."""

    engine: Engine
    source: Source
    currency: str
    saving: Saving
    noted: Noted
    clock: Clock = field(init=False)
    telling: Telling = field(init=False)
    taking: Taking = field(init=False)
    filling: Filling = field(init=False)
    lines: Lines = field(init=False)
    family: Family = field(default_factory=Family)

    def __post_init__(self) -> None:
        web = self.engine.web
        self.clock = Clock(web.now, web.sleep)
        self.telling = Telling(self.engine.db, self.source.id, self.id)
        self.taking = Taking(self.saving, self.noted)
        self.filling = Filling(web, self.source, self.currency, self.taking, self.telling.reject)
        self.lines = Lines(self.id, self.source, self.clock, self, socket_of(self.source, self.currency))

    @property
    def id(self) -> str:
        """`deribit:BTC`"""
        return f"{self.source.id}:{self.currency}"

    async def run(self) -> None:
        """Collect for ever. At the end what has come is written."""
        try:
            await self._begin()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_choosing(group))
                group.create_task(self._keep_seeing())
                for work, every in (
                    (self._save_trades, SAVE),
                    (self._save_quotes, SAVE),
                    (self._note, NOTE),
                    (self._note_on, NOTE_ON),
                    (self._tell, TELL),
                    (self._mend, LOOK),
                ):
                    group.create_task(self._keep(work, every))
                for ask in (self.filling.fill, self.filling.catch_up):
                    group.create_task(self._keep_asking(ask))
        finally:
            async with patient(self.id, LAST_WORDS):
                await self._save_trades()
                await self._save_quotes()
                await self._note()
                await self._tell()

    def hear(self, line: Line, message: Message, heard: Heard) -> None:
        """A frame has come. A book that breaks is asked for anew."""
        now = self.clock.now()
        for symbol in self.taking.take(heard.records, now):
            self.lines.renew("book", symbol, now)
        self.telling.reject(heard.bad)
        if heard.unread:
            self.telling.put_aside(log.Unread(line.socket.path, SWITCHING_PROTOCOLS, heard.unread, as_body(message)))

    def lost(self, line: Line, keys: Iterable[str]) -> None:
        """These topics are not listened to any more."""
        self.taking.books.lose(symbol for dataset, symbol in tells(line, keys) if dataset == "book" and symbol)

    def found(self, line: Line, broken: Mapping[str, datetime]) -> None:
        """These are again: the trades of meanwhile are to be had, the quotes are not."""
        now = self.clock.now()
        for key, since in broken.items():
            for dataset, symbol in tells(line, [key]):
                if dataset == "trades":
                    self.filling.missed(since)
                elif dataset == "quotes" and symbol:
                    self.noted.quotes([symbol], since, now)

    def gave_up(self, line: Line, key: str) -> None:
        """A topic is refused: what it tells will be missing."""
        self.telling.wrong("topic_refused", f"{line.id}: {key} is refused or not answered")

    async def _begin(self) -> None:
        """Go on from what is stored: what nobody heard since then is asked for, or in the ledger.

        Only when that is done is it forgotten when anything was last heard.
        """
        begun = False
        while not begun:
            async with patient(self.id):
                await self._know()
                if not self.family.contracts:
                    await self._know(LISTED_AGAIN)
                if self.family.contracts:
                    await self._go_on()
                    begun = True
            if not begun:
                await self.clock.sleep(TRY_AGAIN)

    async def _go_on(self) -> None:
        db, now = self.engine.db, self.clock.now()
        heard = max((await collectors.heard(db, self.id)).values(), default=None)
        self.family = await chosen(self.engine, self.source, self.currency, self.family, now)
        stored = await self.filling.begin(db, self.family, heard, now)
        if last := heard or stored:  # who was killed may not have told yet that it heard anything
            self.taking.books.miss(self.family.wanted, last)
            self.noted.quotes(self.family.wanted, last, now)
            self.taking.note_unknown(now)
        await self._note()
        await self.filling.remember(db, self.taking.complete_until)
        await collectors.begin(db, self.id, now)

    async def _know(self, not_older: timedelta | None = None) -> None:
        """Which contracts there are; asked for anew where that was done longer ago than `not_older`."""
        self.family = await family_of(self.engine, self.source, self.currency, self.family, not_older)
        now, traded = self.clock.now(), [trade.symbol for trade, _ in self.taking.strangers]
        self.family = await with_expired(self.engine, self.source, self.currency, self.family, traded, now)
        self.telling.reject(self.taking.know(self.family.series, now))

    async def _keep_choosing(self, group: asyncio.TaskGroup) -> None:
        """Anew every hour and after options expire, sooner at first; the list alone where a stranger is traded."""
        self._listen(group, self.clock.now())
        pause, due = FIRST_CHOICES, self.clock.now() + FIRST_CHOICES
        while True:
            now = self.clock.now()
            async with patient(self.id):
                if now >= due:
                    await self._choose(group, now)
                    pause = min(2 * pause, EVERY)
                    due = min(now + pause, next_choice(now))
                elif self.taking.strangers:
                    await self._know(LISTED_AGAIN)
                    self.lines.share_out(self.family, group)
            await self.clock.sleep(TRY_AGAIN)

    async def _choose(self, group: asyncio.TaskGroup, now: datetime) -> None:
        await self._know(listing_age(now))
        self.family = await chosen(self.engine, self.source, self.currency, self.family, now)
        self.taking.note_unknown(now)
        self.taking.books.keep(self.family.wanted)
        self._listen(group, now)

    def _listen(self, group: asyncio.TaskGroup, now: datetime) -> None:
        """To what is chosen, whose books ought to be told soon."""
        self.taking.books.expect(self.family.wanted, now)
        self.lines.share_out(self.family, group)

    async def _keep(self, work: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            async with patient(self.id):
                await work()
            await self.clock.sleep(every)

    async def _keep_asking(self, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                async with asyncio.timeout(LONGEST_QUESTIONS):
                    await ask()
            except TimeoutError:
                self.telling.wrong(*SLOW)
            await self.clock.sleep(LOOK)

    async def _keep_seeing(self) -> None:
        """How books stand, every five minutes of the clock, so that all are of one moment."""
        while True:
            now = self.clock.now()
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            await self.clock.sleep((DEPTHS_EVERY - (now - midnight) % DEPTHS_EVERY).total_seconds())
            self.taking.see_depths(self.clock.now())

    async def _save_quotes(self) -> None:
        await self.saving.save("option_tick")

    async def _save_trades(self) -> None:
        """What is lost meanwhile is not stored, and not known to be complete."""
        until = self.taking.stored_until()
        await self.saving.save("option_trade")
        await self.filling.remember(self.engine.db, min(until, self.taking.stored_until()))
        await self.saving.save("depth")

    async def _mend(self) -> None:
        """Books that are broken still are asked for once more, and so are trades that were dropped."""
        now = self.clock.now()
        self.taking.miss_lost()
        for one in self.taking.books.unknown(now):
            self.lines.renew("book", one.symbol, now, settled=True)

    async def _note_on(self) -> None:
        """What goes on to be missing is in the ledger as far as it has gone."""
        now = self.clock.now()
        self.taking.note_unknown(now)
        for dataset, symbol, since in self.lines.broken():
            if dataset == "quotes":
                self.noted.quotes([symbol], since, now)

    async def _note(self) -> None:
        holes = self.noted.holes(self.family.series)
        await gaps.note(self.engine.db, holes.values())
        self.noted.entered(holes)

    async def _tell(self) -> None:
        """Nothing before there are lines: what is told of those before us is when they were last heard."""
        lines = self.lines.open
        if not lines:
            return
        dropped, refused = self.saving.given_up()
        lines[0].health.dropped += dropped + refused
        if dropped:
            self.telling.wrong(*BEHIND)
        if refused:
            self.telling.wrong(*REFUSED)
        told = [Fares(line.id, line.socket.path, len(line.since), line.health) for line in lines]
        await self.telling.tell(told, self.clock.now())
