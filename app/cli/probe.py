"""`perpstore probe`: ask an upstream one question now, keep nothing, show what came."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import completing
from app.cli.console import Failure, emit, note, say, span, stamp, table
from app.cli.options import Json
from app.cli.running import run
from app.cli.sources import source as source_named

if TYPE_CHECKING:
    from app.ingest.errors import UpstreamError
    from app.ingest.limits import Limiter
    from app.ingest.pages import Fetched, Line
    from app.ingest.spec import Feed, Source, Window
    from app.records import Instrument, Record

ROWS, SHOWN = 24, 10
HOUR, LONGEST = timedelta(hours=1), timedelta(days=1)


@dataclass(slots=True)
class Spent:
    """What asking has cost of each budget, and what the upstream itself says it has counted."""

    costs: dict[str, float] = field(default_factory=dict[str, float])
    counted: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Probed:
    """What came, and what it took."""

    fetched: "Fetched"
    requests: int
    spent: Spent
    seconds: float


def probe(
    source: Annotated[str, typer.Argument(help="One of `perpstore sources`.", autocompletion=completing.sources)],
    dataset: Annotated[str, typer.Argument(help="One of its datasets.", autocompletion=completing.datasets)],
    symbol: Annotated[str | None, typer.Argument(help="Native symbol, where one contract is asked for.")] = None,
    json: Json = False,
) -> None:
    """Ask an upstream once and store nothing.

    Shows what comes, how old it is and what it costs. The exit code is 1 when the upstream cannot be reached or read.

    \b
    Examples:
      perpstore probe hyperliquid open_interest
      perpstore probe binance funding BTCUSDT
      perpstore probe okx candles_1m BTC-USDT-SWAP --json
    """
    found = source_named(source)
    feeds = _feeds(found, dataset, symbol)
    probed = run(_probed(found, feeds, symbol))
    facts = _facts(found, feeds[0], symbol, probed)
    records = probed.fetched.records
    if json:
        return emit({**facts, "rows": [asdict(record) for record in records]})
    for kind in dict.fromkeys(map(type, records)):
        of_kind = [_shown(record) for record in records if type(record) is kind]
        heads = [name.upper() for name in of_kind[-1]]
        say(table(heads, (list(row.values()) for row in of_kind[-SHOWN:])))
    _summarise(feeds[0], facts)


def _shown(record: "Record") -> dict[str, object]:
    """The fields of a record; of its metric the name."""
    metric = getattr(record, "metric", None)
    return {**asdict(record), **({"metric": metric.name} if metric else {})}


def _feeds(source: "Source", dataset: str, symbol: str | None) -> "list[Feed]":
    """The feeds to ask: with a symbol that of one instrument where there is one, else those of all markets."""
    name = dataset.lower().replace("-", "_")
    if symbol and (single := source.feed(name, "instrument")):
        return [single]
    if feeds := _of_all(source, name):
        return feeds
    if source.feed(name, "batch"):
        raise Failure(f"{source.id} tells {name} of many at once. See `perpstore backfill {source.id} --dry-run`", 2)
    if source.feed(name):
        raise Failure(f"{source.id} tells {name} of one contract at a time. Add its native symbol", 2)
    known = ", ".join(dict.fromkeys(feed.dataset for feed in source.feeds))
    raise Failure(f"{source.id} has no dataset {dataset}. It has {known}", 2)


def _of_all(source: "Source", dataset: str) -> "list[Feed]":
    return [feed for feed in source.feeds if feed.dataset == dataset and feed.scope == "market"]


async def _probed(source: "Source", feeds: "Sequence[Feed]", symbol: str | None) -> Probed:
    from app.ingest.errors import UpstreamError
    from app.ingest.pages import Line
    from app.ingest.runner import Patience, opened

    spent, begun = Spent(), time.monotonic()
    async with opened(Patience(tries=1)) as web:
        line = Line(replace(web, limiters={source.id: _watched(source, spent)}), source)
        try:
            fetched = await _fetched(line, feeds, symbol)
        except UpstreamError as error:
            raise Failure(_unanswered(source, error)) from error
    return Probed(fetched, line.requests, spent, time.monotonic() - begun)


def _watched(source: "Source", spent: Spent) -> "Limiter":
    """The budgets of a source, telling what is spent of them."""
    from app.ingest.limits import Limiter

    class Watched(Limiter):
        """Keeps account."""

        async def take(self, costs: Iterable[tuple[str, float]], *, live: bool = True) -> float:
            for name, cost in costs:
                spent.costs[name] = spent.costs.get(name, 0) + cost
            return await super().take(costs, live=live)

        def answered(self, headers: Mapping[str, str], asked_at: float) -> None:
            told = ((name, headers.get(budget.used_header or "")) for name, budget in self.budgets.items())
            spent.counted.update({name: used for name, used in told if used})
            super().answered(headers, asked_at)

    return Watched(source.id, source.budgets)


async def _fetched(line: "Line", feeds: "Sequence[Feed]", symbol: str | None) -> "Fetched":
    from app.ingest.pages import fetch

    if feeds[0].scope == "instrument" and symbol:
        contract = await _instrument(line, symbol)
        return await fetch(line, feeds[0], _recent(feeds[0], contract, line.web.now()))
    fetched = await _fetched_all(line, feeds)
    if symbol is None:
        return fetched
    records = [record for record in fetched.records if record.symbol == symbol]
    if fetched.records and not records:
        raise Failure(_no_symbol(line.source, symbol, (record.symbol for record in fetched.records)))
    return replace(fetched, records=records)


async def _fetched_all(line: "Line", feeds: "Iterable[Feed]") -> "Fetched":
    """What several feeds tell of all markets, one after the other."""
    from app.ingest.pages import Fetched, fetch

    fetched = Fetched()
    for feed in feeds:
        fetched += await fetch(line, feed, _recent(feed, None, line.web.now()))
    return fetched


def _recent(feed: "Feed", instrument: "Instrument | None", now: datetime) -> "Window":
    """The newest rows: some of one instrument, those of the last hour (or as far as they go) of all."""
    from app.ingest.plan import spacing
    from app.ingest.spec import Window

    apart = spacing(feed, instrument) or HOUR
    wanted = apart * min(ROWS, (feed.limit or ROWS + 1) - 1) if instrument else min(feed.keeps or HOUR, LONGEST)
    return Window(now - min(wanted, feed.keeps or wanted), now, instrument)


async def _instrument(line: "Line", symbol: str) -> "Instrument":
    """The contract as its source lists it now: candles and settlements are read by its facts."""
    from app.records import Instrument

    listing = _of_all(line.source, "instruments")
    if not listing:
        raise Failure(f"{line.source.id} lists no instruments, so {symbol} cannot be looked up")
    listed: list[str] = []
    for feed in listing:
        for record in (await _fetched_all(line, [feed])).records:
            if isinstance(record, Instrument) and record.symbol == symbol:
                return record
            listed.append(record.symbol)
    raise Failure(_no_symbol(line.source, symbol, listed))


def _no_symbol(source: "Source", symbol: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    near = get_close_matches(symbol.upper(), names, 3) or names[:3]
    return f"{source.id} has no contract {symbol}. Symbols are as it writes them: {', '.join(near)}"


def _unanswered(source: "Source", error: "UpstreamError") -> str:
    from app.ingest import errors
    from app.ingest.addresses import base_url

    where = base_url(source.id, source.base_url)
    match error:
        case errors.Throttled():
            step = "It asks to wait" + (f" {error.retry_after:.0f} s" if error.retry_after else " before the next try")
        case errors.Refused():
            step = f"Check symbol{', key' if source.key else ''} and whether it serves your region"
        case errors.Malformed():
            body = " ".join(error.body[:120].decode(errors="replace").split())
            step = f"Its answer (HTTP {error.status}) begins with: {body}"
        case _:
            step = f"Check the network, or {source.id.upper()}_BASE_URL if a proxy is to be used"
    return f"{error} (at {where}). {step}"


def _facts(source: "Source", feed: "Feed", symbol: str | None, probed: Probed) -> dict[str, Any]:
    times = sorted(time for record in probed.fetched.records if (time := _time(record)))
    return {
        "source": source.id,
        "dataset": feed.dataset,
        "scope": feed.scope,
        "symbol": symbol,
        "count": len(probed.fetched.records),
        "first_time": times[0] if times else None,
        "last_time": times[-1] if times else None,
        "age_s": (datetime.now(UTC) - times[-1]).total_seconds() if times else None,
        "rejected": [asdict(bad) for bad in probed.fetched.bad],
        "requests": probed.requests,
        "weight": probed.spent.costs,
        "counted_upstream": probed.spent.counted,
        "seconds": round(probed.seconds, 3),
    }


def _time(record: "Record") -> datetime | None:
    return getattr(record, "time", None)


def _summarise(feed: "Feed", facts: dict[str, Any]) -> None:
    weight = ", ".join(f"{cost:g} {name}" for name, cost in facts["weight"].items())
    say(f"{facts['count']} rows, {facts['requests']} requests, weight {weight}, {facts['seconds']:.2f} s")
    if facts["last_time"]:
        say(f"from {stamp(facts['first_time'])} to {stamp(facts['last_time'])}, {span(facts['age_s'])} old")
    for bad in facts["rejected"][:SHOWN]:
        note(f"rejected: {bad['symbol']} {bad['code']}: {bad['reason']}")
    if (facts["age_s"] or 0) > 2 * max(feed.every, feed.step or feed.every).total_seconds():
        note(f"The newest row is {span(facts['age_s'])} old, though new ones should come more often.")
