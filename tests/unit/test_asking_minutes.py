"""Polls: who does not answer costs nobody else anything, and no sample is of a minute that was over when it came."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.ingest.line import Clock
from app.ingest.missing import Missing
from app.ingest.polls import EPOCH, Poll, keep_asking
from app.ingest.runner import Patience, Web
from app.ingest.socket import Known
from app.ingest.sources import load
from app.ingest.telling import Telling
from app.records import Instrument, OpenInterest, Record

BINANCE = load(["binance"])["binance"]
INTEREST = next(feed for feed in BINANCE.polls if feed.dataset == "open_interest")
RATIO = next(feed for feed in BINANCE.polls if feed.dataset == "long_short")
CONTRACTS = {symbol: Instrument(symbol, symbol, "USDT") for symbol in ("A", "B", "C")}
LATE = datetime(2026, 3, 10, 23, 59, 50, tzinfo=UTC)
Answer = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


@dataclass
class Listener:
    """Keeps what it hears."""

    telling: Telling
    known: Known = field(default_factory=lambda: Known(CONTRACTS, CONTRACTS.keys()))
    missing: Missing = field(default_factory=lambda: Missing(frozenset({"long_short"})))
    heard: list[Record] = field(default_factory=list[Record])

    def take(self, records: Iterable[Record], *, finished: bool = True) -> None:
        self.heard += records


@dataclass
class Time:
    """A clock that begins shortly before midnight and goes on as the wall's; `ahead`: it is set forward."""

    ahead: timedelta = timedelta()
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return LATE + (datetime.now(UTC) - self.begun) + self.ahead


class Broken:
    """A ledger whose database has gone."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def spend(self, *_: Any) -> float:
        raise self.error

    async def pause(self, *_: Any) -> None:
        raise self.error


def interest(request: httpx.Request) -> httpx.Response:
    told = {"symbol": request.url.params["symbol"], "openInterest": "5.0", "time": 1_700_000_000_000}
    return httpx.Response(200, json=told)


async def asked(
    answer: Answer, *, rounds: float, every: float = 0.5, feed: Any = INTEREST, time: Time | None = None, **web: Any
) -> tuple[Poll, Any]:
    """A poll that was asked for so many periods of so many seconds, and who heard it."""
    time = time or Time()
    listener = Listener(Telling(None, "binance"))  # type: ignore[arg-type]
    there = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    asking = Web(there, limiters={}, patience=Patience(tries=1), now=time, **web)
    poll = Poll(listener, asking, BINANCE, replace(feed, every=timedelta(seconds=every), ready_after=timedelta()))
    task = asyncio.create_task(keep_asking(poll, Clock(time)))
    begin = (time() - EPOCH - poll.offset) % poll.feed.every
    await asyncio.wait([task], timeout=((1 + rounds) * poll.feed.every - begin).total_seconds())
    ended = task.done()
    task.cancel()
    await asyncio.wait([task])
    await there.aclose()
    if ended:
        task.result()
    return poll, listener


@pytest.mark.parametrize("error", [asyncpg.InterfaceError("closed"), ConnectionRefusedError("no"), TimeoutError()])
async def test_budgets_in_a_database_that_does_not_answer_end_nothing(error: Exception) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[])

    poll, listener = await asked(answer, rounds=1.5, every=0.2, feed=RATIO, ledger=Broken(error))
    assert (poll.health.state, poll.health.messages) == ("waiting", 0)
    assert {symbol for symbol, _, _ in listener.missing._noticed} == CONTRACTS.keys()


async def test_a_contract_that_does_not_answer_costs_the_others_no_round() -> None:
    came: list[tuple[str, datetime]] = []
    time = Time()

    async def answer(request: httpx.Request) -> httpx.Response:
        came.append((request.url.params["symbol"], time()))
        if request.url.params["symbol"] == "A":
            await asyncio.Event().wait()
        return interest(request)

    poll, listener = await asked(answer, rounds=2.7, every=0.4, time=time)
    assert {record.symbol for record in listener.heard} == {"B", "C"}
    assert poll.health.error == "binance:poll:open_interest: not answered within its period"
    begun = [at for symbol, at in came if symbol == "A"]
    assert len(begun) >= 2, "a busy machine may miss one"
    late = [((at - EPOCH - poll.offset) % poll.feed.every).total_seconds() for at in begun]
    assert max(late) < 0.3, "each round begins at its time"


async def test_a_sample_is_of_the_minute_of_its_answer_and_not_of_its_question() -> None:
    time = Time()

    async def answer(request: httpx.Request) -> httpx.Response:
        time.ahead = timedelta(seconds=10)
        return interest(request)

    _, listener = await asked(answer, rounds=0.8, every=0.3, time=time)
    midnight = LATE + timedelta(seconds=10)
    assert [type(one) for one in listener.heard[:1]] == [OpenInterest]
    assert all(one.time >= midnight for one in listener.heard), "known after the minute it was asked in"
