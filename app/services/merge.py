"""From the staging table into a fact table: what is new is inserted, what differs replaces its old version.

The statements are the same for every fact but for its columns, so they are made from the column lists here.
"""

from collections.abc import Collection, Sequence
from functools import cache

from app.db import Driver
from app.locks import WRITE_LOCK
from app.models import Base
from app.records import SAMPLES
from app.services import latest

STAGE = "stage"
FRESH = "fresh"
KEPT_APART = ("series_id", "ts", "known_at", "batch_id")
"""Columns of a fact that are not what it says."""


FACTS = (
    "delivery_price",
    "funding",
    "greeks",
    "index_price",
    "liquidation",
    "metric_value",
    "open_interest",
    "option_1m",
    "perp_1h",
    "perp_1m",
    "predicted_funding",
)
"""All there are. Who needs several of their locks takes them in the order of their names."""

WIDE = ("greeks", "index_price", "option_1m", "perp_1h", "perp_1m")
"""Facts whose rows are told in parts."""
TOUCHED = "create temporary table touched (series_id int, first timestamptz, last timestamptz) on commit drop"
"""Which series the rows being written belong to, and from when to when."""
TOUCHED_FROM_STAGE = f"""
create temporary table touched on commit drop as
select series_id, min(ts) as first, max(ts) as last from {STAGE} group by series_id"""

ONE_TELLING = "interval '5 minutes'"
"""What is told of a minute within this time of its first word is one version with it."""

COLUMNS_OF_MINUTES = """
select attname as name from pg_attribute
where attrelid = 'perp_1m'::regclass and attnum > 0 and not attisdropped order by attnum"""

LAST_TOLD = f"(select distinct on (series_id, ts) * from {STAGE} order by series_id, ts, ctid desc)"
"""Of one fact told twice the later row: a temporary table keeps the order of COPY in its row ids."""

RENUMBER = f"""
update {STAGE} s set series_id = m.new from unnest($1::int[], $2::int[]) as m(old, new) where s.series_id = m.old"""


def stage_table(columns: Sequence[str]) -> str:
    """The temporary table rows are copied into. `own` is false for rows that are here only to be judged anew."""
    typed = ", ".join(f"{name} {latest.TYPES.get(name, 'float8')}" for name in columns)
    return f"create temporary table {STAGE} ({typed}, own boolean default true) on commit drop"


def _values(columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name not in KEPT_APART]


@cache
def values_of(fact: str) -> dict[str, bool]:
    """The columns of a fact that say something, and whether it must have each."""
    columns = Base.metadata.tables[fact].columns
    return {column.name: not column.nullable for column in columns if column.name not in KEPT_APART}


async def all_values(copy: Driver, fact: str) -> list[str]:
    """The same names, with the columns that users added to minutes."""
    own = await added(copy) if fact == "perp_1m" else []
    return [*values_of(fact), *own]


async def added(copy: Driver) -> list[str]:
    """The columns of minutes that users added."""
    names = [row["name"] for row in await copy.fetch(COLUMNS_OF_MINUTES)]
    return [name for name in names if name not in values_of("perp_1m") and name not in KEPT_APART]


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
    copy: Driver, fact: str, columns: Sequence[str], *, once: bool, batch: int | None = None, rows: str = STAGE
) -> tuple[int, int, int]:
    """Merge the staged rows; `once`: none of them is told twice. Returns how many own are new, filled in and updated.

    Filled in: of a wide row that was there, but of which nothing was told in any of these columns. `batch`: the import
    that tells them; None: a pull. `rows`: those of the stage that are told once, as a query, where they are not all.
    """
    staged = rows if once else LAST_TOLD
    if await is_later(copy, fact) or await _is_news(copy, fact):
        return await _insert(copy, fact, columns, staged, batch, known=False), 0, 0
    await copy.execute(f"create index on {STAGE} (series_id, ts)")
    await copy.execute(f"analyze {STAGE}")
    await _repeat(copy, fact, columns, staged, batch)
    filled, updated = await _replace(copy, fact, columns, staged, batch)
    return await _insert(copy, fact, columns, staged, batch, known=True), filled, updated


async def is_later(copy: Driver, fact: str) -> bool:
    """True when every staged row is later than the newest of its series, as a poll's are: that is soon seen.

    Of minutes it is not: `latest` has the newest candle, and other things may be known of a later minute.
    """
    to = latest.LATEST.get(fact) if fact != "perp_1m" else None
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


