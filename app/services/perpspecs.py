"""The registry of perpspecs: named slices of an exchange's minutes. A new one is there for everybody at once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg

from app.db import Database, Driver, driver, writing
from app.locks import PERPSPEC_LOCK
from app.models import Base
from app.services.merge import KEPT_APART
from app.services.minute_fields import FIELDS
from app.services.queries import Query, sql

SHORT = {
    "bin": "binance",
    "byb": "bybit",
    "okx": "okx",
    "hyp": "hyperliquid",
    "der": "deribit",
    "ext": "extended",
    "lig": "lighter",
}
"""What exchanges are called in names of perpspecs; any other by its slug."""
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9_]+)+")
KIND = re.compile(r"[a-z0-9_-]{1,40}")
FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
CHANGE = re.compile(r".*_chg(_\d+m)?")
KEY = ("ts", "symbol")
"""Fields that rows have anyway."""
RESERVED = frozenset(
    {*KEY, "time", "asset", "exchange", "instrument", "perpspec", "source", "age_s", "own", "contract", "place"}
)
LONGEST = 62
"""Letters a name and any of its fields may have together: a column of a table has a name of 63 at most."""
MOST_COLUMNS = 50
PATIENCE = "3s"

KNOWN = """
create function perp_1m_known(moment timestamptz)
returns table (series_id int, ts timestamptz, {typed}, known_at timestamptz)
language sql stable parallel safe as $$
  select f.series_id, f.ts, {plain}, f.known_at
  from perp_1m f where moment is null or f.known_at <= moment
  union all
  select r.series_id, r.ts, {said}, r.known_at
  from revision r
  where moment is not null and r.fact = 'perp_1m' and r.known_at <= moment and r.replaced_at > moment
