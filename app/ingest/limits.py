"""How often an upstream may be asked: its budgets, spent by weight and shared by all jobs of a source.

Who waits is served first come first served, polls of now before history. After a 429 everybody pauses. A `Ledger`
makes one budget of those of several processes.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

from app.ingest.errors import Question, Throttled
from app.ingest.spec import Budget

LONGEST_WAIT = 120.0
LONGEST_TURN = 3600.0  # nobody waits longer for a budget of days
FIRST_PAUSE, LONGEST_PAUSE, BAN = 10.0, 300.0, 600.0
CLOCKS_DIFFER = 0.5
_tickets = count()

HISTORY_SHARE = 0.8
"""What history may use of a budget that several processes share: whoever polls in another one must not wait for it."""


class Ledger(Protocol):
    """The account that processes keep together."""

    async def spend(self, budget: str, cost: float, allowed: float, period: timedelta, aligned: bool) -> float:
        """Take a cost and return 0.0 or, where it is not to be had, the seconds until it may be."""
        ...

    async def throttled(self, source: str) -> None:
        """A source has answered that it is asked too often."""
        ...

    async def pause(self, budget: str, seconds: float, period: timedelta) -> None:
        """Nobody spends of this budget for so long."""
        ...


Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]


class _Turn:
    """A place in the queue: polls of now before history, then by arrival."""

    def __init__(self, live: bool) -> None:
        self.order = (not live, next(_tickets))
        self.first = asyncio.Event()

    def __lt__(self, other: "_Turn") -> bool:
        return self.order < other.order


def _spent(name: str, seconds: float) -> Throttled:
    source, _, budget = name.partition(":")
    words = f"its budget `{budget}` is spent for {seconds / 3600:.0f} hours more"
    return Throttled(words, Question(source), retry_after=seconds)


class _Meter:
    """What was spent of one budget in its running period, and who waits for more."""

    def __init__(
        self, name: str, budget: Budget, clock: Clock, sleep: Sleep, pause: Callable[[], float], ledger: Ledger | None
    ) -> None:
        self._name, self._budget, self._ledger = name, budget, ledger
        self._limit, self._period = budget.limit, budget.period.total_seconds()
        self._aligned = budget.clock_aligned
        if not self._aligned:
            self._period += min(CLOCKS_DIFFER, self._period / 20)  # some requests travel faster than others
        self._clock, self._sleep, self._pause = clock, sleep, pause
        self._spent: deque[tuple[float, float]] = deque()
        self._queue: list[_Turn] = []

    async def take(self, cost: float, *, live: bool) -> None:
        """Return when `cost` may be spent; it is then counted. Raises Throttled when that is too far off."""
        turn = _Turn(live)
        heappush(self._queue, turn)
        try:
            while (seconds := await self._when(turn, cost, live)) != 0.0:
                if seconds is not None and seconds > LONGEST_TURN:
                    raise _spent(self._name, seconds)
                turn.first.clear()
                await (turn.first.wait() if seconds is None else self._sleep(seconds))
            self._spent.append((self._clock(), min(cost, self._limit)))
        finally:
            self._leave(turn)

    async def _when(self, turn: _Turn, cost: float, live: bool) -> float | None:
        """Seconds until it is this one's turn, 0 if it is now, None while others are before it."""
        if self._queue[0] is not turn:
            return None
        return self._wait(cost) or await self._elsewhere(cost, live)

    async def _elsewhere(self, cost: float, live: bool) -> float:
        """Seconds until what other processes spend leaves room; 0 when it was taken."""
        if self._ledger is None:
            return 0.0
        limit = self._limit if live else max(self._limit * HISTORY_SHARE, min(cost, self._limit))
        period = timedelta(seconds=self._period)
        return await self._ledger.spend(self._name, min(cost, limit), limit, period, self._aligned)

    def _leave(self, turn: _Turn) -> None:
        if self._queue[0] is turn:
            heappop(self._queue)
        else:
            self._queue.remove(turn)
            heapify(self._queue)
        if self._queue:
            self._queue[0].first.set()

    def _wait(self, cost: float) -> float:
        """Seconds until `cost` fits, 0 if it does now."""
        paused = self._pause()
        if paused:
            return paused
        now = self._clock()
        over = self._used(now) + min(cost, self._limit) - self._limit
        if over <= 1e-9:
            return 0.0
        if self._aligned:
            return self._period - now % self._period + CLOCKS_DIFFER
        for when, spent in self._spent:
            over -= spent
            if over <= 1e-9:
                return when + self._period - now + 1e-3
        return self._period

    def _used(self, now: float) -> float:
        if self._spent and self._spent[-1][0] > now:  # the clock was set back
            self._spent = deque((min(when, now), spent) for when, spent in self._spent)
        begins = now - now % self._period if self._aligned else now - self._period
        while self._spent and self._spent[0][0] < begins:
            self._spent.popleft()
        return sum(spent for _, spent in self._spent)

    def raise_to(self, used: float, asked_at: float) -> None:
        """The upstream has counted `used` in the period in which it was asked; ours may be less, never more."""
        now = self._clock()
        missing = used - self._used(now)
        same_period = not self._aligned or asked_at // self._period == now // self._period
        if missing > 0 and same_period:
            self._spent.append((now, missing))


