"""From the staging table into a fact table: what is new is inserted, what differs replaces its old version.

The statements are the same for every fact but for its columns, so they are made from the column lists here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from app.db import Driver
from app.models import Base

STAGE = "stage"
FRESH = "fresh"
WRITE_LOCK = 7_022_100
TYPES = {"series_id": "int", "ts": "timestamptz", "interval_known": "smallint", "for_time": "timestamptz"}
TYPES["known_at"] = "timestamptz"
KEPT_APART = ("series_id", "ts", "known_at", "batch_id")
"""Columns of a fact that are not what it says."""


@dataclass(frozen=True, slots=True)
class LatestColumns:
    """Where `latest` keeps the newest row of a fact: its time, and fact column → latest column."""

    time: str
    values: dict[str, str]


LATEST = {
    "funding": LatestColumns(
        "funding_ts",
        {"rate": "rate", "interval_hours": "interval_hours", "interval_known": "interval_known"},
    ),
    "predicted_funding": LatestColumns(
        "predicted_ts",
        {"rate": "predicted_rate", "interval_hours": "predicted_interval_hours", "for_time": "predicted_for"},
    ),
    "open_interest": LatestColumns("oi_ts", {"oi_base": "oi_base", "oi_usd": "oi_usd"}),
    "perp_1m": LatestColumns("minute_ts", {"close": "minute_close"}),
    "perp_1h": LatestColumns("hour_ts", {"close": "hour_close"}),
}
FACTS = (*LATEST, "metric_value")
"""All there are. Who needs several of their locks takes them in the order of their names."""

TOUCHED = "create temporary table touched (series_id int, first timestamptz, last timestamptz) on commit drop"
"""Which series the rows being written belong to, and from when to when."""
TOUCHED_FROM_STAGE = f"""
create temporary table touched on commit drop as
select series_id, min(ts) as first, max(ts) as last from {STAGE} group by series_id"""

POLLED = frozenset({"predicted_funding", "open_interest", "perp_1m", "perp_1h"})
"""Facts that are told of many series at once, one row each."""

LAST_TOLD = f"(select distinct on (series_id, ts) * from {STAGE} order by series_id, ts, ctid desc)"
"""Of one fact told twice the later row: a temporary table keeps the order of COPY in its row ids."""

RENUMBER = f"""
update {STAGE} s set series_id = m.new from unnest($1::int[], $2::int[]) as m(old, new) where s.series_id = m.old"""


def stage_table(columns: Sequence[str]) -> str:
    """The temporary table rows are copied into. `own` is false for rows that are here only to be judged anew."""
    typed = ", ".join(f"{name} {TYPES.get(name, 'float8')}" for name in columns)
    return f"create temporary table {STAGE} ({typed}, own boolean default true) on commit drop"


def _values(columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name not in KEPT_APART]


@cache
def values_of(fact: str) -> dict[str, bool]:
    """The columns of a fact that say something, and whether it must have each."""
    columns = Base.metadata.tables[fact].columns
    return {column.name: not column.nullable for column in columns if column.name not in KEPT_APART}


def said(row: str) -> str:
    """All that a stored row says, as `revision` keeps it: one JSON object without what is null."""
    apart = ",".join(KEPT_APART)
    return f"jsonb_strip_nulls(to_jsonb({row}) - '{{{apart}}}'::text[])"


async def lock(copy: Driver, fact: str) -> None:
    """One writer a fact at a time, until its transaction ends: its statements together are then as good as one."""
    await copy.execute(
        "select set_config('work_mem', '128MB', true), pg_advisory_xact_lock($1, hashtext($2))", WRITE_LOCK, fact
    )


async def merge(
    copy: Driver, fact: str, columns: Sequence[str], *, once: bool, batch: int | None = None
) -> tuple[int, int]:
    """Merge the staged rows; `once`: none of them is told twice. Returns how many own were inserted and updated.

    `batch`: the import that tells them; None: a pull.
    """
    staged = STAGE if once else LAST_TOLD
    if await is_later(copy, fact) or await _is_news(copy, fact):
        return await _insert(copy, fact, columns, staged, batch, known=False), 0
    await copy.execute(f"analyze {STAGE}")
    await _repeat(copy, fact, columns, staged, batch)
    updated = await _replace(copy, fact, columns, staged, batch)
    return await _insert(copy, fact, columns, staged, batch, known=True), updated


async def is_later(copy: Driver, fact: str) -> bool:
    """True when every staged row is later than the newest of its series, as a poll's are: that is soon seen."""
    to = LATEST.get(fact)
    return to is not None and not await copy.fetchval(
        f"select exists (select from touched t join latest l using (series_id) where l.{to.time} >= t.first)"
    )


