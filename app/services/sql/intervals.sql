-- name: history
-- One row a stretch of settlements up to $3 of a perpetual ($1, $2) with equal intervals, of each the preferred source's,
-- as known at $4 (at an instant: as the settlements by then tell); beside it what its exchange declared by its last settlement (of the stretch now: by now). Where nothing
-- has settled, one row a declaration.
with contract as materialized (
  select i.id from instrument i join exchange x on x.id = i.exchange_id
  where x.slug = $1 and lower(i.symbol) = lower($2) and i.kind = 'perp'
), told as (
  select distinct on (f.ts) f.ts, v.interval_hours, v.interval_known, s.id as series_id, o.slug as source
  from contract c
  join series s on s.instrument_id = c.id
  join source o on o.id = s.source_id
  left join lateral funding_last(s.id, $3, $4) l on true
  cross join lateral (
    select * from funding_known($4) k
    where k.series_id = s.id and ($3::timestamptz is null or k.ts <= $3) offset 0
  ) f
  cross join lateral (
    select f.interval_hours, f.interval_known where f.ts < l.told_at or l.told_at is null
    union all
    select l.interval_hours, n.interval_known from funding_last(s.id, f.ts, $4) n where f.ts >= l.told_at
  ) v
  order by f.ts, s.preference, s.id
), spaced as (
  select *, extract(epoch from ts - lag(ts) over w)::float8 / 3600 as spacing,
    (interval_hours is distinct from lag(interval_hours) over w)::int as changed
  from told window w as (order by ts)
), marked as (
  select *, sum(changed) over (order by ts) as stretch from spaced
), stretched as (
  select min(ts) as first, max(ts) as last, lead(min(ts)) over (order by min(ts)) as next, interval_hours as hours,
    mode() within group (order by interval_known desc) as known, count(*) as settlements,
    coalesce(sum(round(spacing / interval_hours) - 1) filter (where spacing > interval_hours), 0)::bigint as gaps,
    min(ts) filter (where interval_known > 0) as first_evidence,
    max(ts) filter (where interval_known > 0) as last_evidence,
    string_agg(distinct source, ',' order by source) as source, (array_agg(series_id order by ts))[1] as series_id
  from marked group by stretch, interval_hours
), declared as (
  select d.valid_from, d.value::float8 as hours, d.source, d.known_at
  from contract c join instrument_fact d on d.instrument_id = c.id
  where d.fact = 'funding_interval_hours' and ($3::timestamptz is null or d.valid_from <= $3)
    and ($4::timestamptz is null or d.known_at <= $4)
)
select s.first as "from", s.next as "to", s.hours, (array['assumed', 'inferred', 'declared'])[s.known + 1] as known,
  s.settlements, s.gaps, s.first_evidence, s.last_evidence, s.source, learned.known_at,
  d.hours as declared_hours, d.valid_from as declared_at, d.hours <> s.hours as disagrees
from stretched s
left join lateral (
  select * from declared where s.next is null or valid_from <= s.last order by valid_from desc limit 1
) d on true
cross join lateral (
  select coalesce(min(version.known_at) filter (where version.interval_hours = s.hours), min(version.known_at))
    as known_at
  from (
    select f.known_at, f.interval_hours from funding f where f.series_id = s.series_id and f.ts = s.first
    union all
    select r.known_at, (r.said->>'interval_hours')::float8 from revision r
    where r.fact = 'funding' and r.series_id = s.series_id and r.ts = s.first and not r.repeats
  ) version
  where $4::timestamptz is null or version.known_at <= $4
) learned
union all
select valid_from, lead(valid_from) over (order by valid_from), hours, 'declared', 0, 0, null, null, source, known_at,
  hours, valid_from, false
from declared where not exists (select from told)
