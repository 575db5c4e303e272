"""A job at work: what is held, what to ask, ask, keep.

pull_facts ── plan ── _work_off ── _stretch ── _asked ── pages.fetch
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.ingest import places
from app.ingest.engine import Engine
from app.ingest.errors import TRANSPORT, Absent, Malformed, Refused, Throttled, UpstreamError
from app.ingest.keep import Keeper
from app.ingest.pages import Fetched, Line, fetch
from app.ingest.plan import Span, Stretch, Wanted, page, plan, widened, windows
from app.ingest.spec import Feed, Source, Window
from app.records import Instrument, Record
from app.services import upkeep
from app.services.log import Counts

FACTS = {
    "candles_1m": "perp_1m",
    "candles_1h": "perp_1h",
    "option_chain": "option_1m",
    "volatility_index": "index_price",
    "delivery_prices": "delivery_price",
}
"""The table that a dataset is kept in, where it bears another name."""
EXPIRING = frozenset({"future", "option"})
IN_FLIGHT = 8
MOST_MISSES = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come: stretches of time done of planned, and its counts."""

    source: str
    dataset: str
    done: int
    planned: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a job: days of history outright, certain symbols; `until`: leave the rest of history by then."""

    days: float | None = None
    symbols: frozenset[str] | None = None
    until: datetime | None = None
    progress: Callable[[Progress], None] | None = None


@dataclass(slots=True)
class Job:
    """One dataset of one source being pulled.

    `list_again` brings the list of instruments up to now. `later` holds the newest rows of instruments until what lies
    before them is stored. `misses` counts questions without an answer in a row; too many, or an answer that asking is
    no use, and the job has `stopped`. `codes` are those of questions that were not answered.
    """

    engine: Engine
    source: Source
    dataset: str
    order: Order
    line: Line
    keeper: Keeper
    asked: dict[str, Span]
    list_again: Callable[[], Awaitable[None]]
    number: int = 0
    known: Mapping[str, Instrument] = field(default_factory=dict[str, Instrument])
    later: dict[str, list[Record]] = field(default_factory=dict[str, list[Record]])
    troubles: Counter[str] = field(default_factory=Counter[str])
    codes: set[str] = field(default_factory=set[str])
    answered: int = 0
    misses: int = 0
    stopped: bool = False
    hopeless: bool = False
    done: int = 0
    planned: int = 0

    @property
    def counts(self) -> Counts:
        """Its numbers so far."""
        return self.keeper.tally.counts(self.line.requests)

    @property
    def unreachable(self) -> bool:
        """Whether something was asked, and nothing at all came back."""
        return not self.answered and self.codes == {TRANSPORT}

    def feeds(self) -> list[Feed]:
        """The ways its dataset can be asked for."""
        return [feed for feed in self.source.feeds if feed.dataset == self.dataset]

    @property
    def fact(self) -> str:
        """The table its rows are kept in."""
        return FACTS.get(self.dataset, self.dataset)

    def tell(self) -> None:
        """Tell whoever wants to know how far it has come."""
        if self.order.progress:
            self.order.progress(Progress(self.source.id, self.dataset, self.done, self.planned, self.counts))


async def pull_facts(job: Job) -> None:
    """Everything that is due of a dataset: of all markets first, then instrument by instrument, history last."""
    await _know(job)
    if not job.known:
        job.troubles["no instruments are known yet"] += 1
        return
    history = job.engine.history_of(job.fact)
    wanted = Wanted(job.engine.web.now(), history, job.order.days)
    contracts = [one for one in job.known.values() if one.symbol in job.keeper.places.series and _is_wanted(job, one)]
    stretches = plan(job.feeds(), await _held(job, wanted), contracts, wanted)
    job.planned = len(stretches)
    catching_up = {one.instrument.symbol for one in stretches if one.instrument and not one.newest_first}
    job.later = {symbol: [] for symbol in catching_up}
    for live in (True, False):
        await _work_off(job, [one for one in stretches if one.live is live])
        await job.keeper.flush()
        job.tell()


async def _know(job: Job) -> None:
    """Which instruments there are, and where what is told of them goes."""
    expired = job.order.symbols is not None
    found = await places.of_contracts(job.engine.db, job.source, job.dataset, expired=expired)
    job.known, job.keeper.places = found


def _is_wanted(job: Job, contract: Instrument) -> bool:
    if job.order.symbols is None:
        return contract.active
    return contract.symbol in job.order.symbols


async def _held(job: Job, wanted: Wanted) -> dict[str, Span]:
    """What is stored of each instrument, or was asked for and answered: there may be nothing."""
    if not any(feed.history for feed in job.feeds()):
        return {}
    db, source, kinds = job.engine.db, job.source.id, job.source.kinds(job.dataset)
    single = job.source.feed(job.dataset, "instrument")
    last = await upkeep.last_times(db, source, job.fact, kinds, wanted.since)
    first = await upkeep.first_times(db, source, job.fact, kinds, wanted.since) if single else {}
    held = {symbol: Span(min(first.get(symbol, time), time), time) for symbol, time in last.items()}
    for symbol, span in job.asked.items():
        overlap = page(single, job.known.get(symbol)) if single else None
        held[symbol] = widened(held.get(symbol), span, overlap or span.last - span.first)
    return held


async def _work_off(job: Job, stretches: list[Stretch]) -> None:
    """A few at a time, in order; how often is for the budgets to say."""
    queue = iter(stretches)

    async def worker() -> None:
        for stretch in queue:
            await _stretch(job, stretch)
            job.done += 1
            job.tell()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(IN_FLIGHT, len(stretches))):
            group.create_task(worker())


async def _stretch(job: Job, stretch: Stretch) -> None:
    """Page after page until one is not answered or, of history, there is no more time."""
    for window in windows(stretch, job.known):
        late = not stretch.live and job.order.until is not None and job.engine.web.now() >= job.order.until
        found = None if job.stopped or late else await asked(job, stretch.feed, window, live=stretch.live)
        if found is None:
            return
        await _know_newcomers(job, found)
        await job.keeper.keep(_of_its_time(job, stretch, found))
        _remember(job, stretch, window)
    if stretch.instrument and not stretch.newest_first:
        await job.keeper.keep(job.later.pop(stretch.instrument.symbol, []))


async def _know_newcomers(job: Job, found: Fetched) -> None:
    """Where contracts expire others come, between two lists: those that are told of are listed before that is kept."""
    if EXPIRING.isdisjoint(job.source.kinds(job.dataset)) or all(map(job.keeper.places.know, found.records)):
        return
    await job.list_again()
    await _know(job)


def _of_its_time(job: Job, stretch: Stretch, found: Fetched) -> list[Record]:
    """Of rows about all markets those that may be stored already: not before what leads up to them."""
    if stretch.instrument:
        return found.records
    now: list[Record] = []
    for record in found.records:
        if job.order.symbols is None or record.symbol in job.order.symbols:
            job.later.get(record.symbol, now).append(record)
    return now


def _remember(job: Job, stretch: Stretch, window: Window) -> None:
    if stretch.instrument:
        old = job.asked.get(stretch.instrument.symbol, Span(window.start, window.end))
        job.asked[stretch.instrument.symbol] = Span(min(old.first, window.start), max(old.last, window.end))


async def asked(job: Job, feed: Feed, window: Window, *, live: bool = True) -> Fetched | None:
    """What the upstream has; None where there is no answer, or none that can be read, which is noted.

    That it has nothing of one thing is an answer; that it does not know a list of all things is none.
    """
    try:
        found = await fetch(job.line, feed, window, live=live)
    except Absent as error:
        if feed.scope == "market":
            _miss(job, error)
            return None
        found = Fetched()
    except Malformed as error:
        await job.keeper.put_aside(error)
        _miss(job, error)
        return None
    except UpstreamError as error:
        _miss(job, error)
        return None
    job.answered += 1
    job.misses = 0
    await job.keeper.reject(found.bad)
    return found


def _miss(job: Job, error: UpstreamError) -> None:
    job.troubles[str(error)] += 1
    job.codes.add(error.code)
    job.misses += 1
    job.hopeless |= isinstance(error, Refused) and error.everywhere
    job.stopped |= job.hopeless or isinstance(error, Throttled) or job.misses >= MOST_MISSES