async def _is_news(copy: Driver, fact: str) -> bool:
    """True when no stored row lies in the staged span of any series: nothing can collide."""
    return not await copy.fetchval(
        f"""select exists (select from touched t where exists (
          select from {fact} f where f.series_id = t.series_id and f.ts between t.first and t.last))"""
    )


async def _insert(
    copy: Driver, fact: str, columns: Sequence[str], staged: str, batch: int | None, *, known: bool
) -> int:
    names = ", ".join(columns)
    picked = ", ".join(f"coalesce(s.{n}, clock_timestamp())" if n == "known_at" else f"s.{n}" for n in columns)
    unknown = f"not exists (select from {fact} f where f.series_id = s.series_id and f.ts = s.ts)" if known else "true"
    done = await copy.execute(
        f"""insert into {fact} ({names}, batch_id)
        select {picked}, $1::int from {staged} s where s.own and {unknown}""",
        batch,
    )
    return int(done.split()[-1])


async def _replace(copy: Driver, fact: str, columns: Sequence[str], staged: str, batch: int | None) -> int:
    """Rows that say something else now: the old version goes to `revision`. A value that is absent says nothing."""
    values = _values(columns)
    new = ", ".join(f"{n} = coalesce(c.{n}, f.{n})" for n in values)
    return await copy.fetchval(
        f"""with changed as materialized (
          select s.*, f.known_at as old_known_at, f.batch_id as old_batch_id, {said("f")} as said,
            {_kept(fact, values)} as kept, clock_timestamp() as moment, {_only_adds(fact, values)} as only_adds
          from {staged} s join {fact} f using (series_id, ts) where {_differs(columns)}
        ), kept as (
          insert into revision (fact, series_id, ts, known_at, replaced_at, said, batch_id, kept)
          select '{fact}', series_id, ts, old_known_at, coalesce(known_at, moment), said, old_batch_id, kept
          from changed where not only_adds or $1::int is not null or old_batch_id is not null
        ), replaced as (
          update {fact} f set {new}, known_at = coalesce(c.known_at, c.moment), batch_id = $1::int from changed c
          where f.series_id = c.series_id and f.ts = c.ts returning c.own
        ) select count(*) filter (where own) from replaced""",
        batch,
    )


def _only_adds(fact: str, values: Sequence[str]) -> str:
    """Whether columns of a wide hour are told that were not, and nothing otherwise: then there is no old version.

    A source tells the essential columns of a long gap first and the others a little later; the hour is known since the
    last of them.
    """
    if fact != "perp_1h":
        return "false"
    return " and ".join(f"(s.{n} is null or f.{n} is null or s.{n} = f.{n})" for n in values)


def _differs(columns: Sequence[str]) -> str:
    return " or ".join(f"(s.{n} is not null and s.{n} is distinct from f.{n})" for n in _values(columns))