async def _replace(copy: Driver, fact: str, columns: Sequence[str], staged: str, batch: int | None) -> tuple[int, int]:
    """Rows that say something else now: the old version goes to `revision`. A value that is absent says nothing.

    Returns how many own said nothing of it before, and how many something else.
    """
    values = _values(columns)
    stays = _first_stays(fact, batch)
    kept = _kept(await all_values(copy, fact), values, stays)
    new = ", ".join(f"{n} = coalesce({f'f.{n}, c.{n}' if n in stays else f'c.{n}, f.{n}'})" for n in values)
    staged_span = await within(copy)
    done = await copy.fetchrow(
        f"""with changed as materialized (
          select s.*, f.known_at as old_known_at, f.batch_id as old_batch_id, {said("f")} as said,
            {kept} as kept, clock_timestamp() as moment,
            {_only_adds(fact, values, stays)} as only_adds, {_fills(fact, values)} as fills
          from {staged} s join {fact} f using (series_id, ts) where {_differs(columns, stays)}
        ), kept as (
          insert into revision (fact, series_id, ts, known_at, replaced_at, said, batch_id, kept)
          select '{fact}', series_id, ts, old_known_at, coalesce(known_at, moment), said, old_batch_id, kept
          from changed where not only_adds or $1::int is not null or old_batch_id is not null
        ), replaced as (
          update {fact} f set {new}, known_at = coalesce(c.known_at, c.moment), batch_id = $1::int from changed c
          where f.series_id = c.series_id and f.ts = c.ts and {staged_span} returning c.own, c.fills
        ) select count(*) filter (where own and fills), count(*) filter (where own and not fills) from replaced""",
        batch,
    )
    return (done[0], done[1]) if done else (0, 0)


async def within(copy: Driver, row: str = "f") -> str:
    """The time of what is staged, in words: no other partition is looked at, and no other chunk unpacked."""
    first, last = (await copy.fetch("select min(first), max(last) from touched"))[0]
    return f"{row}.ts between '{first.isoformat()}' and '{last.isoformat()}'"


def _first_stays(fact: str, batch: int | None) -> frozenset[str]:
    """Columns in which what was told first stays: samples of a minute that are pulled. Who imports them means them."""
    return frozenset(SAMPLES) if fact == "perp_1m" and batch is None else frozenset()


def _only_adds(fact: str, values: Sequence[str], stays: Collection[str]) -> str:
    """Whether columns of a wide row are told that were not, and nothing otherwise: then there is no old version.

    A source tells the essential columns of a long gap first and the others a little later; the row is known since the
    last of them. A minute that was known for a while keeps the version without them.
    """
    if fact not in WIDE:
        return "false"
    adds = " and ".join(f"(s.{n} is null or f.{n} is null or s.{n} = f.{n})" for n in values if n not in stays)
    soon = f"coalesce(s.known_at, clock_timestamp()) - f.known_at < {ONE_TELLING}"
    return f"({adds or 'true'}) and {soon}" if fact == "perp_1m" else adds


def _fills(fact: str, values: Sequence[str]) -> str:
    """Whether nothing was known of a wide row in all the columns that are told."""
    return " and ".join(f"(s.{n} is null or f.{n} is null)" for n in values) if fact in WIDE else "false"


def _differs(columns: Sequence[str], stays: Collection[str] = ()) -> str:
    other = {n: f"f.{n} is null" if n in stays else f"s.{n} is distinct from f.{n}" for n in _values(columns)}
    return " or ".join(f"(s.{n} is not null and {differs})" for n, differs in other.items())


async def _repeat(copy: Driver, fact: str, columns: Sequence[str], staged: str, batch: int | None) -> None:
    """Notes what is told once more of rows that have an import's word: they stay when that import is taken back.

    Statistics may call a table empty that was filled a moment ago: here and by the index of the stage every row is
    looked up by itself (`offset 0`: neither joined nor read from the end), however many there are.
    """
    told = ", ".join(f"'{n}', s.{n}" for n in _values(columns))
    mine = f"r.fact = '{fact}' and r.series_id = f.series_id and r.ts = f.ts"
    await copy.execute(
        f"""insert into revision (fact, series_id, ts, known_at, replaced_at, said, batch_id, repeats)
        select '{fact}', s.series_id, s.ts, m.moment, m.moment, jsonb_strip_nulls(jsonb_build_object({told})),
          $1::int, true
        from {staged} s join {fact} f using (series_id, ts)
        cross join lateral (select coalesce(s.known_at, clock_timestamp()) as moment) m
        where s.own and not ({_differs(columns, _first_stays(fact, batch))})
          and (f.batch_id is not null or exists (
            select from revision r where {mine} and r.batch_id is not null and r.kept is not null offset 0))
          and not exists (
            select from (select r.id, r.repeats, r.batch_id from revision r where {mine} offset 0) w
            where w.repeats and w.batch_id is not distinct from $1::int and w.id > (
              select coalesce(max(n.id), 0) from (
                select r.id from revision r where {mine} and not r.repeats offset 0) n))
        order by s.series_id, s.ts""",
        batch,
    )


def _kept(all_there_are: Sequence[str], told: Sequence[str], stays: Collection[str]) -> str:
    """The columns the new version takes over from the old one; null where there are none."""
    absent = {n: f"s.{n} is null and " if n in told and n not in stays else "" for n in all_there_are}
    each = ", ".join(f"case when {absent[n]}f.{n} is not null then '{n}' end" for n in absent)
    return f"nullif(array_remove(array[{each}], null), '{{}}')"
