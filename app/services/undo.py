"""A fact table as if one import had never been: its words are taken out of the history of every row.

A row's history is the words of its writers, one after the other, each laid over those before: columns a writer told
nothing of (`revision.kept`) stay the older ones'. So without one writer the later ones are laid over what is left.
A word that changes nothing is no version; what repeats an import's word is kept for the day that import is taken back.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import pyarrow as pa

from app.db import Driver
from app.services import latest, merge, minutes, partitions, rollup, settlements
from app.services.queries import sql

WORD = """
create temporary table word (series_id int, ts timestamptz, n int, id int, known_at timestamptz, batch_id int,
  told jsonb, repeats boolean, primary key (series_id, ts, n)) on commit drop"""
"""What was told of the rows an import has to do with. `id`: of the row of `revision` written when it was told."""
HISTORY = """
create temporary table history (series_id int, ts timestamptz, n int, id int, known_at timestamptz, batch_id int,
  told jsonb, repeats boolean, said jsonb, changes boolean) on commit drop"""
"""The same without the import: what the row says after each word, and whether that changes or repeats what it said."""
UNJUDGED = """case when w.repeats and p.said is not null and w.told->>'interval_known' <> '2'
  then w.told - '{interval_hours,interval_known}'::text[] else w.told end"""
"""Who repeats a settlement tells its rate: the interval was judged, unless it was declared."""


async def undo(copy: Driver, fact: str, batch: int) -> None:
    """Take an import out of a fact, in the caller's transaction and under the fact's lock.

    Its rows, their history, intervals, `latest` and how far the rollup is right are then as without it.
    """
    await copy.execute(merge.TOUCHED)
    await copy.execute(
        """insert into touched select series_id, first, last from import_span where batch_id = $1 and fact = $2""",
        *(batch, fact),
    )
    await partitions.unpack(copy, fact)
    await copy.execute("analyze revision")  # what an import just replaced is not in its statistics yet: a plan for none
    await _delete_new(copy, fact, batch)
    await _splice(copy, fact, batch, _told_too(fact))
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


def _told_too(fact: str) -> str:
    """The rows of import `$1` that others told too: `_delete_new` left no other."""
    return f"""select f.series_id, f.ts from {_rows(fact)}
      union select series_id, ts from revision where fact = '{fact}' and batch_id = $1"""


async def _splice(copy: Driver, fact: str, batch: int, rows: str) -> None:
    """Lay the words told of `rows` (a statement) over each other again, without those of the import."""
    for table in (WORD, HISTORY):
        await copy.execute(table)
    if await _load(copy, fact, batch, rows):
        await copy.execute("analyze word")
        if fact == minutes.FACT:  # after the facts they are made of: these come before in the order of names
            await minutes.tell_again(copy, batch)
        await copy.execute(_fold(fact), batch)
        await copy.execute("analyze history")
        await _restore(copy, fact)
    await copy.execute("drop table word, history")


async def _load(copy: Driver, fact: str, batch: int, rows: str) -> bool:
    """Fills `word`; false where there is nothing to fill it with."""
    done = await copy.execute(
        f"""insert into word
        with mine as ({rows}), version as (
          select r.series_id, r.ts, r.id, r.known_at, r.batch_id, r.said, r.kept
          from mine join revision r using (series_id, ts) where r.fact = '{fact}' and not r.repeats
          union all
          select series_id, ts, null, f.known_at, f.batch_id, {merge.said("f")}, null
          from mine join {fact} f using (series_id, ts)
        ), told as (
          select series_id, ts, coalesce(lag(id) over w, 0) as id, known_at, batch_id,
            said - coalesce(lag(kept) over w, '{{}}') as told, false as repeats
          from version window w as (partition by series_id, ts order by id nulls last)
          union all
          select r.series_id, r.ts, r.id, r.known_at, r.batch_id, r.said, true
          from mine join revision r using (series_id, ts) where r.fact = '{fact}' and r.repeats
        )
        select series_id, ts, row_number() over (partition by series_id, ts order by id), id, known_at, batch_id, told,
          repeats
        from told""",
        *((batch,) if "$1" in rows else ()),
    )
    return done != "INSERT 0 0"


def _fold(fact: str) -> str:
    """From word to word without those of import `$1`. What lacks a column it must have is an interval judged anew."""
    needed = ", ".join(f"'{name}'" for name, must in merge.values_of(fact).items() if must)
    word = "w.told" if fact != "funding" else UNJUDGED
    return f"""insert into history
    with recursive folded as (
      select w.series_id, w.ts, w.n, w.id, w.known_at, w.batch_id, w.told, false as repeats,
        case when theirs then w.told end as said, theirs as changes, theirs and w.batch_id is not null as imported
      from word w, lateral (select w.batch_id is distinct from $1 as theirs) t where w.n = 1
      union all
      select w.series_id, w.ts, w.n, w.id, w.known_at, w.batch_id, w.told,
        theirs and not c.changes and p.imported and w.told ?& array[{needed}]::text[],
        case when c.changes then laid.said else p.said end, c.changes,
        case when not c.changes then p.imported else w.batch_id is not null
          or p.imported and p.said - array(select jsonb_object_keys(w.told)) <> '{{}}' end
      from folded p
      join word w on w.series_id = p.series_id and w.ts = p.ts and w.n = p.n + 1
      cross join lateral (select w.batch_id is distinct from $1 as theirs) t
      cross join lateral (select coalesce(p.said, '{{}}') || {word} as said) laid
      cross join lateral (
        select theirs and laid.said is distinct from p.said and laid.said ?& array[{needed}]::text[] as changes
      ) c
    )
    select series_id, ts, n, id, known_at, batch_id, told, repeats, said, changes from folded"""


async def _restore(copy: Driver, fact: str) -> None:
    """The fact table and `revision` as `history` has them."""
    values = await merge.all_values(copy, fact)
    new = ", ".join(f"{name} = said.{name}" for name in values)
    await copy.execute(
        f"""delete from {fact} f using (
          select series_id, ts from history group by series_id, ts having not bool_or(changes)) gone
        where f.series_id = gone.series_id and f.ts = gone.ts"""
    )
    await copy.execute(
        f"""update {fact} f set {new}, known_at = h.known_at, batch_id = h.batch_id
        from (select distinct on (series_id, ts) * from history where changes order by series_id, ts, n desc) h
        cross join lateral jsonb_populate_record(null::{fact}, h.said) said
        where f.series_id = h.series_id and f.ts = h.ts"""
    )
    await copy.execute(
        f"""delete from revision r using word w
        where w.n = 1 and r.fact = '{fact}' and r.series_id = w.series_id and r.ts = w.ts"""
    )
    await copy.execute(_revisions(fact, values))


def _revisions(fact: str, values: Sequence[str]) -> str:
    names = ", ".join(f"'{name}'" for name in values)
    return f"""insert into revision (id, fact, series_id, ts, known_at, replaced_at, said, batch_id, kept, repeats)
    overriding system value
    select v.next_id, '{fact}', v.series_id, v.ts, v.known_at, v.replaced_at, v.said, v.batch_id, nullif(array(
        select name from unnest(array[{names}]) with ordinality as c(name, n)
        where v.said ? name and not v.next_told ? name order by c.n), '{{}}'), false
    from (
      select *, lead(id) over w as next_id, lead(known_at) over w as replaced_at, lead(told) over w as next_told
      from history where changes window w as (partition by series_id, ts order by n)
    ) v where v.next_id is not null
    union all
    select id, '{fact}', series_id, ts, known_at, known_at, told, batch_id, null, true from history where repeats"""


async def _judge_anew(copy: Driver, batch: int) -> None:
    """Intervals that others judged with the import's settlements among theirs, without them."""
    groups: dict[int | None, list[asyncpg.Record]] = defaultdict(list)
    for row in await copy.fetch(sql("batches", "judged_since"), batch):
        groups[row["writer"]].append(row)
    for writer, spans in groups.items():
        series, first, last, since = ([row[name] for row in spans] for name in ("series_id", "first", "last", "since"))
        judged = await settlements.judged_anew(copy, series, first, last)
        if judged.num_rows:
            await copy.execute(merge.stage_table([name for name in judged.column_names if name != "own"]))
            await copy.copy_records_to_table(merge.STAGE, records=_records(judged), columns=judged.column_names)
            await _put_right(copy, series, since)
            await _put_later(copy, batch, writer)
            await copy.execute(f"drop table {merge.STAGE}")