async def _repeat(copy: Driver, fact: str, columns: Sequence[str], staged: str, batch: int | None) -> None:
    """Notes what is told once more of rows that have an import's word: they stay when that import is taken back."""
    told = ", ".join(f"'{n}', s.{n}" for n in _values(columns))
    mine = f"r.fact = '{fact}' and r.series_id = f.series_id and r.ts = f.ts"
    await copy.execute(
        f"""insert into revision (fact, series_id, ts, known_at, replaced_at, said, batch_id, repeats)
        select '{fact}', s.series_id, s.ts, m.moment, m.moment, jsonb_strip_nulls(jsonb_build_object({told})),
          $1::int, true
        from {staged} s join {fact} f using (series_id, ts)
        cross join lateral (select coalesce(s.known_at, clock_timestamp()) as moment) m
        where s.own and not ({_differs(columns)})
          and (f.batch_id is not null or exists (
            select from revision r where {mine} and r.batch_id is not null and r.kept is not null))
          and not exists (
            select from revision r where {mine} and r.repeats and r.batch_id is not distinct from $1::int and r.id > (
              select coalesce(max(r.id), 0) from revision r where {mine} and not r.repeats))
        order by s.series_id, s.ts""",
        batch,
    )


def _kept(fact: str, told: Sequence[str]) -> str:
    """The columns the new version takes over from the old one; null where there are none."""
    absent = {n: f"s.{n} is null and " if n in told else "" for n in values_of(fact)}
    each = ", ".join(f"case when {absent[n]}f.{n} is not null then '{n}' end" for n in absent)
    return f"nullif(array_remove(array[{each}], null), '{{}}')"


def has_latest(fact: str, names: Collection[str]) -> bool:
    """Whether these columns are all that `latest` keeps of a fact."""
    return fact in LATEST and LATEST[fact].values.keys() <= set(names)


def poll_table(fact: str) -> str:
    """What a poll touches, one row a series, with what `latest` keeps of it."""
    values = ", ".join(f"{name} {TYPES.get(name, 'float8')}" for name in LATEST[fact].values)
    return (
        f"create temporary table touched (series_id int, first timestamptz, last timestamptz, {values}) on commit drop"
    )


async def advance(copy: Driver, fact: str) -> int:
    """Put the rows of a poll into `latest` that are later than what it has; returns how many these are."""
    to = LATEST[fact]
    new = ", ".join(f"{name} = excluded.{name}" for name in (to.time, *to.values.values()))
    done = await copy.execute(
        f"""insert into latest (series_id, {to.time}, {", ".join(to.values.values())})
        select series_id, last, {", ".join(to.values)} from touched order by series_id
        on conflict (series_id) do update set {new}
        where latest.{to.time} is null or latest.{to.time} < excluded.{to.time}"""
    )
    return int(done.split()[-1])


async def latest(copy: Driver, fact: str, holder: str) -> None:
    """The newest touched row of each series into `latest`, unless a newer one is there. Not every fact has a place.

    What `latest` says already is not written again, so that its rows of this transaction are the news.
    `holder`: a table that has these rows as they are stored, the fact's own or the staging table.
    """
    to = LATEST.get(fact)
    if to is None:
        return
    picked = ", ".join(f"f.{column}" for column in to.values)
    old, told = (", ".join(f"{row}.{name}" for name in to.values.values()) for row in ("latest", "excluded"))
    narrow = "f.ts between (select min(last) from touched) and (select max(last) from touched)"
    new = ", ".join(f"{name} = excluded.{name}" for name in (to.time, *to.values.values()))
    await copy.execute(
        f"""insert into latest (series_id, {to.time}, {", ".join(to.values.values())})
        select t.series_id, f.ts, {picked}
        from touched t join {holder} f on f.series_id = t.series_id and f.ts = t.last
        where {narrow if holder == fact else "true"}
        order by t.series_id
        on conflict (series_id) do update set {new}
        where latest.{to.time} is null or latest.{to.time} < excluded.{to.time}
          or latest.{to.time} = excluded.{to.time} and ({old}) is distinct from ({told})"""
    )
