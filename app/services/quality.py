"""Reading what is listed, how fresh it is, and what was refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.db import Database
from app.services import log
from app.services.queries import Query, sql

EXCHANGES = """
select x.slug as exchange, x.name, x.funding_interval_hours, x.docs_url, x.generated,
  (select count(*) from instrument i where i.exchange_id = x.id and i.active) as instruments,
  array(
    select o.slug from instrument i join series s on s.instrument_id = i.id join source o on o.id = s.source_id
    where i.exchange_id = x.id group by o.slug order by min(s.preference), min(s.id)) as sources
from exchange x
"""

INSTRUMENTS = """
select x.slug as exchange, i.symbol, a.asset, i.kind, i.margin, i.quote, i.contract_size, i.multiplier,
  i.funding_interval_hours, i.active, i.listed_at, i.delisted_at, i.oi_sides
from instrument i
join exchange x on x.id = i.exchange_id
left join asset a on a.entity_id = i.entity_id
where ($1::int[] is null or i.entity_id = any($1))
  and ($2::text[] is null or x.slug = any($2))
  and ($3::text[] is null or i.kind = any($3))
  and ($4::boolean is null or i.active = $4)
  and ($5::text is null or lower(i.symbol) = lower($5))
"""

REJECTS = """
select r.source, r.dataset, r.code, nullif(r.symbol, '') as symbol, r.reason, r.count, r.first_seen, r.last_seen, r.id
from reject r
where ($1::text[] is null or r.source = any($1)) and ($2::text[] is null or r.dataset = any($2))
"""

PULLS = """
select p.id, p.source, p.dataset, p.status, p.started_at, p.finished_at, p.requests, p.received, p.inserted, p.updated,
  p.rejected, p.error, extract(epoch from coalesce(p.finished_at, clock_timestamp()) - p.started_at) as duration
from pull p
where ($1::text[] is null or p.source = any($1)) and ($2::text[] is null or p.dataset = any($2))
  and ($3::text is null or p.status = $3) and ($4::bigint is null or p.id = $4)
  and ($5::bigint is null or p.id > $5)
"""

JOBS = """
select j.id, j.source, j.dataset, j.every_s, coalesce(s.paused, false) as paused, s.asked_at,
  case when not coalesce(s.paused, false) then j.next_at end as next_at, p.id as last_pull, p.status as last_status,
  p.started_at as last_started_at, p.finished_at as last_finished_at, p.error as last_error
from jsonb_to_recordset($1::jsonb) as j(id text, source text, dataset text, every_s float8, next_at timestamptz)
left join job s on s.id = j.id
left join (
  select distinct on (source, dataset) * from pull where started_at > now() - interval '7 days'
  order by source, dataset, id desc
) p on p.source = j.source and p.dataset = j.dataset
"""

PULL_COUNTS = """
select source, dataset, status, count(*) as pulls, sum(inserted)::bigint as inserted, sum(rejected)::bigint as rejected
from pull group by source, dataset, status
"""

LATE = "select source, count(*) as late from ({}) f where late group by source"

REJECT_COUNTS = "select source, dataset, sum(count)::bigint as rejects from reject group by source, dataset"


def exchanges() -> Query:
    """One row an exchange."""
    return Query(EXCHANGES, ())


def instruments(
    *,
    entities: Sequence[int] | None = None,
    exchanges: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    active: bool | None = None,
    symbol: str | None = None,
) -> Query:
    """One row a contract, with its facts as they stand now."""
    return Query(INSTRUMENTS, (entities, exchanges, kinds, active, symbol))


def funding_intervals(exchange: str, symbol: str, at: datetime | None, known_at: datetime | None) -> Query:
    """One row a stretch of equal intervals of a perpetual up to `at`, as known at `known_at` (None: now)."""
    return Query(sql("intervals", "history"), (exchange, symbol, at, known_at))


def instrument_facts(exchange: str, symbol: str) -> Query:
    """One row a stretch in which a fact of a contract was the same."""
    return Query(sql("quality", "instrument_facts"), (exchange, symbol))


def freshness(
    expected: Sequence[tuple[str, str, float | None]],
    now: datetime,
    sources: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
) -> Query:
    """One row a source and dataset: its newest fact, against how often (seconds; None: no saying) it is asked for."""
    columns = ([row[n] for row in expected] for n in range(3))
    return Query(sql("quality", "freshness"), (now, *columns, sources, datasets))


@dataclass(frozen=True, slots=True)
class Pulls:
    """How the last pulls of a source went, of all its datasets together.

    `failures`: those that failed, each since the last success of its dataset; `error` is that of the last of them.
    `unanswered`: the last of them that asked anything got no answer at all. `paused`: datasets whose job an operator
    paused; their failures do not count.
    """

    last_success_at: datetime | None
    last_failure_at: datetime | None
    failures: int
    running: bool
    error: str | None
    unanswered: bool
    paused: Sequence[str] = ()


async def source_states(db: Database, datasets: Mapping[str, Sequence[str]]) -> dict[str, Pulls]:
    """How the pulls of each source went, by source; `datasets`: what each is asked for."""
    pairs = [(source, dataset) for source, asked in datasets.items() for dataset in asked]
    columns = ([pair[n] for pair in pairs] for n in range(2))
    nobodys = [log.CANCELLED, log.ABANDONED]
    rows = await db.reads.fetch(sql("quality", "source_states"), *columns, nobodys, log.UNREACHABLE)
    return {row["source"]: Pulls(**{name: row[name] for name in Pulls.__slots__}) for row in rows}


async def late(
    db: Database,
    expected: Sequence[tuple[str, str, float | None]],
    now: datetime,
    sources: Sequence[str] | None = None,
) -> dict[str, int]:
    """How many facts of each source are overdue, of those where there is saying; arguments as of `freshness`."""
    query = freshness(expected, now, sources)
    rows = await db.reads.fetch(LATE.format(query.text), *query.arguments)
    return {row["source"]: row["late"] for row in rows}


async def last_pull(db: Database) -> int:
    """Number of the last pull that began; 0 where there is none."""
    return await db.reads.fetchval("select coalesce(max(id), 0) from pull")


async def has_pull(db: Database, number: int) -> bool:
    """Whether there is a pull of this number."""
    return await db.reads.fetchval("select exists (select from pull where id = $1)", number)


def jobs(planned: Sequence[Mapping[str, object]]) -> Query:
    """One row a job of the schedule, with what operators said of it and how it went last (in the last week)."""
    return Query(JOBS, (json.dumps(planned),))


def unmapped(sources: Sequence[str] | None, id_types: Sequence[str] | None, q: str | None) -> Query:
    """One row a thing a source lists, or a contract, that is of no entity, with those it may be."""
    return Query(sql("quality", "unmapped"), (sources, id_types, q))


def rejects(sources: Sequence[str] | None, datasets: Sequence[str] | None) -> Query:
    """One row a reason for which rows were refused."""
    return Query(REJECTS, (sources, datasets))


def pulls(
    *,
    sources: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    status: str | None = None,
    one: int | None = None,
    after: int | None = None,
) -> Query:
    """One row a pull."""
    return Query(PULLS, (sources, datasets, status, one, after))