async def _put_right(copy: Driver, series: Sequence[int], since: Sequence[datetime]) -> None:
    """What was told since then says the interval that is staged."""
    await copy.execute(
        f"""update funding f set interval_hours = s.interval_hours, interval_known = s.interval_known
        from {merge.STAGE} s join unnest($1::int[], $2::timestamptz[]) as b(series_id, since) using (series_id)
        where f.series_id = s.series_id and f.ts = s.ts and (f.known_at > b.since or f.batch_id in (
          select o.id from import_batch o where o.finished_at is null or o.finished_at > b.since))""",
        *(series, since),
    )


async def _put_later(copy: Driver, batch: int, writer: int | None) -> None:
    """What was told before that gets a later version: `writer` would have judged it."""
    spans = f"series_id, min(ts) as first, max(ts) as last from {merge.STAGE} group by series_id"
    await copy.execute(f"insert into touched select {spans}")
    await merge.merge(copy, "funding", ("interval_hours", "interval_known", "known_at"), once=True, batch=writer)
    if writer is not None:
        await copy.execute(
            f"""insert into import_span (batch_id, fact, series_id, first, last) select $1::int, 'funding', {spans}
            on conflict (batch_id, fact, series_id) do update set
              first = least(import_span.first, excluded.first), last = greatest(import_span.last, excluded.last)""",
            writer,
        )
    await _splice(copy, "funding", batch, f"select series_id, ts from {merge.STAGE}")


def _records(judged: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(judged[name].to_pylist() for name in judged.column_names), strict=True)


async def _latest(copy: Driver, fact: str) -> None:
    """The newest fact that is left of each touched series, where the import's may have been the newest."""
    to = latest.LATEST.get(fact)
    if to is None:
        return
    new = ", ".join(f"{name} = f.{column}" for column, name in {"ts": to.time, **to.values}.items())
    has_one = " and f.close is not null" if fact == "perp_1m" else ""
    await copy.execute(
        f"""update latest l set {new}
        from touched t left join lateral (
          select * from {fact} f where f.series_id = t.series_id{has_one} order by f.ts desc limit 1
        ) f on true
        where l.series_id = t.series_id and l.{to.time} between t.first and t.last"""
    )
    nothing = " and ".join(f"l.{place.time} is null" for place in latest.LATEST.values())
    await copy.execute(f"delete from latest l using touched t where l.series_id = t.series_id and {nothing}")
