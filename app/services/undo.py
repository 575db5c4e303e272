"""A fact table as if one import had never been: its versions are taken out of the history of every row.

A row's history is its versions in `revision`, in the order of their ids, and what it says now. Each version is the one
before it overlaid with what its writer told: columns it was told nothing of (`revision.kept`) are the older ones'. So
without one of them the later ones are laid over what is left. A version that then says nothing of its own goes too.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import asyncpg
import pyarrow as pa

from app.db import Driver
from app.services import merge, rollup, settlements
from app.services.queries import sql

VERSION = """
create temporary table version (series_id int, ts timestamptz, n int, id int, known_at timestamptz, batch_id int,
  said jsonb, kept text[], primary key (series_id, ts, n)) on commit drop"""
"""The versions of the rows an import has to do with, numbered; `id` null: the one that is in the fact table."""
HISTORY = """
create temporary table history (series_id int, ts timestamptz, n int, id int, known_at timestamptz, batch_id int,
  said jsonb, kept text[], replaced_at timestamptz, stays boolean, now boolean) on commit drop"""
"""The same afterwards: which of them stay, saying what, and which one the row says `now`."""
OTHERS_SINCE = """(f.known_at > b.started_at or f.batch_id in (
  select o.id from import_batch o where o.finished_at is null or o.finished_at > b.started_at))"""


async def undo(copy: Driver, fact: str, batch: int) -> None:
    """Take an import out of a fact, in the caller's transaction and under the fact's lock.

    Its rows, their history, intervals, `latest` and how far the rollup is right are then as without it.
    """
    await copy.execute(merge.TOUCHED)
    await copy.execute(
        """insert into touched select series_id, first, last from import_span where batch_id = $1 and fact = $2""",
        *(batch, fact),
    )
    await _delete_new(copy, fact, batch)
    await _splice(copy, fact, batch)
    if fact == "funding":
        await _judge_anew(copy, batch)
    await _latest(copy, fact)
    await rollup.lower(copy, fact)
    await copy.execute("drop table touched")


def _rows(fact: str) -> str:
    """The rows of a fact that say what import `$1` told."""
    return f"""{fact} f join import_span s on s.batch_id = $1 and s.fact = '{fact}'
      and f.series_id = s.series_id and f.ts between s.first and s.last and f.batch_id = $1"""


async def _delete_new(copy: Driver, fact: str, batch: int) -> None:
    """Rows that nobody else ever told."""
    await copy.execute(
        f"""delete from {fact} d using (select f.series_id, f.ts from {_rows(fact)} where not exists (
          select from revision r where r.fact = '{fact}' and r.series_id = f.series_id and r.ts = f.ts)) new
        where d.series_id = new.series_id and d.ts = new.ts""",
        batch,
    )


async def _splice(copy: Driver, fact: str, batch: int) -> None:
    """Rows that others told too."""
    for table in (VERSION, HISTORY):
        await copy.execute(table)
    if await _load(copy, fact, batch):
        await copy.execute("analyze version")
        await copy.execute(_fold(fact), batch)
        await copy.execute("analyze history")
        await _restore(copy, fact)
    await copy.execute("drop table version, history")


async def _load(copy: Driver, fact: str, batch: int) -> bool:
    """Fills `version`; false where there is nothing to fill it with."""
    done = await copy.execute(
        f"""insert into version
        with told as (
          select f.series_id, f.ts from {_rows(fact)}
          union select series_id, ts from revision where fact = '{fact}' and batch_id = $1
        )
        select series_id, ts, row_number() over (partition by series_id, ts order by id nulls last),
          id, known_at, batch_id, said, kept
        from (
          select series_id, ts, r.id, r.known_at, r.batch_id, r.said, r.kept
          from told join revision r using (series_id, ts) where r.fact = '{fact}'
          union all
          select series_id, ts, null, f.known_at, f.batch_id, {merge.said("f")}, null
          from told join {fact} f using (series_id, ts)
        ) v""",
        batch,
    )
    return done != "INSERT 0 0"


def _fold(fact: str) -> str:
    """From version to version without those of import `$1`: `said` is what the row says after each."""
    needed = ", ".join(f"'{name}'" for name, must in merge.values_of(fact).items() if must)
    return f"""insert into history
    with recursive folded as (
      select v.*, v.batch_id is distinct from $1 as stays,
        case when v.batch_id is distinct from $1 then v.said end as now_said
      from version v where v.n = 1
      union all
      select v.*, step.stays, case when step.stays then step.said else p.now_said end
      from folded p
      join version v on v.series_id = p.series_id and v.ts = p.ts and v.n = p.n + 1
      cross join lateral (
        select coalesce(p.now_said, '{{}}') || (v.said - coalesce(p.kept, '{{}}')) as said
      ) laid
      cross join lateral (
        select laid.said, v.batch_id is distinct from $1 and laid.said is distinct from p.now_said
          and laid.said ?& array[{needed}]::text[] as stays
      ) step
    ), left_over as (
      select series_id, ts, n, lead(n) over w as following, lead(known_at) over w as replaced_at
      from folded where stays window w as (partition by series_id, ts order by n)
    )
    select f.series_id, f.ts, f.n, f.id, f.known_at, f.batch_id, f.now_said, before.kept, l.replaced_at, f.stays,
      f.stays and l.following is null
    from folded f
    left join left_over l using (series_id, ts, n)
    left join version before on before.series_id = f.series_id and before.ts = f.ts and before.n = l.following - 1"""


async def _restore(copy: Driver, fact: str) -> None:
    """The fact table and `revision` as `history` has them."""
    values = list(merge.values_of(fact))
    new = ", ".join(f"{name} = said.{name}" for name in values)
    await copy.execute(
        f"""delete from {fact} f using version v where v.id is null and f.series_id = v.series_id and f.ts = v.ts
        and not exists (select from history h where h.now and h.series_id = v.series_id and h.ts = v.ts)"""
    )
    await copy.execute(
        f"""update {fact} f set {new}, known_at = h.known_at, batch_id = h.batch_id
        from history h join version v on v.series_id = h.series_id and v.ts = h.ts and v.n = h.n
        cross join lateral jsonb_populate_record(null::{fact}, h.said) said
        where h.now and (h.id is not null or h.said <> v.said) and f.series_id = h.series_id and f.ts = h.ts"""
    )
    await copy.execute("delete from revision r using history h where r.id = h.id and (h.now or not h.stays)")
    await copy.execute(
        """update revision r set said = h.said, kept = h.kept, replaced_at = h.replaced_at from history h
        where r.id = h.id and h.stays and not h.now
          and (r.said, r.kept, r.replaced_at) is distinct from (h.said, h.kept, h.replaced_at)"""
    )


async def _judge_anew(copy: Driver, batch: int) -> None:
    """Intervals that others judged with the import's settlements among theirs, without them."""
    groups: dict[int | None, list[asyncpg.Record]] = defaultdict(list)
    for row in await copy.fetch(sql("batches", "judged_since"), batch):
        groups[row["writer"]].append(row)
    for writer, spans in groups.items():
        columns = ([row[name] for row in spans] for name in ("series_id", "first", "last"))
        judged = await settlements.judged_anew(copy, *columns)
        if judged.num_rows:
            await _put_judged(copy, judged, batch, writer)


