"""Reading options: the chain at an instant, what each expiry is together, the surface, its history, and greeks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from app.db import Database
from app.services.queries import Query, sql

Model = Literal["told", "black76"]
DAY = timedelta(days=1)
EXPIRIES, OPTIONS = 16, 1000
"""About how many expiries and options of an asset live at an instant: a page reads little more than its rows."""
CHAIN_OF, SMILE_OF = ("option_1m", "option_tick", "greeks"), ("option_1m",)
"""The facts that a chain, and that what is made of implied volatilities, are read from."""
SPAN = """
select min(f.first) as first, max(f.last) as last
from instrument i join series s on s.instrument_id = i.id, lateral (
  select min(ts) as first, max(ts) as last from {fact}
  where series_id = s.id and ts >= coalesce(i.listed_at, '-infinity') and ts <= coalesce(i.expires_at, 'infinity')
) f
where i.id = any($1::int[])
"""
"""Of the days an instrument lived alone: each day has its partition, and one without a row has to be looked into."""


@dataclass(frozen=True, slots=True)
class Options:
    """All options of an entity, or fewer: those that expire on a day (its midnight, UTC). None does not narrow."""

    entity_id: int
    exchanges: tuple[str, ...] | None = None
    source: str | None = None
    known_at: datetime | None = None
    day: datetime | None = None

    @property
    def narrow(self) -> tuple[object, ...]:
        """As all statements take it."""
        return self.exchanges, self.source, self.known_at, self.day


@dataclass(frozen=True, slots=True)
class Whose:
    """The options of all entities, or of fewer. None does not narrow."""

    entities: tuple[int, ...] | None = None
    exchanges: tuple[str, ...] | None = None
    source: str | None = None
    known_at: datetime | None = None


def totals(whose: Whose, moment: datetime) -> Query:
    """One row an asset, exchange and quote currency that has options at an instant."""
    return Query(sql("options", "totals"), (whose.entities, moment, whose.exchanges, whose.source, whose.known_at))


async def why_no_totals(db: Database, whose: Whose, moment: datetime) -> str:
    """One sentence: no such option, not fetched yet, or outside of what is stored."""
    asked = (moment, whose.entities, whose.exchanges)
    found = [row["id"] for row in await db.reads.fetch(sql("options", "nearest_of_all"), *asked)]
    if not found:
        return "no rows: no option is known with these filters"
    return await nothing_of(db, SMILE_OF, found, moment, moment)


def chain(options: Options, moment: datetime, *, milliseconds: bool) -> Query:
    """One row an expiry and strike that live at an instant; times within are ISO or `milliseconds`."""
    return Query(sql("options", "chain"), (options.entity_id, moment, *options.narrow, milliseconds))


def expiries(options: Options, moment: datetime) -> Query:
    """One row an expiry at an instant."""
    return Query(sql("options", "expiries"), (options.entity_id, moment, *options.narrow))


def surface(options: Options, moment: datetime, by: Literal["strike", "delta"]) -> Query:
    """One row an expiry and strike, or bucket of delta, at an instant."""
    return Query(sql("options", f"surface_by_{by}"), (options.entity_id, moment, *options.narrow))


def term_structure(options: Options, first: datetime, last: datetime, step: timedelta) -> Query:
    """One row an instant from `first` to `last`, and expiry or constant maturity."""
    arguments = (options.entity_id, first, last, *options.narrow, step)
    return Query(sql("options", "term_structure"), arguments, start=1, end=2, step=step, rows=EXPIRIES)


def greeks(options: Options, start: datetime, end: datetime, instrument_id: int | None = None) -> Query:
    """Greeks told in `[start, end)`, of all options or of one."""
    arguments = (options.entity_id, start, end, *options.narrow, instrument_id)
    return Query(sql("option_greeks", "greeks"), arguments, start=1, end=2)


def greeks_by(options: Options, moment: datetime, instrument_id: int | None = None) -> Query:
    """Of each option that lives at an instant the greeks told last, at most a day before."""
    return Query(sql("option_greeks", "greeks_by"), (options.entity_id, moment, *options.narrow, instrument_id))


def greeks_black76(
    options: Options, first: datetime, last: datetime, step: timedelta, instrument: str | None = None
) -> Query:
    """Black-76 of how each option (or the one of this symbol) stood at every step from `first` to `last`."""
    arguments = (options.entity_id, first, last, *options.narrow, step, instrument)
    rows = 1 if instrument else OPTIONS
    return Query(sql("option_greeks", "greeks_black76"), arguments, start=1, end=2, step=step, rows=rows)


async def why_empty(db: Database, facts: tuple[str, ...], options: Options, start: datetime, end: datetime) -> str:
    """One sentence: no such option, not fetched yet, or outside of what is stored."""
    asked = (options.entity_id, start, options.exchanges, options.day)
    found = [row["id"] for row in await db.reads.fetch(sql("options", "nearest"), *asked)]
    if not found:
        return "no rows: no option of this asset is known with these filters"
    return await nothing_of(db, facts, found, start, end)


async def nothing_of(
    db: Database, facts: tuple[str, ...], instruments: list[int], start: datetime, end: datetime
) -> str:
    """Why there are no rows of these instruments: one sentence."""
    spans = [await db.reads.fetchrow(SPAN.format(fact=fact), instruments) for fact in facts]
    told = [(span["first"], span["last"]) for span in spans if span and span["first"]]
    if not told:
        return "no rows: not fetched yet"
    first, last = min(span[0] for span in told), max(span[1] for span in told)
    if end < first:
        return f"no rows: before our history, which begins {_stamp(first)}"
    if start > last:
        return f"no rows: nothing newer than {_stamp(last)} is stored"
    return f"no rows: nothing at this time that these filters leave; stored from {_stamp(first)} to {_stamp(last)}"


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
