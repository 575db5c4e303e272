"""All rows of a window: pages by token, and a page that came back full asked again as its two halves."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.ingest.runner import Answer, Web, ask
from app.ingest.spec import Bad, Feed, Json, Source, Window
from app.records import Candle, IndexPrice, Listed, PerpHour, Record

SHORTEST = timedelta(seconds=1)
MOST_PAGES = 1000


@dataclass(slots=True)
class Line:
    """A job's line to one source, which counts the requests sent."""

    web: Web
    source: Source
    requests: int = 0

    def count(self) -> None:
        """One more request was sent."""
        self.requests += 1


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of a window, and rows that were refused."""

    records: list[Record] = field(default_factory=list[Record])
    bad: list[Bad] = field(default_factory=list[Bad])

    def __add__(self, other: "Fetched") -> "Fetched":
        return Fetched(self.records + other.records, self.bad + other.bad)


async def fetch(line: Line, feed: Feed, window: Window, *, live: bool = True) -> Fetched:
    """All that the upstream has in a window, asked before history is if it is `live`. Raises one of `errors`."""
    fetched, cursors = Fetched(), set[str]()
    while True:
        request = feed.request(window)
        symbol = window.instrument and window.symbol
        answer = await ask(line.web, line.source, request, symbol, live=live, sent=line.count)
        content, rows = _read(feed, answer, _stamped(feed, window, answer.at))
        if feed.limit is not None and len(rows) >= feed.limit and feed.next_cursor is None:
            return await _halves(line, feed, window, answer, live)
        fetched += _sorted(feed, window, rows, line.web.now())
        cursor = feed.next_cursor(content) if feed.next_cursor else None
        if cursor is None:
            return fetched
        if cursor in cursors or len(cursors) >= MOST_PAGES:
            raise answer.malformed(f"pages without end: cursor {cursor[:80]!r} came again")
        cursors.add(cursor)
        window = replace(window, cursor=cursor)


async def _halves(line: Line, feed: Feed, window: Window, full: Answer, live: bool) -> Fetched:
    span = window.end - window.start
    if span <= (feed.step or SHORTEST):
        raise full.malformed(f"more rows than a page in {span}")
    middle = window.start + span / 2
    middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
    early = await fetch(line, feed, replace(window, end=middle), live=live)
    return early + await fetch(line, feed, replace(window, start=middle), live=live)


def _stamped(feed: Feed, window: Window, at: datetime) -> Window:
    """Who tells how things stand now is taken to tell it of the time of asking."""
    return window if feed.history or feed.scope == "instrument" else replace(window, start=at, end=at)


@lru_cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _read(feed: Feed, answer: Answer, window: Window) -> tuple[Json, list[Record | Bad | None]]:
    """What an answer says and its rows. Raises Malformed where it has another shape, or no row can be read."""
    try:
        content = _adapter(feed.answer).validate_python(answer.says)
    except ValidationError as error:
        raise answer.malformed(_first_words(error)) from error
    rows = list(feed.rows(content, window))
    if rows and all(isinstance(row, Bad) and row.code == "unreadable" for row in rows):
        raise answer.malformed(f"none of {len(rows)} rows can be read: {_bads(rows)[0].reason[:200]}")
    return content, rows


def _first_words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".removeprefix(": ")


def _bads(rows: list[Record | Bad | None]) -> list[Bad]:
    return [row for row in rows if isinstance(row, Bad)]


def _sorted(feed: Feed, window: Window, rows: list[Record | Bad | None], now: datetime) -> Fetched:
    """Rows by what becomes of them. A candle that still grows is left; it comes again when it is complete."""
    found = Fetched(bad=_bads(rows))
    for record in rows:
        if record is None or isinstance(record, Bad) or _grows(feed, record, now):
            continue
        if _strays(feed, window, record):
            found.bad.append(Bad(record.symbol, "outside_window", f"{window.start} to {window.end} was asked for"))
        else:
            found.records.append(record)
    return found


def _grows(feed: Feed, record: Record, now: datetime) -> bool:
    """Whether a candle is not over; one of an index lasts a step of its feed."""
    match record:
        case Candle() | PerpHour():
            return record.closes > now
        case IndexPrice(open=float()):
            return feed.step is not None and record.time + feed.step > now
        case _:
            return False


def _strays(feed: Feed, window: Window, record: Record) -> bool:
    """Whether a row is not of the time asked for. Only an instrument's history promises to keep to that."""
    if not feed.history or feed.scope == "market" or isinstance(record, Listed):
        return False
    return not window.holds(record.time)
