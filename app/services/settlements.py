"""Settlements as they are stored: stamps on the minute, each with its interval and how that is known."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.db import Driver
from app.services.intervals import IntervalKnown, intervals
from app.services.queries import sql

MINUTE_US = 60_000_000
TIME = pa.timestamp("us", "UTC")
NOT_SAID = -1
NOW = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rows:
    """Settlements in columns. `known` is NOT_SAID where nobody said how; `own` false for rows already stored."""

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    rate: NDArray[np.float64]
    hours: NDArray[np.float64]
    known: NDArray[np.int16]
    known_at: NDArray[np.int64]
    own: NDArray[np.bool_]

    def take(self, order: NDArray[np.intp]) -> "Rows":
        """The rows at these places, in this order."""
        return Rows(*(getattr(self, name)[order] for name in self.__slots__))

    def only(self, rows: NDArray[np.bool_]) -> "Rows":
        """These rows; itself where they are all."""
        return self if rows.all() else self.take(np.flatnonzero(rows))


def on_the_minute(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stamps to the nearest minute: exchanges are milliseconds to a second off (microseconds in and out)."""
    return (time + MINUTE_US // 2) // MINUTE_US * MINUTE_US


@dataclass(frozen=True, slots=True)
class Judged:
    """Settlements with their intervals, once each and sorted, and stored neighbours whose interval they change.

    `spans`: first and last of each series. `news`: none of them is stored, and no stored one changes.
    """

    rows: pa.Table
    spans: pa.Table
    news: bool


async def judged(copy: Driver, table: pa.Table) -> Judged:
    """Judge the settlements of `table`, among those stored around them.

    Where all of them say their interval and how it is known (an export does) they were judged once, with all that is
    around them: then stored ones stay as they are too.
    """
    told = not (table["interval_hours"].null_count or table["interval_known"].null_count)
    own = _last_told(_own_rows(table))
    del table  # a million rows are copied more than once here: none is kept longer than it is needed
    first = np.flatnonzero(np.r_[True, own.series[1:] != own.series[:-1]])
    last = np.r_[first[1:], len(own.series)] - 1
    stored, fallback = await _stored(copy, own, first, last)
    rows = await asyncio.to_thread(lambda: _judge(own if told else _united(own, stored), fallback))
    inside = stored.time >= own.time[first[np.searchsorted(own.series[first], stored.series)]]
    now = await copy.fetchval(NOW)
    return Judged(_table(rows, now), _spans(rows), bool(rows.own.all() and not inside.any()))


async def judged_anew(
    copy: Driver, series: Sequence[int], first: Sequence[datetime], last: Sequence[datetime]
) -> pa.Table:
    """Judge what is stored in these spans (one a series) again: the settlements whose interval is another now.

    Their columns are those of `Judged.rows`; the rate is null, none is `own`.
    """
    found = await copy.fetch(sql("settlements", "neighbours"), series, first, last)
    fallback = await copy.fetch(sql("settlements", "fallback_hours"), series)
    stored = _stored_rows(found)
    stored = stored.take(np.lexsort((stored.time, stored.series)))
    since = dict(zip(series, map(_us, first), strict=True))
    rows = _as_told(stored, np.array([since[key] for key in stored.series.tolist()], dtype=np.int64))
    hours = {row["series_id"]: row["hours"] for row in fallback}
    for part in _parts(rows):
        if rows.own[part].any():
            _judge_series(rows, rows.own.copy(), part, hours.get(int(rows.series[part.start]), 8.0))
    changed = np.flatnonzero((rows.hours != stored.hours) | (rows.known != stored.known))
    return _table(replace(rows, own=np.zeros_like(rows.own)).take(changed), await copy.fetchval(NOW))


def _as_told(stored: Rows, since: NDArray[np.int64]) -> Rows:
    """Stored settlements as if they were told just now, from a time on: an interval nobody declared is not said."""
    own = stored.time >= since
    inferred = own & (stored.known != IntervalKnown.DECLARED)
    hours, known = np.where(inferred, np.nan, stored.hours), np.where(inferred, NOT_SAID, stored.known)
    return replace(stored, hours=hours, known=known.astype(np.int16), own=own)


def _own_rows(table: pa.Table) -> Rows:
    """The caller's rows; hours that come without a word on how they are known were declared."""
    hours = _floats(table, "interval_hours")
    known = table["interval_known"].fill_null(pa.scalar(NOT_SAID, pa.int16())).to_numpy().astype(np.int16)
    known[(known == NOT_SAID) & ~np.isnan(hours)] = IntervalKnown.DECLARED
    known[np.isnan(hours)] = NOT_SAID
    return Rows(
        table["series_id"].to_numpy(),
        on_the_minute(table["ts"].cast(pa.int64()).to_numpy()),
        _floats(table, "rate"),
        hours,
        known,
        table["known_at"].cast(pa.int64()).fill_null(pa.scalar(0, pa.int64())).to_numpy(),
        np.ones(table.num_rows, dtype=np.bool_),
    )


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return table[name].fill_null(pa.scalar(np.nan, pa.float64())).to_numpy().copy()


def _last_told(rows: Rows) -> Rows:
    """Sorted by series and time, of one settlement told twice the later."""
    order = np.lexsort((np.arange(len(rows.series)), rows.time, rows.series))
    rows = rows.take(order)
    same = (rows.series[1:] == rows.series[:-1]) & (rows.time[1:] == rows.time[:-1])
    return rows.only(np.r_[~same, True])


async def _stored(
    copy: Driver, own: Rows, first: NDArray[np.intp], last: NDArray[np.intp]
) -> tuple[Rows, dict[int, float]]:
    """What is stored within and three settlements around the spans of these series, and each one's fallback hours."""
    spans = (
        own.series[first].tolist(),
        [_moment(t) for t in own.time[first]],
        [_moment(t) for t in own.time[last]],
    )
    found = await copy.fetch(sql("settlements", "neighbours"), *spans)
    fallback = await copy.fetch(sql("settlements", "fallback_hours"), spans[0])
    return _stored_rows(found), {row["series_id"]: row["hours"] for row in fallback}


def _stored_rows(found: list[asyncpg.Record]) -> Rows:
    counts = [row["count"] for row in found]
    series = np.repeat(np.array([row["series_id"] for row in found], dtype=np.int32), counts)
    return Rows(
        series,
        np.frombuffer(b"".join(row["us"] for row in found), ">i8").astype(np.int64),
        np.full(len(series), np.nan),
        np.frombuffer(b"".join(row["interval_hours"] for row in found), ">f8").astype(np.float64),
        np.frombuffer(b"".join(row["interval_known"] for row in found), ">i2").astype(np.int16),
        np.zeros(len(series), dtype=np.int64),
        np.zeros(len(series), dtype=np.bool_),
    )


def _moment(us: np.int64) -> object:
    return pa.scalar(int(us), TIME).as_py()


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _united(own: Rows, stored: Rows) -> Rows:
    """Both together, sorted; a stored row comes before the caller's own of the same time."""
    if not len(stored.series):
        return own
    both = Rows(*(np.concatenate((getattr(stored, n), getattr(own, n))) for n in own.__slots__))
    return both.take(np.lexsort((both.own, both.time, both.series)))


def _judge(rows: Rows, fallback: dict[int, float]) -> Rows:
    """Every settlement with its interval; stored rows stay only where theirs changes."""
    twice = np.r_[(rows.series[1:] == rows.series[:-1]) & (rows.time[1:] == rows.time[:-1]), False]
    _keep_declared(rows, np.flatnonzero(twice))
    rows = rows.only(~twice)
    keep = rows.own.copy()
    for part in _parts(rows):
        _judge_series(rows, keep, part, fallback.get(int(rows.series[part.start]), 8.0))
    return rows.only(keep)


def _parts(rows: Rows) -> list[slice]:
    """The places of each series."""
    starts = np.flatnonzero(np.r_[True, rows.series[1:] != rows.series[:-1]])[: len(rows.series)].tolist()
    return [slice(start, end) for start, end in pairwise([*starts, len(rows.series)])]


def _keep_declared(rows: Rows, stored: NDArray[np.intp]) -> None:
    """A settlement told again without an interval keeps the one its exchange declared."""
    told = stored + 1
    kept = told[(rows.known[told] == NOT_SAID) & (rows.known[stored] == IntervalKnown.DECLARED)]
    rows.hours[kept] = rows.hours[kept - 1]
    rows.known[kept] = IntervalKnown.DECLARED


def _judge_series(rows: Rows, keep: NDArray[np.bool_], part: slice, fallback: float) -> None:
    hours, known, own = rows.hours[part], rows.known[part], rows.own[part]
    said = (known == IntervalKnown.DECLARED) | (own & (known != NOT_SAID))
    anchored = not own[:3].any() and len(own) > 3
    before = float(hours[0]) if anchored else None
    found = intervals(rows.time[part], np.where(said, hours, np.nan), fallback, before)
    new_known = np.where(said, known, found.known)
    if anchored:
        found.hours[0], new_known[0] = hours[0], known[0]
    keep[part] |= ~own & ((found.hours != hours) | (new_known != known))
    rows.hours[part], rows.known[part] = found.hours, new_known


def _spans(rows: Rows) -> pa.Table:
    first = np.flatnonzero(np.r_[True, rows.series[1:] != rows.series[:-1]])
    last = np.r_[first[1:], len(rows.series)] - 1
    times = (pa.array(rows.time[at]).cast(TIME) for at in (first, last))
    return pa.Table.from_arrays([pa.array(rows.series[first]), *times], names=["series_id", "first", "last"])


def _table(rows: Rows, now: int) -> pa.Table:
    return pa.table(
        {
            "series_id": pa.array(rows.series),
            "ts": pa.array(rows.time).cast(TIME),
            "rate": pa.array(rows.rate, mask=~rows.own),
            "interval_hours": pa.array(rows.hours),
            "interval_known": pa.array(rows.known),
            "known_at": pa.array(np.where(rows.known_at == 0, now, rows.known_at)).cast(TIME),
            "own": pa.array(rows.own),
        }
    )