async def _put_judged(copy: Driver, judged: pa.Table, batch: int, writer: int | None) -> None:
    """A version younger than the import is put right; an older one gets a later one, of `writer` who came after."""
    names = [name for name in judged.column_names if name != "own"]
    await copy.execute(merge.stage_table(names))
    await copy.copy_records_to_table(merge.STAGE, records=_records(judged), columns=judged.column_names)
    spans = f"series_id, min(ts) as first, max(ts) as last from {merge.STAGE} group by series_id"
    await copy.execute(f"insert into touched select {spans}")
    await copy.execute(
        f"""update funding f set interval_hours = s.interval_hours, interval_known = s.interval_known
        from {merge.STAGE} s, import_batch b
        where b.id = $1 and f.series_id = s.series_id and f.ts = s.ts and {OTHERS_SINCE}""",
        batch,
    )
    await merge.merge(copy, "funding", names, once=True, batch=writer)
    if writer is not None:
        await copy.execute(
            f"""insert into import_span (batch_id, fact, series_id, first, last) select $1::int, 'funding', {spans}
            on conflict (batch_id, fact, series_id) do update set
              first = least(import_span.first, excluded.first), last = greatest(import_span.last, excluded.last)""",
            writer,
        )
    await copy.execute(f"drop table {merge.STAGE}")


def _records(judged: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(judged[name].to_pylist() for name in judged.column_names), strict=True)


async def _latest(copy: Driver, fact: str) -> None:
    """The newest fact that is left of each touched series, where the import's may have been the newest."""
    to = merge.LATEST.get(fact)
    if to is None:
        return
    new = ", ".join(f"{name} = f.{column}" for column, name in {"ts": to.time, **to.values}.items())
    await copy.execute(
        f"""update latest l set {new}
        from touched t left join lateral (
          select * from {fact} f where f.series_id = t.series_id order by f.ts desc limit 1
        ) f on true
        where l.series_id = t.series_id and l.{to.time} between t.first and t.last"""
    )
    nothing = " and ".join(f"l.{place.time} is null" for place in merge.LATEST.values())
    await copy.execute(f"delete from latest l using touched t where l.series_id = t.series_id and {nothing}")
