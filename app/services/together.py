"""Facts that are told in one row and stored in several tables: how an option stands, and its greeks.

A row is staged whole. Each table takes what is its own of it, all in one transaction; counts are of rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from app.db import Driver
from app.services import merge

STATE = ("bid", "ask", "mark_price", "mark_iv", "underlying_price", "index_price", "open_interest", "volume_24h")
GREEKS = ("delta", "gamma", "vega", "theta", "rho")
PARTS: Mapping[str, Mapping[str, Sequence[str]]] = {"option": {"greeks": GREEKS, "option_1m": STATE}}
"""The tables of such a fact in the order of their names, and which columns of a row each has."""


def tables(fact: str) -> tuple[str, ...]:
    """The tables a fact is stored in: itself, or those of its parts."""
    return tuple(PARTS.get(fact, (fact,)))


def part_of(table: str) -> Sequence[str]:
    """The columns of a row that a table has; none where all of the row is its own."""
    return next((parts[table] for parts in PARTS.values() if table in parts), ())


async def told(copy: Driver, fact: str) -> tuple[str, ...]:
    """Those of them that anything is staged for."""
    if fact not in PARTS:
        return (fact,)
    each = ", ".join(f"bool_or({_tells(columns)}) as {table}" for table, columns in PARTS[fact].items())
    (found,) = await copy.fetch(f"select {each} from {merge.STAGE}")
    return tuple(table for table, is_told in found.items() if is_told)


async def put(copy: Driver, fact: str, to: Iterable[str], *, once: bool, batch: int | None) -> tuple[int, int]:
    """Merge the staged rows into these of their tables. Returns how many are new and how many change what was told.

    New: nothing was known of all that the row tells. Of a part told twice the later row has the word; `once`: none is.
    What is not said when it became known became known in all tables at the same moment.
    """
    if not once:
        await copy.execute(_only_the_last(PARTS[fact]))
    await copy.execute(f"analyze {merge.STAGE}")
    counts = await copy.fetchrow(_counts(PARTS[fact], await merge.within(copy, "{}")))
    moment = await copy.fetchval("select clock_timestamp()")
    for table in to:
        columns = PARTS[fact][table]
        names = ("series_id", "ts", *columns, "known_at")
        await merge.merge(copy, table, names, once=True, batch=batch, rows=_rows(columns, moment))
    return (counts[0], counts[1]) if counts else (0, 0)


def _tells(columns: Iterable[str]) -> str:
    return f"num_nonnulls({', '.join(columns)}) > 0"


def _rows(columns: Sequence[str], moment: datetime) -> str:
    known_at = f"coalesce(known_at, '{moment.isoformat()}') as known_at"
    return f"(select series_id, ts, {', '.join(columns)}, {known_at}, own from {merge.STAGE} where {_tells(columns)})"


def _only_the_last(parts: Mapping[str, Sequence[str]]) -> str:
    """Of a part that a later row tells of the same key, the earlier word goes; a temporary table keeps its order."""
    new = ", ".join(
        f"{name} = case when not w.{table} then s.{name} end" for table, columns in parts.items() for name in columns
    )
    later = ", ".join(
        f"count(*) filter (where {_tells(columns)}) over later > 0 as {table}" for table, columns in parts.items()
    )
    return f"""update {merge.STAGE} s set {new}
    from (
      select ctid as place, {later} from {merge.STAGE} window later as (
        partition by series_id, ts order by ctid desc rows between unbounded preceding and 1 preceding)
    ) w where s.ctid = w.place and ({" or ".join(f"w.{table}" for table in parts)})"""


def _counts(parts: Mapping[str, Sequence[str]], within: str) -> str:
    """How many staged rows say something where nothing was known, and how many say something else."""
    pairs = [(f"s.{name}", f"{table}.{name}") for table, columns in parts.items() for name in columns]
    differs = " or ".join(f"({new} is not null and {new} is distinct from {old})" for new, old in pairs)
    fills = " and ".join(f"({new} is null or {old} is null)" for new, old in pairs)
    joined = " ".join(
        f"left join {table} on {table}.series_id = s.series_id and {table}.ts = s.ts and {within.format(table)}"
        for table in parts
    )
    return f"""select count(*) filter (where fills), count(*) filter (where not fills)
    from (select {fills} as fills from {merge.STAGE} s {joined} where {differs}) changed"""
