"""Time as callers write it, and the window they ask about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BeforeValidator, WithJsonSchema

from app.api.errors import BadRequest, Wrong, bad_value
from app.api.paging import Common, CommonDep

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECONDS_BELOW = 100_000_000_000
"""Epoch numbers below this are seconds, others milliseconds: 1973 in milliseconds, the year 5138 in seconds."""

_EPOCH = re.compile(r"-?\d{1,15}", re.ASCII)
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?)(?:(Z)|([+ -])(\d\d):?(\d\d))?)?", re.ASCII
)


def parse_time(value: object) -> datetime:
    """RFC 3339, a plain date (UTC midnight), or epoch seconds or milliseconds; UTC where no offset is given.

    A space where an offset has its sign is the `+` a URL turned into one. Raises ValueError.
    """
    if isinstance(value, datetime):
        return value
    text = str(value).strip().upper()
    if _EPOCH.fullmatch(text):
        return _inside(_from_epoch(int(text)))
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError("a time expected: RFC 3339, a date, or integer epoch seconds or milliseconds")
    return _inside(_from_parts(found))


def _from_epoch(number: int) -> datetime:
    ms = number * 1000 if abs(number) < SECONDS_BELOW else number
    try:
        return EARLIEST + timedelta(milliseconds=ms)
    except OverflowError as error:
        raise ValueError("a time from 1970 to 2100 expected") from error


def _from_parts(found: re.Match[str]) -> datetime:
    date, clock, _, sign, hours, minutes = found.groups()
    offset = f"{'-' if sign == '-' else '+'}{hours}:{minutes}" if sign else "+00:00"
    try:
        return datetime.fromisoformat(f"{date}T{clock or '00:00'}{offset}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {error}") from error


def _inside(time: datetime) -> datetime:
    if not EARLIEST <= time < LATEST:
        raise ValueError("a time from 1970 to 2100 expected")
    return time


def stamp(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, as the database writes it: a fraction only where there is one."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def milliseconds(time: datetime | None) -> int | None:
    """Epoch milliseconds."""
    return None if time is None else (time - EARLIEST) // timedelta(milliseconds=1)


TIME_SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 0, "maximum": 4_133_980_799_999},
    ]
}
Time = Annotated[datetime, BeforeValidator(parse_time), WithJsonSchema(dict(TIME_SCHEMA))]
"""A time in a query or a body."""

Start = Annotated[Time | None, Query(description="First instant, inclusive. Default: 24 hours before the end.")]
End = Annotated[Time | None, Query(description="End of the window, exclusive. Default: now.")]
At = Annotated[Time | None, Query(description="One instant instead of a window; no later fact is used.")]
KnownAt = Annotated[Time | None, Query(description="Use only what was stored by then, as it stood then.")]


@dataclass(frozen=True, slots=True)
class Window:
    """What a question is about: `[start, end)`, or with `at` that instant alone (then `start` and `end` are it too).

    `pinned`: nobody asked for `known_at`, it is when the first page was made.
    """

    start: datetime
    end: datetime
    at: datetime | None = None
    known_at: datetime | None = None
    notices: tuple[str, ...] = ()
    now: datetime = EARLIEST
    pinned: bool = False

    def noting(self, *notices: str) -> "Window":
        """The same with more to tell."""
        return replace(self, notices=(*self.notices, *notices))


def utc_now() -> datetime:
    """The time a request is answered at."""
    return datetime.now(UTC)


def _instant(at: datetime, known_at: datetime | None, now: datetime) -> Window:
    notices = ("at is in the future: clamped to now",) if at > now else ()
    moment = min(at, now)
    return Window(moment, moment, moment, known_at, notices, now)


def _period(start: datetime | None, end: datetime | None, known_at: datetime | None, now: datetime) -> Window:
    last = min(end or now, now)
    first = last - DAY if start is None else start
    if end is not None and start is not None and start >= end:
        reason = "start has to be before end"
        raise BadRequest(reason, code="bad_window", errors=[Wrong("start", stamp(start), reason)])
    if first >= last:
        raise bad_value("start", stamp(start), "the window begins in the future", code="bad_window")
    notices = ("end is in the future: clamped to now",) if end is not None and end > now else ()
    return Window(first, last, None, known_at, notices, now)


def _paged(window: Window, common: Common) -> Window:
    """Every page has the window of the first, whatever the time is now, and shows what was known when that was made.

    A row is stamped before it is committed: one that was being written at that very moment may come on a later page,
    as may rows brought with a `known_at` of the past. Nothing the first page was made of goes missing later.
    """
    first = common.cursor
    if first is None:
        return window
    at, known_at = window.at and first.start, window.known_at or first.known
    pinned = window.known_at is None
    return replace(window, start=first.start, end=first.end, at=at, now=first.end, known_at=known_at, pinned=pinned)


def period(common: CommonDep, start: Start = None, end: End = None, known_at: KnownAt = None) -> Window:
    """The window of a question that takes no `at`."""
    return _paged(_period(start, end, known_at, utc_now()), common)


def window(common: CommonDep, start: Start = None, end: End = None, at: At = None, known_at: KnownAt = None) -> Window:
    """The window of a question, or its instant."""
    if at is None:
        return period(common, start, end, known_at)
    if start is not None or end is not None:
        raise bad_value("at", stamp(at), "at and a window exclude each other", code="bad_window")
    return _paged(_instant(at, known_at, utc_now()), common)


def instant(common: CommonDep, at: At = None, known_at: KnownAt = None) -> Window:
    """An instant; without `at` it is now and the window's `at` is None."""
    now = utc_now()
    return _paged(Window(now, now, None, known_at, (), now) if at is None else _instant(at, known_at, now), common)


WindowDep = Annotated[Window, Depends(window)]
PeriodDep = Annotated[Window, Depends(period)]
InstantDep = Annotated[Window, Depends(instant)]
