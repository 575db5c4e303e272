"""The connections of one currency: which topics each has."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.ingest.line import Clock, Line, Listener
from app.ingest.runner import key_of
from app.ingest.socket import Known
from app.ingest.spec import Socket, Source
from app.ingest.stream import keep_open
from app.ingest.ticks.family import Family
from app.ingest.topics import Tells, shared_out, topics_of

APART = 0.4
NOT_AGAIN = timedelta(seconds=30)
"""What is asked for anew is left alone for so long."""
TICKS = frozenset({"quotes", "trades", "book"})


def of_ticks(socket: Socket) -> bool:
    """Whether a socket tells ticks, not minutes."""
    return any(channel.dataset in TICKS for channel in socket.channels)


def without_ticks(source: Source) -> Source:
    """A source with the sockets alone that tell minutes."""
    return replace(source, sockets=tuple(socket for socket in source.sockets if not of_ticks(socket)))


def socket_of(source: Source, currency: str) -> Socket:
    """The socket that tells the ticks of a currency. Raises LookupError where none does."""
    found = [one for one in source.sockets if of_ticks(one) and one.id.upper() == currency]
    if not found:
        raise LookupError(f"{source.id} has no ticks of {currency}")
    return found[0]


def currencies(source: Source) -> list[str]:
    """The currencies whose ticks a source tells."""
    return [one.id.upper() for one in source.sockets if of_ticks(one)]


@dataclass(slots=True)
class Lines:
    """All of them, and who hears them. `open` are those that have topics."""

    id: str
    source: Source
    clock: Clock
    listener: Listener
    socket: Socket
    all: list[Line] = field(default_factory=list[Line])
    _tasks: dict[Line, asyncio.Task[None]] = field(default_factory=dict[Line, asyncio.Task[None]])
    _renewed: dict[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])

    @property
    def open(self) -> list[Line]:
        return [line for line in self.all if line.topics]

    def share_out(self, family: Family, group: asyncio.TaskGroup) -> None:
        """Give each connection its topics; open more where they are needed, close those nothing is left for.

        Trades are taken of the whole family.
        """
        self._forget(self.clock.now())
        known = Known({**family.contracts}, family.contracts.keys())
        topics = topics_of(self.socket, [family.contracts[symbol] for symbol in family.wanted])
        shares = shared_out(topics, [line.topics for line in self.all], self.socket.topics_a_connection)
        while len(self.all) < len(shares):
            name = f"{self.id}:{len(self.all)}"
            line = Line(name, self.source.id, self.socket, self.clock, self.listener, known, key=key_of(self.source))
            self.all.append(line)
        for number, (line, keys) in enumerate(zip(self.all, shares, strict=True)):
            line.want({key: topics[key] for key in keys}, known)
            self._open_or_close(line, number * APART, group)

    def _open_or_close(self, line: Line, after: float, group: asyncio.TaskGroup) -> None:
        async def work() -> None:
            await self.clock.sleep(after)
            await keep_open(line)

        if line.topics and line not in self._tasks:
            self._tasks[line] = group.create_task(work(), name=line.id)
        elif not line.topics and line in self._tasks:
            self._tasks.pop(line).cancel()

    def _forget(self, now: datetime) -> None:
        """What was asked for anew long ago, and may have expired since."""
        self._renewed = {told: at for told, at in self._renewed.items() if now - at < NOT_AGAIN}

    def renew(self, dataset: str, symbol: str, now: datetime, *, settled: bool = False) -> None:
        """Have a dataset of an instrument told anew, where it is listened to and that was not asked for just now.

        `settled`: only where it has been listened to for a while.
        """
        last = self._renewed.get((dataset, symbol))
        if last and now - last < NOT_AGAIN:
            return
        for line in self.all:
            keys = line.tellers.get((dataset, symbol), set[str]()) & line.since.keys()
            if keys and not (settled and now - max(line.since[key] for key in keys) < NOT_AGAIN):
                self._renewed[dataset, symbol] = now
                line.renew(keys)

    def broken(self) -> Iterator[tuple[str, str, datetime]]:
        """Datasets of instruments that nobody tells now, and since when."""
        for line in self.all:
            for key, since in line.broken.items():
                for dataset, symbol in tells(line, [key]):
                    if symbol:
                        yield dataset, symbol, since


def tells(line: Line, keys: Iterable[str]) -> Iterator[Tells]:
    """What topics of a line tell: datasets and symbols."""
    return (told for key in keys if key in line.topics for told in line.topics[key].tells)
