"""Rates in force at many instants at once: settlements of few long spans as columns, joined to what is asked.

Instants of one series that lie close together make one span. All settlements of a span are read and searched; so what
is read is bounded by how much is asked, however long the history is.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from app.db import Database
from app.services.intervals import intervals_then
from app.services.queries import sql

HOUR_US = 3_600_000_000
APART_US = 48 * HOUR_US
"""To begin another span costs about as much as to read two days of hourly settlements."""
LONG_US = 72 * HOUR_US
"""What settled before is in force nowhere: no exchange lets two days pass between settlements."""
HOURS_A_READ = 1_000_000
"""How much is read at once, in hours of history: about 50 MB where settlements are hourly."""
SINCE_2000_US = 946_684_800_000_000
HEAD, TAIL = 19, 2
ROW = np.dtype(
    [
        ("columns", ">i2"),
        *(
            (f"{name}{part}", kind)
            for name, value in (("span", ">i4"), ("ts", ">i8"), ("rate", ">f8"), ("declared", ">f8"))
            for part, kind in (("_size", ">i4"), ("", value))
        ),
    ]
)
"""A row of `settled` as COPY sends it in binary: each value after its length."""

Times = NDArray[np.int64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a row asks about: the main contract of an entity on an exchange, or the one of a symbol."""

    exchange: str
    entity_id: int
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Instants (epoch microseconds), each with the place of its contract among all that are asked about."""

    time: Times
    contract: Places


@dataclass(frozen=True, slots=True)
class InForce:
    """The settlement in force at each instant: seconds since it was, its rate as paid, its interval; NaN: none."""

    age_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    interval_hours: NDArray[np.float64]


async def series_of(db: Database, contracts: Sequence[Contract], source: str | None) -> list[list[int] | None]:
    """The series to ask for each contract, the preferred one first; None where no such perpetual is listed."""
    columns = [[getattr(contract, name) for contract in contracts] for name in Contract.__slots__]
    found: list[list[int] | None] = [None] * len(contracts)
    for asked, series in await db.reads.fetch(sql("lookup", "series"), *columns, source):
        found[asked - 1] = [*(found[asked - 1] or ()), *([] if series is None else [series])]
    return found


async def in_force(db: Database, asked: Asked, series: Sequence[Sequence[int]], known_at: datetime | None) -> InForce:
    """The rate in force at each instant, as it was known at `known_at` (None: as it is now).

    `series`: those of each contract, as `series_of` has them. The first that has a rate in force has the say: one not
    older than 1.5 of its intervals (domain rules, section 4).
    """
    found = InForce(*(np.full(len(asked.time), np.nan) for _ in range(3)))
    pending = await asyncio.to_thread(np.lexsort, (asked.time, asked.contract))
    for place in range(max(map(len, series), default=0)):
        told_by = np.array([ids[place] if place < len(ids) else -1 for ids in series], dtype=np.int64)
        pending = pending[told_by[asked.contract[pending]] >= 0]
        for rows in _reads(asked, pending):
            spans = _spans(told_by[asked.contract[rows]], asked.time[rows])
            settled = await _settled(db, spans, known_at)
            last = await asyncio.to_thread(_last, asked.time[rows], spans, settled)
            await _ask_hours(db, last, spans.series[spans.of], asked.time[rows], known_at)
            await asyncio.to_thread(_fill, found, rows, last)
        pending = pending[np.isnan(found.rate[pending])]
    return found


def _reads(asked: Asked, rows: Places) -> Iterator[Places]:
    """Rows (sorted by contract and time) in parts that need at most so much history each."""
    spent = np.diff(asked.time[rows], prepend=0) / HOUR_US
    spent = np.cumsum(np.where((spent < 0) | (spent > APART_US / HOUR_US), 1, spent)) // HOURS_A_READ
    yield from np.split(rows, np.flatnonzero(np.diff(spent)) + 1) if len(rows) else ()


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of time of series, and the place of the span each row is in."""

    series: Times
    first: Times
    last: Times
    of: Places


def _spans(series: Times, time: Times) -> Spans:
    """The spans of rows that are sorted by contract and time; two contracts may have one series."""
    step = np.diff(time)
    begins = np.r_[True, (series[1:] != series[:-1]) | (step < 0) | (step > APART_US)]
    first = np.flatnonzero(begins)
    last = np.r_[first[1:], len(time)] - 1
    return Spans(series[first], time[first], time[last], np.cumsum(begins) - 1)


async def _settled(db: Database, spans: Spans, known_at: datetime | None) -> NDArray[np.void]:
    """The settlements of spans, in rows of `ROW`: every other span on each of two connections."""
    return np.concatenate(await asyncio.gather(*(_copied(db, spans, first, known_at) for first in (0, 1))))


async def _copied(db: Database, spans: Spans, first: int, known_at: datetime | None) -> NDArray[np.void]:
    parts: list[bytes] = []

    async def take(part: bytes) -> None:
        parts.append(part)

    columns = [column[first::2].tolist() for column in (spans.series, spans.first, spans.last)]
    async with db.reads.acquire() as connection:
        asked = (*columns, known_at, first)
        await connection.copy_from_query(sql("lookup", "settled"), *asked, output=take, format="binary")
    told = b"".join(parts)
    return np.frombuffer(told, ROW, (len(told) - HEAD - TAIL) // ROW.itemsize, HEAD)


@dataclass(frozen=True, slots=True)
class Last:
    """The last settlement at or before each of some instants: `of` their places; hours NaN where too few were read."""

    of: Places
    age: Times
    rate: NDArray[np.float64]
    hours: NDArray[np.float64]


async def _ask_hours(db: Database, last: Last, series: Times, time: Times, known_at: datetime | None) -> None:
    """The intervals that what was read does not tell: right after a listing, a gap or a change."""
    open_still = np.flatnonzero(np.isnan(last.hours) & (last.age <= LONG_US))
    if len(open_still):
        of = last.of[open_still]
        told = await db.reads.fetch(sql("lookup", "intervals"), series[of].tolist(), time[of].tolist(), known_at)
        last.hours[open_still] = [hours for (hours,) in told]


def _last(time: Times, spans: Spans, settled: NDArray[np.void]) -> Last:
    """Search the settlements of spans, laid end to end on one line, for the last before each instant."""
    span, settled_at = settled["span"].astype(np.intp) - 1, settled["ts"].astype(np.int64) + SINCE_2000_US
    order = np.lexsort((settled_at, span))
    span, settled_at, declared = span[order], settled_at[order], settled["declared"].astype(np.float64)[order]
    hours = intervals_then(settled_at, declared, span, cut=True).hours
    begins = np.cumsum(spans.last - spans.first + 1) - (spans.last - spans.first + 1)
    line = begins[span] + np.maximum(settled_at - spans.first[span], 0)
    at = np.searchsorted(line, begins[spans.of] + time - spans.first[spans.of], side="right") - 1
    of = np.flatnonzero(at >= 0)
    of = of[span[at[of]] == spans.of[of]]
    at = at[of]
    return Last(of, time[of] - settled_at[at], settled["rate"][order[at]].astype(np.float64), hours[at])


def _fill(found: InForce, rows: Places, last: Last) -> None:
    valid = last.age <= np.rint(1.5 * last.hours * HOUR_US)
    at = rows[last.of[valid]]
    found.age_s[at] = last.age[valid] / 1e6
    found.rate[at] = last.rate[valid]
    found.interval_hours[at] = last.hours[valid]
