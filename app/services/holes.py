"""Looking for what is missing in the minutes that are stored, for the ledger of `gaps`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.db import Database
from app.services import gaps
from app.services.expected import Scope, minutes
from app.services.gaps import Hole, State
from app.services.queries import sql

ALL_TIME, MINUTE = datetime(1970, 1, 1, tzinfo=UTC), timedelta(minutes=1)
ROWS_A_LOOK = 10_000_000
SHORT = timedelta(hours=6)
NOT_IN_THE_IMPORT = "what was imported has no such rows, and nobody can be asked for them"

HOLES = """
select d.series_id, d.dataset, d.own, lower(h.span) as first, upper(h.span) as last
from ({minutes}) d
cross join lateral unnest(
  tstzmultirange(tstzrange(d.first, d.last)) - stored_minutes(d.series_id, d.dataset, d.first, d.last)) as h(span)
where d.stored < d.expected and (d.own or d.dataset = 'candles_1m')
"""
"""Looks for holes only in days that fall short; what others tell beside candles, they tell as they like."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A source that is pulled: its minutes are `due` until then. History `keeps` from then on (None: it has none)."""

    source: str
    due: datetime
    keeps: datetime | None


async def detect(db: Database, pulled: Collection[Pulled], now: datetime, since: datetime | None = None) -> None:
    """Bring the ledger up to what is missing now, in all minutes or in those `since`: enter it, settle what has come.

    Minutes of sources that are not `pulled` are expected until the last that is stored. A look at all minutes is also
    one at gaps that were given up, and forgets what was repaired long ago.
    """
    await gaps.forget_removed(db)
    if since is None:
        await gaps.forget_repaired(db)
    await gaps.settle(db, since or ALL_TIME, now, given_up=since is None)
    start = since or await db.reads.fetchval("select min(ts) from perp_1m") or now
    for scope in await _scopes(db, pulled, start, now):
        await gaps.note(db, await _holes(db, scope))


async def detect_import(db: Database, batch: int) -> None:
    """Bring the ledger up to what is missing in and beside the minutes of an import."""
    spans = defaultdict[tuple[datetime, datetime], list[int]](list)
    for row in await db.reads.fetch(sql("gaps", "imported"), batch):
        spans[row["first"], row["last"]].append(row["series_id"])
    for (first, last), series in spans.items():
        await gaps.settle(db, first, last, given_up=True, series=series)
        for scope in _parts(Scope(first, last), series):
            await gaps.note(db, await _holes(db, scope))


async def _scopes(db: Database, pulled: Collection[Pulled], start: datetime, now: datetime) -> list[Scope]:
    """What to look at, so many rows at a time. A long look ends for all where the latest source may be."""
    due = {one.source: one.due for one in pulled}
    if now - start > SHORT:
        now = min(due.values(), default=now)
        due = dict.fromkeys(due, now)
    whole = Scope(start, now, list(due))
    watched = await _watched(db, due, now)
    scopes = [part for end, series in watched.items() for part in _parts(whole, series, end)]
    return scopes if len(scopes) > 1 else [replace(one, series=None) for one in scopes]


def _parts(whole: Scope, series: Sequence[int], end: datetime | None = None) -> list[Scope]:
    """A scope for so many of these series at a time; `end`: where they end, None: with the whole."""
    size = max(1, ROWS_A_LOOK // max(1, (whole.end - whole.start) // MINUTE))
    whole = replace(whole, end=end or whole.end)
    return [replace(whole, series=series[at : at + size]) for at in range(0, len(series), size)]


async def _watched(db: Database, due: Mapping[str, datetime], now: datetime) -> Mapping[datetime, list[int]]:
    """The series that have candles of minutes, by when theirs are due."""
    found = defaultdict[datetime, list[int]](list)
    for row in await db.reads.fetch(sql("gaps", "watched")):
        found[due.get(row["source"], now)].append(row["series_id"])
    return found


async def _holes(db: Database, scope: Scope) -> list[Hole]:
    rows = await db.reads.fetch(HOLES.format(minutes=minutes()), *scope.arguments())
    return [_hole(row["series_id"], row["dataset"], row["first"], row["last"], own=row["own"]) for row in rows]


def _hole(series: int, dataset: str, first: datetime, last: datetime, *, own: bool) -> Hole:
    if own:
        return Hole(series, dataset, first, last)
    return Hole(series, dataset, first, last, "upstream_keeps_no_more", "unfillable", NOT_IN_THE_IMPORT)


async def note_before(db: Database, pulled: Collection[Pulled], since: datetime) -> None:
    """Enter what is wanted `since` then of pulled series that have candles, and lies before these."""
    had = {one.source: max(since, one.keeps) for one in pulled if one.keeps}
    rows = await db.reads.fetch(sql("gaps", "before"), since, list(had), list(had.values()))
    state: dict[str, State] = {"not_listed": "unfillable", "not_fetched_yet": "open"}
    await gaps.note(db, [Hole(row[0], "candles_1m", row[1], row[2], row[3], state[row[3]]) for row in rows])
