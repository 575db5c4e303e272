"""Budgets are kept to, shared fairly, and corrected by what the upstream says."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest

from app.ingest.errors import Throttled
from app.ingest.limits import BAN, CLOCKS_DIFFER, FIRST_PAUSE, Limiter, limiter
from app.ingest.spec import Budget

MINUTE = timedelta(minutes=1)


class Time:
    """A clock that moves only when everybody waits, and then to the next who wakes."""

    def __init__(self, now: float = 600_000.0) -> None:
        self.now, self.slept = now, 0
        self._asleep: list[tuple[float, int, asyncio.Event]] = []
        self._number = count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self.slept += 1
        heappush(self._asleep, (self.now + seconds, next(self._number), event))
        await event.wait()

    async def run(self, *work: Coroutine[Any, Any, Any]) -> list[Any]:
        """Do all this, as fast as it goes."""
        tasks = [asyncio.create_task(one) for one in work]
        while not all(task.done() for task in tasks):
            for _ in range(50):
                await asyncio.sleep(0)
            if self._asleep and not all(task.done() for task in tasks):
                self.now, _, event = heappop(self._asleep)
                event.set()
        return [task.result() for task in tasks]


@pytest.fixture
def time() -> Time:
    return Time()


def limited(time: Time, **budgets: Budget) -> Limiter:
    return Limiter("here", budgets, clock=time, sleep=time.sleep)


async def take(limits: Limiter, time: Time, *costs: tuple[str, float], live: bool = True) -> float:
    await limits.take(costs, live=live)
    return time.now - 600_000


async def test_sliding_window(time: Time) -> None:
    limits = limited(time, calls=Budget(2, timedelta(seconds=10)))
    times = await time.run(*(take(limits, time, ("calls", 1)) for _ in range(5)))
    assert times == pytest.approx([0, 0, 10.5, 10.5, 21], abs=0.01)


async def test_never_more_than_the_limit_in_any_period(time: Time) -> None:
    limits = limited(time, weight=Budget(100, MINUTE))
    costs = [(7 * number) % 40 + 1 for number in range(60)]
    times = await time.run(*(take(limits, time, ("weight", cost)) for cost in costs))
    for begin in times:
        spent = sum(c for t, c in zip(times, costs, strict=True) if begin <= t < begin + 60)
        assert spent <= 100
    assert times == sorted(times)


async def test_clock_aligned_window_begins_with_the_clock(time: Time) -> None:
    time.now = 600_050.0
    limits = limited(time, weight=Budget(10, MINUTE, clock_aligned=True))
    times = await time.run(*(take(limits, time, ("weight", 5)) for _ in range(4)))
    assert times == pytest.approx([50, 50, 60 + CLOCKS_DIFFER, 60 + CLOCKS_DIFFER])


async def test_one_request_dearer_than_the_budget_waits_for_all_of_it(time: Time) -> None:
    limits = limited(time, weight=Budget(10, MINUTE))
    times = await time.run(take(limits, time, ("weight", 1)), take(limits, time, ("weight", 50)))
    assert times == pytest.approx([0, 60.5], abs=0.01)


async def test_first_come_first_served_but_polls_of_now_before_history(time: Time) -> None:
    limits = limited(time, calls=Budget(1, timedelta(seconds=1)))
    order: list[str] = []

    async def ask(name: str, live: bool) -> None:
        await limits.take([("calls", 1)], live=live)
        order.append(name)

    names = ["first", "old 1", "now 1", "old 2", "now 2"]
    await time.run(*(ask(name, not name.startswith("old")) for name in names))
    assert order == ["first", "now 1", "now 2", "old 1", "old 2"]


async def test_a_dear_request_is_not_starved_by_cheap_ones(time: Time) -> None:
    limits = limited(time, weight=Budget(10, MINUTE))
    times = await time.run(*(take(limits, time, ("weight", cost)) for cost in (6, 10, 1, 1)))
    assert times == sorted(times)


async def test_waiting_does_not_keep_busy(time: Time) -> None:
    limits = limited(time, calls=Budget(1, MINUTE))
    await time.run(*(take(limits, time, ("calls", 1)) for _ in range(20)))
    assert time.slept <= 20


async def test_who_gives_up_leaves_the_queue(time: Time) -> None:
    limits = limited(time, calls=Budget(1, MINUTE))
    await limits.take([("calls", 1)])
    waiting = [asyncio.create_task(limits.take([("calls", 1)])) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await time.run(take(limits, time, ("calls", 1), live=False)) == pytest.approx([121], abs=0.1)
    assert waiting[0].cancelled()
    assert waiting[1].done()


async def test_budgets_do_not_wait_for_each_other(time: Time) -> None:
    limits = limited(time, slow=Budget(1, MINUTE), quick=Budget(9, MINUTE))
    costs = (("slow", 1), ("slow", 1), ("quick", 1))
    times = await time.run(*(take(limits, time, cost) for cost in costs))
    assert times == pytest.approx([0, 60.5, 0], abs=0.01)


async def test_what_the_upstream_counted_is_taken_over_but_never_less(time: Time) -> None:
    budget = Budget(100, MINUTE, used_header="X-Used", clock_aligned=True)
    limits = limited(time, weight=budget)
    await limits.take([("weight", 10)])
    limits.answered({"X-Used": "95"}, time.now)
    limits.answered({"X-Used": "3"}, time.now)
    limits.answered({"X-Used": "rubbish"}, time.now)
    times = await time.run(take(limits, time, ("weight", 5)), take(limits, time, ("weight", 5)))
    assert times == pytest.approx([0, 60 + CLOCKS_DIFFER])


async def test_the_count_of_an_earlier_minute_is_not_this_ones(time: Time) -> None:
    limits = limited(time, weight=Budget(100, MINUTE, used_header="X-Used", clock_aligned=True))
    asked_at = time.now
    time.now += 60
    limits.answered({"X-Used": "100"}, asked_at)
    assert await time.run(take(limits, time, ("weight", 5))) == [60]


async def test_everybody_pauses_as_told(time: Time) -> None:
    limits = limited(time, a=Budget(9, MINUTE), b=Budget(9, MINUTE))
    limits.throttled(30)
    limits.throttled(5)
    times = await time.run(take(limits, time, ("a", 1)), take(limits, time, ("b", 1)), take(limits, time))
    assert times == pytest.approx([30, 30, 30])


async def test_a_pause_nobody_told_grows_until_an_answer(time: Time) -> None:
    limits = limited(time, a=Budget(9, MINUTE))
    for least in (FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE):
        limits.throttled(None)
        assert least <= limits.paused <= 1.25 * least
        time.now += limits.paused
    limits.answered({}, time.now)
    limits.throttled(None)
    assert limits.paused <= 1.25 * FIRST_PAUSE


async def test_many_refusals_of_one_burst_count_once(time: Time) -> None:
    limits = limited(time, a=Budget(9, MINUTE))
    for _ in range(8):
        limits.throttled(None)
    assert limits.paused <= 1.25 * FIRST_PAUSE * 2


async def test_a_ban_is_not_waited_for(time: Time) -> None:
    limits = limited(time, a=Budget(9, MINUTE))
    limits.throttled(None, banned=True)
    assert limits.paused == BAN
    with pytest.raises(Throttled) as caught:
        await limits.take([("a", 1)])
    assert caught.value.retry_after == BAN
    time.now += BAN
    assert await limits.take([("a", 1)]) == time.now


async def test_a_clock_set_back_does_not_stop_everything(time: Time) -> None:
    limits = limited(time, a=Budget(1, MINUTE))
    await limits.take([("a", 1)])
    time.now -= 7200
    assert await time.run(take(limits, time, ("a", 1))) == pytest.approx([-7200 + 60.5], abs=0.1)


def test_one_limiter_a_source() -> None:
    known: dict[str, Limiter] = {}
    budgets = {"a": Budget(1, MINUTE)}
    assert limiter(known, "x", budgets) is limiter(known, "x", dict(budgets))
    assert limiter(known, "x", budgets) is not limiter(known, "y", budgets)