$$
"""


@dataclass(frozen=True, slots=True)
class Perpspec:
    """A slice by its name: the fields that are of one exchange (None: of each), in the order they are shown."""

    name: str
    fields: tuple[str, ...]
    exchange: str | None = None
    kind: str | None = None
    interval: str = "1m"


class BadPerpspec(ValueError):
    """What cannot be registered: which part of it, what that was, and why."""

    def __init__(self, part: str, value: str, reason: str) -> None:
        super().__init__(f"{part} {value}: {reason}")
        self.part, self.value, self.reason = part, value, reason


class PerpspecExists(Exception):
    """There is one of that name that is something else."""

    def __init__(self, there: Perpspec) -> None:
        super().__init__(f"there is a perpspec {there.name} already, of {there.exchange}: {', '.join(there.fields)}")
        self.there = there


class MinutesBusy(Exception):
    """A long write or read of minutes is under way: no column can be added just now."""


def catalogue(name: str | None = None) -> Query:
    """All that are registered, or the one of this name."""
    text = "select name, exchange, kind, fields, interval from perpspec where $1::text is null or name = $1"
    return Query(text, (name,))


async def listed(db: Database) -> list[Perpspec]:
    """All that are registered, by name."""
    query = catalogue()
    return [_perpspec(row) for row in await db.reads.fetch(f"{query.text} order by name", *query.arguments)]


def _perpspec(row: asyncpg.Record) -> Perpspec:
    return Perpspec(row["name"], tuple(row["fields"]), row["exchange"], row["kind"], row["interval"])


async def add(db: Database, told: Perpspec) -> bool:
    """Register a perpspec; False where the same is registered already. A field nobody has becomes a column of minutes.

    Raises BadPerpspec; PerpspecExists where there is another of that name; MinutesBusy where the column cannot be made.
    """
    try:
        async with writing(db) as connection:
            return await _add(await driver(connection), told)
    except asyncpg.LockNotAvailableError as error:
        raise MinutesBusy("minutes are being written or read at length: try again in a moment") from error


async def _add(copy: Driver, told: Perpspec) -> bool:
    await copy.execute(f"set local lock_timeout = '{PATIENCE}'")
    await copy.execute("select pg_advisory_xact_lock($1)", PERPSPEC_LOCK)
    wanted = _checked(told, {row["slug"] for row in await copy.fetch("select slug from exchange")})
    query = catalogue(wanted.name)
    there = await copy.fetchrow(query.text, *query.arguments)
    if there is not None:
        return _same(_perpspec(there), wanted)
    await _make_columns(copy, wanted.fields)
    await copy.execute(
        "insert into perpspec (name, exchange, kind, fields, interval) values ($1, $2, $3, $4, $5)",
        *(wanted.name, wanted.exchange, wanted.kind, list(wanted.fields), wanted.interval),
    )
    return True


def _same(there: Perpspec, wanted: Perpspec) -> bool:
    if replace(there, fields=tuple(sorted(there.fields))) != replace(wanted, fields=tuple(sorted(wanted.fields))):
        raise PerpspecExists(there)
    return False


def _checked(told: Perpspec, exchanges: set[str]) -> Perpspec:
    """The same with everything said that its name says."""
    if not NAME.fullmatch(told.name):
        raise BadPerpspec("name", told.name, "an exchange and what it is, with - between, expected: bin-vwap")
    exchange, kind = _parts(told.name, exchanges)
    if told.exchange not in (None, exchange):
        raise BadPerpspec("exchange", told.exchange, f"the name says {exchange}")
    if told.kind is not None and not KIND.fullmatch(told.kind):
        raise BadPerpspec("kind", told.kind, "a word of lower-case letters, digits, _ and - expected")
    if told.interval != "1m":
        raise BadPerpspec("interval", told.interval, "minutes are kept: 1m")
    fields = tuple(dict.fromkeys(name for name in told.fields if name not in KEY))
    if not fields:
        raise BadPerpspec("fields", ",".join(told.fields), "at least one beside ts and symbol expected")
    for name in fields:
        _check_field(told.name, name)
    return Perpspec(told.name, fields, exchange, told.kind or kind)


def _parts(name: str, exchanges: set[str]) -> tuple[str, str]:
    """`bin-vwap` → `binance`, `vwap`; of an exchange without a short name by its slug, the longest that fits."""
    words = {**{slug: slug for slug in exchanges}, **SHORT}
    named = [word for word in words if name.startswith(f"{word}-")]
    if not named:
        first = name.partition("-")[0]
        raise BadPerpspec("name", name, f"{first} is no exchange; there are {', '.join(sorted(words))}")
    first = max(named, key=len)
    return words[first], name.removeprefix(f"{first}-")


def _check_field(perpspec: str, name: str) -> None:
    if not FIELD.fullmatch(name):
        raise BadPerpspec("fields", name, "a letter, then up to 39 lower-case letters, digits and _ expected")
    if len(perpspec) + len(name) > LONGEST:
        raise BadPerpspec("fields", name, f"longer, with the perpspec's name, than {LONGEST} letters together")
    if name in RESERVED or CHANGE.fullmatch(name):
        raise BadPerpspec("fields", name, "is what another column is called: choose another name")
    if name not in FIELDS and name in Base.metadata.tables["perp_1m"].columns:
        meant = [field.name for field in FIELDS.values() if field.columns == (name,)]
        reason = f"is called {meant[0]} here" if meant else "is kept for another purpose: choose another name"
        raise BadPerpspec("fields", name, reason)


async def own_columns(copy: Driver) -> list[str]:
    """The columns of minutes that users registered, in order."""
    return [name for name in await _columns(copy) if name not in Base.metadata.tables["perp_1m"].columns]


async def _columns(copy: Driver) -> list[str]:
    return [row["attname"] for row in await copy.fetch(sql("perpspecs", "columns"))]


async def _make_columns(copy: Driver, fields: Sequence[str]) -> None:
    own = await own_columns(copy)
    new = [name for name in fields if name not in FIELDS and name not in own]
    if not new:
        return
    if words := [row["word"] for row in await copy.fetch(sql("perpspecs", "keywords"), new)]:
        raise BadPerpspec("fields", words[0], "is a word of SQL: choose another name")
    if len(own) + len(new) > MOST_COLUMNS:
        raise BadPerpspec("fields", new[0], f"there are {len(own)} columns of users already, of {MOST_COLUMNS} at most")
    await copy.execute("alter table perp_1m " + ", ".join(f'add column "{name}" float8' for name in new))
    await make_known(copy)


async def make_known(copy: Driver) -> None:
    """`perp_1m_known` anew, with all columns there are now.

    The one before stays until the next time under another name: statements that were being planned have found it.
    """
    names = [name for name in await _columns(copy) if name not in KEPT_APART]
    typed = ", ".join(f'"{name}" float8' for name in names)
    plain = ", ".join(f'f."{name}"' for name in names)
    said = ", ".join(f"(r.said->>'{name}')::float8" for name in names)
    await copy.execute("drop function if exists perp_1m_known_before(timestamptz)")
    await copy.execute("alter function perp_1m_known(timestamptz) rename to perp_1m_known_before")
    await copy.execute(KNOWN.format(typed=typed, plain=plain, said=said))
