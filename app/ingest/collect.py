"""Minutes as they pass: of each source its sockets and polls are gathered, and written once when a minute is over.

collecting ── Collector.run ─┬─ _choose       which contracts, anew every hour ── lines ── stream.keep_open
                             ├─ keep_asking   polls
                             ├─ _assemble     what is ready, and which minutes are missing
                             ├─ _save, _note  the one into the store, the other into the ledger
                             └─ _tell         how all that fares
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.ingest.engine import Engine
from app.ingest.heard import Heard, as_body
from app.ingest.lasting import patient
from app.ingest.line import Clock, Line
from app.ingest.minutes import Assembler
from app.ingest.missing import Missing, unheard
from app.ingest.polls import Poll, keep_asking
from app.ingest.saving import Saving
from app.ingest.socket import Known
from app.ingest.spec import Message, Source
from app.ingest.stream import keep_open
from app.ingest.telling import Fares, Telling
from app.ingest.topics import shared_out, topics_of
from app.records import Instrument, Record
from app.services import collectors, gaps, log, reference
from app.services.reference import SeriesRef

CHOSEN_AT_LEAST_EVERY, FIRST_CHOICES = timedelta(hours=1), timedelta(minutes=1)
COLLECTED_SINCE = timedelta(hours=2)
TRY_AGAIN, WRITE, TELL, APART = 5.0, 1.0, 5.0, 0.4
LAST_WORDS = 5.0
SWITCHING_PROTOCOLS = 101


@dataclass(slots=True)
class Collector:
    """The minutes of one source, of the `assets` with the most open interest (0: of all).

    What waits to be stored and what is known to be missing outlive it.
    """

    engine: Engine
    source: Source
    assets: int
    saving: Saving
    missing: Missing
    clock: Clock = field(init=False)
    assembler: Assembler = field(init=False)
    telling: Telling = field(init=False)
    known: Known = field(default_factory=lambda: Known({}, ()))
    series: Mapping[str, SeriesRef] = field(default_factory=dict[str, SeriesRef])
    lines: dict[str, list[Line]] = field(default_factory=dict[str, list[Line]])
    polls: list[Poll] = field(default_factory=list[Poll])
    _chosen: bool = False
    _tasks: dict[Line, asyncio.Task[None]] = field(default_factory=dict[Line, asyncio.Task[None]])

    def __post_init__(self) -> None:
        self.clock = Clock(self.engine.web.now, self.engine.web.sleep)
        datasets = self.missing.datasets
        self.assembler = Assembler("taker_volume" in datasets, "liquidations" in datasets)
        self.telling = Telling(self.engine.db, self.source.id)
        self.polls = [Poll(self, self.engine.web, self.source, feed) for feed in self.source.polls]

    async def run(self) -> None:
        """Collect for ever. At the end what is ready is written."""
        try:
            await self._begin()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_choosing(group))
                group.create_task(self._keep_assembling())
                for work, every in ((self._save, WRITE), (self._note, WRITE), (self._tell, TELL)):
                    group.create_task(self._keep(work, every))
                for poll in self.polls:
                    group.create_task(keep_asking(poll, self.clock))
        finally:
            for poll in self.polls:
                poll.health.state = "closed"
            async with patient(self.source.id, LAST_WORDS):
                self._assemble()
                self.saving.add((), self.assembler.rest())
                await self._save()
                await self._note()
                await self._tell()

    def hear(self, line: Line, message: Message, heard: Heard) -> None:
        """A frame has come."""
        self.take(heard.records, finished=line.socket.closes)
        self.telling.reject(heard.bad)
        if heard.unread:
            self.telling.put_aside(log.Unread(line.socket.path, SWITCHING_PROTOCOLS, heard.unread, as_body(message)))

    def lost(self, line: Line, keys: Iterable[str]) -> None:
        """These topics are not listened to any more."""
        known = [key for key in keys if key in line.topics]
        told = {tells for key in known for tells in line.topics[key].tells}
        since = min((line.broken[key] for key in known), default=self.clock.now())
        self.assembler.broken((symbol for dataset, symbol in told if dataset == "candles_1m" and symbol), since)

    def found(self, line: Line, broken: Mapping[str, datetime]) -> None:
        """These are again. What happened meanwhile is missing."""
        now = self.clock.now()
        for key, since in broken.items():
            for dataset, symbol in line.topics[key].tells:
                self.missing.note_break(dataset, [symbol] if symbol else self.known.wanted, since, now)

    def gave_up(self, line: Line, key: str) -> None:
        """A topic is refused: what it tells will be missing."""
        self.telling.wrong("topic_refused", f"{line.id}: {key} is refused or not answered")

    def take(self, records: Iterable[Record], *, finished: bool = True) -> None:
        """Take records of contracts that are wanted."""
        self.assembler.take((one for one in records if one.symbol in self.known.wanted), finished=finished)

    async def _begin(self) -> None:
        """What was collected before this process is not, from when it was last heard of until now.

        Only when that is in the ledger is it forgotten when that was.
        """
        begun = False
        while not begun:
            async with patient(self.source.id):
                await self._know()
                if self.known.wanted:
                    await self._note_absence()
                    begun = True
            if not begun:
                await self.clock.sleep(TRY_AGAIN)

    async def _note_absence(self) -> None:
        db, now = self.engine.db, self.clock.now()
        since = unheard(self.source, await collectors.heard(db, self.source.id))
        self.missing.note_absence(self.known.wanted, since, now)
        await self._note()
        await collectors.begin(db, self.source.id, now)

    async def _know(self) -> list[Instrument]:
        """Which contracts there are, and which of them are wanted now, in this order."""
        db, source, now = self.engine.db, self.source.id, self.clock.now()
        instruments = await reference.instruments(db, source)
        self.series = await reference.series_of(db, source, source)
        symbols = await collectors.contracts(db, source, self.assets, now - COLLECTED_SINCE)
        wanted = {symbol: None for symbol in symbols if symbol in instruments and symbol in self.series}
        self.known = Known(instruments, wanted.keys())
        contracts = [instruments[symbol] for symbol in wanted]
        self.assembler.watch(contracts, now)
        self.missing.want(wanted, now)
        return contracts

    async def _keep_choosing(self, group: asyncio.TaskGroup) -> None:
        """Anew every hour; sooner at first, when what is traded most is not known yet."""
        pause = FIRST_CHOICES
        while True:
            async with patient(self.source.id):
                self._share_out(await self._know(), group)
            await self.clock.sleep(pause.total_seconds())
            pause = min(2 * pause, CHOSEN_AT_LEAST_EVERY)

    def _share_out(self, contracts: list[Instrument], group: asyncio.TaskGroup) -> None:
        """Give each connection its topics; open more where they are needed, close those nothing is left for."""
        for socket in self.source.sockets:
            topics = topics_of(socket, contracts)
            lines = self.lines.setdefault(socket.id, [])
            shares = shared_out(topics, [line.topics for line in lines], socket.topics_a_connection)
            for number in range(len(lines), len(shares)):
                name = f"{self.source.id}:{socket.id}:{number}"
                lines.append(Line(name, self.source.id, socket, self.clock, self, self.known))
            for number, (line, keys) in enumerate(zip(lines, shares, strict=True)):
                line.want({key: topics[key] for key in keys}, self.known)
                self._open_or_close(line, number * APART, group)
        self._chosen = True

    def _open_or_close(self, line: Line, after: float, group: asyncio.TaskGroup) -> None:
        async def work() -> None:
            await self.clock.sleep(after)
            await keep_open(line)

        if line.topics and line not in self._tasks:
            self._tasks[line] = group.create_task(work(), name=line.id)
        elif not line.topics and line in self._tasks:
            self._tasks.pop(line).cancel()

    def _covers(self, symbol: str, dataset: str, start: datetime, end: datetime) -> bool:
        return any(line.covers((dataset, symbol), start, end) for lines in self.lines.values() for line in lines)

    async def _keep(self, work: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            async with patient(self.source.id):
                await work()
            await self.clock.sleep(every)

    async def _keep_assembling(self) -> None:
        while True:
            self._assemble()
            await self.clock.sleep(WRITE)

    def _assemble(self) -> None:
        """Take what is ready, and notice what is missing of minutes that should be: however busy the database is."""
        now = self.clock.now()
        ready = self.assembler.ready(now, self._covers)
        self.saving.add(ready.minutes, ready.liquidations)
        self.telling.reject(ready.bad)
        self.missing.check(now, self.assembler.told)

    async def _save(self) -> None:
        lost = await self.saving.save(self.series)
        self.missing.note_lost(lost.stretches)
        for (code, words), rows in lost.why.items():
            self.telling.wrong(code, f"{rows} rows are given up: {words}")

    async def _note(self) -> None:
        series = self.series
        holes = self.missing.holes(series)
        await gaps.note(self.engine.db, holes)
        self.missing.entered(holes, series)

    async def _tell(self) -> None:
        """Nothing before there are lines: what is told of those before us is when they were last heard."""
        if not self._chosen:
            return
        lines = [line for lines in self.lines.values() for line in lines if line.topics]
        told = [Fares(line.id, line.socket.path, len(line.since), line.health) for line in lines]
        told += [Fares(one.id, one.feed.dataset, len(self.known.wanted), one.health) for one in self.polls]
        await self.telling.tell(told, self.clock.now())