class Limiter:
    """All budgets of one source, and its pauses."""

    def __init__(
        self,
        source: str,
        budgets: Mapping[str, Budget],
        *,
        clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
        ledger: Ledger | None = None,
    ) -> None:
        self.source, self.budgets, self.ledger = source, dict(budgets), ledger
        self._clock, self._sleep = clock, sleep
        self._until, self._strikes = 0.0, 0
        self._meters = {
            name: _Meter(f"{source}:{name}", budget, clock, sleep, self._hold, ledger)
            for name, budget in budgets.items()
        }

    @property
    def paused(self) -> float:
        """Seconds until this source may be asked again, 0 if it may be now."""
        return max(0.0, self._until - self._clock())

    def _hold(self) -> float:
        seconds = self.paused
        if seconds > LONGEST_WAIT:
            raise Throttled(f"paused for {seconds:.0f} s more", Question(self.source), retry_after=seconds)
        return seconds

    async def take(self, costs: Iterable[tuple[str, float]], *, live: bool = True) -> float:
        """Return the time when a request of these costs may be sent: now. Raises Throttled during a long pause."""
        for name, cost in costs:
            await self._meters[name].take(cost, live=live)
        while seconds := self._hold():
            await self._sleep(seconds)
        return self._clock()

    def throttled(self, retry_after: float | None, *, banned: bool = False) -> None:
        """Pause everybody: as told, or for longer each time, or, when banned, for long."""
        growing = min(FIRST_PAUSE * 2.0**self._strikes, LONGEST_PAUSE) * random.uniform(1, 1.25)  # noqa: S311
        seconds = retry_after if retry_after is not None else BAN if banned else growing
        if not self.paused:
            self._strikes += 1
        self._until = max(self._until, self._clock() + seconds)

    async def tell_others(self) -> None:
        """It is counted that we were throttled, and other processes on the same account pause as well."""
        if self.ledger is None:
            return
        await self.ledger.throttled(self.source)
        for name, budget in self.budgets.items() if self.paused else ():
            await self.ledger.pause(f"{self.source}:{name}", self.paused, budget.period)

    def answered(self, headers: Mapping[str, str], asked_at: float) -> None:
        """Take over what the upstream says it has counted, and forget earlier pauses."""
        self._strikes = 0
        for name, budget in self.budgets.items():
            told = headers.get(budget.used_header) if budget.used_header else None
            if told is not None and told.isdecimal():
                self._meters[name].raise_to(float(told), asked_at)


limiters: dict[str, Limiter] = {}
"""The limiters of this process by source, so that everything in it spends of the same budgets."""


def limiter(
    known: dict[str, Limiter], source: str, budgets: Mapping[str, Budget], ledger: Ledger | None = None
) -> Limiter:
    """The limiter of a source, made when it is first asked for."""
    if source not in known or known[source].budgets != budgets or known[source].ledger is not ledger:
        known[source] = Limiter(source, budgets, ledger=ledger)
    return known[source]
