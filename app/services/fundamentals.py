"""Reading metrics of entities: the catalogue, one entity's values, and the same metric of several sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from app.db import Database
from app.services.queries import Query, sql

ADD_UP = (
    "OPEN_INTEREST",
    "TRADING_VOLUME",
    "TRADING_VOLUME_24H",
    "COIN_VOLUME",
    "COIN_OI_CLOSE",
    "LIQ_COIN_VOL",
    "LIQ_DOLLAR_VOL",
    "TOTAL_TRADES",
)
"""Canonical metrics of which the whole is the sum over exchanges."""
LOOK_BACK = timedelta(days=7)
"""How old an hour may be that is the last of its series, and any value that is compared at one instant."""
TOGETHER = timedelta(hours=2)
"""How much older than the newest a value may be that is summed with it: a dead exchange adds nothing."""
EVER = timedelta(days=36_500)
END_OF_TIME = datetime(2100, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Values:
    """Values of an entity: of these metrics (by any name, lower case), sources and exchanges. None does not narrow."""

    entity_id: int
    metrics: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    exchanges: Sequence[str] | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Canonical metrics side by side, of these entities (None: all that several sources tell of) and sources."""

    metrics: Sequence[str]
    entities: Sequence[int] | None = None
    sources: Sequence[str] | None = None
    known_at: datetime | None = None


def catalogue(
    sources: Sequence[str] | None, domains: Sequence[str] | None, q: str | None, metrics: Sequence[str] | None
) -> Query:
    """Metrics of these sources and domains, whose words hold `q`, and how much is stored of each."""
    return Query(sql("fundamentals", "catalogue"), (sources, domains, q, metrics))


def history(values: Values, start: datetime, end: datetime) -> Query:
    """Values in `[start, end)`."""
    narrow = (values.metrics, values.sources, values.exchanges, values.known_at)
    return Query(sql("fundamentals", "history"), (values.entity_id, start, end, *narrow), start=1, end=2)


def at(values: Values, moment: datetime, hours: timedelta = LOOK_BACK) -> Query:
    """The last value of each series whose window was over at an instant; `hours`: how far back those may lie.

    A daily value is replaced through its day: before that is over it counts as it was known at `moment`, or not at all.
    """
    narrow = (values.metrics, values.sources, values.exchanges, values.known_at, hours)
    return Query(sql("fundamentals", "at"), (values.entity_id, moment, *narrow))


def compare(comparison: Comparison, start: datetime, end: datetime, step: timedelta) -> Query:
    """In every bucket that begins in `[start, end)`, the last value of each source beside those of the others."""
    return Query(sql("fundamentals", "compare"), _compared(comparison, start, end, step, None), start=1)


def compare_at(comparison: Comparison, moment: datetime) -> Query:
    """The same of one instant: values as `at` chooses them, at most `LOOK_BACK` old."""
    told = _compared(comparison, moment - LOOK_BACK, moment + INSTANT, LOOK_BACK, moment)
    return Query(sql("fundamentals", "compare"), told)


def _compared(
    asked: Comparison, start: datetime, end: datetime, step: timedelta, moment: datetime | None
) -> tuple[object, ...]:
    return asked.metrics, start, end, step, asked.entities, asked.sources, asked.known_at, ADD_UP, moment, TOGETHER


async def canonical(db: Database, words: Sequence[str]) -> tuple[str, ...]:
    """The canonical metrics these words (lower case) mean."""
    return tuple(row["canonical"] for row in await db.reads.fetch(sql("fundamentals", "canonical"), words))


async def terms(db: Database, metrics: Sequence[str], sources: Sequence[str] | None) -> list[str]:
    """A sentence for each canonical metric that sources tell in several units or windows: these are not comparable."""
    found: dict[str, list[str]] = {}
    for row in await db.reads.fetch(sql("fundamentals", "terms"), metrics, sources):
        unit = row["unit"] or "no unit told"
        found.setdefault(row["canonical"], []).append(f"{unit} over {row['covers']} ({', '.join(row['sources'])})")
    return [
        f"{metric} is told in several ways, each compared only within itself: {'; '.join(ways)}"
        for metric, ways in found.items()
        if len(ways) > 1
    ]


async def why_empty(db: Database, values: Values, end: datetime) -> str:
    """One sentence: nothing of it is stored, or what the nearest value is and when."""
    if (newest := await _newest(db, values, end)) is not None:
        return f"no rows: the last value before the window ends is {_said(newest)}"
    if (newest := await _newest(db, values, END_OF_TIME)) is not None:
        why = "before our history" if newest["time"] >= end else "told only later"
        return f"no rows: {why}; the newest value is {_said(newest)}"
    return "no rows: nothing of it is stored with these filters"


async def _newest(db: Database, values: Values, moment: datetime) -> asyncpg.Record | None:
    query = at(values, moment, EVER)
    text = f"select * from ({query.text}) as q order by q.time desc, q.metric, q.source limit 1"  # noqa: S608 - ours
    return await db.reads.fetchrow(text, *query.arguments)


def _said(row: asyncpg.Record) -> str:
    return f"{row['metric']} of {row['source']} = {row['value']:.15g}, of {row['time']:%Y-%m-%dT%H:%M:%SZ}"
