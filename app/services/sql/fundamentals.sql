-- name: catalogue
-- One row a metric (of sources $1, domains $2, whose words hold $3, called one of $4): how much is stored of it.
with hours as materialized (
  select o.slug as source, count(distinct i.entity_id) as entities, min(h.first) as first, max(l.hour_ts) as last
  from source o
  join series s on s.source_id = o.id
  join instrument i on i.id = s.instrument_id and i.kind = 'perp'
  join latest l on l.series_id = s.id and l.hour_ts is not null
  cross join lateral (select min(k.ts) as first from perp_1h k where k.series_id = s.id) h
  where o.slug in (select source from metric where column_name is not null)
  group by o.slug
)
select m.source, m.name, m.canonical as canonical_name, m.unit, m.domain, m.granularity, m.covers, m.signed, m.about,
  greatest(own.entities, hours.entities) as entities, least(own.first, hours.first) as first,
  greatest(own.last, hours.last) as last
from metric m
left join hours on hours.source = m.source and m.column_name is not null
cross join lateral (
  select count(distinct s.entity_id) as entities, min(v.first) as first, max(v.last) as last
  from metric_series s,
  lateral (select min(k.ts) as first, max(k.ts) as last from metric_value k where k.series_id = s.id) v
  where s.metric_id = m.id and v.first is not null
) own
where ($1::text[] is null or m.source = any($1))
  and ($2::text[] is null or m.domain = any($2))
  and ($3::text is null or strpos(lower(m.name || ' ' || m.canonical || ' ' || m.about), lower($3)) > 0)
  and ($4::text[] is null or lower(m.name) = any($4) or lower(m.canonical) = any($4))

-- name: history
-- One row a value in [$2, $3) of an entity ($1), stored as such or as a column of an hour of its perpetuals.
with asked as materialized (
  select m.* from metric m
  where ($4::text[] is null or lower(m.name) = any($4) or lower(m.canonical) = any($4))
    and ($5::text[] is null or m.source = any($5))
)
select v.ts as time, m.name as metric, m.canonical as canonical_metric, m.source, e.slug as exchange,
  null::text as instrument, v.value, m.unit, m.covers, null::float8 as age_s
from asked m
join metric_series s on s.metric_id = m.id and s.entity_id = $1
left join exchange e on e.id = s.exchange_id,
lateral (
  select * from metric_value_known($7) k where k.series_id = s.id and k.ts >= $2 and k.ts < $3 offset 0
) v
where $6::text[] is null or e.slug = any($6)
union all
select h.ts, m.name, m.canonical, m.source, e.slug, i.symbol, h.value, m.unit, m.covers, null
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join asked m on m.source = o.slug and m.column_name is not null,
lateral (
  select * from perp_1h_value($7, m.column_name) k
  where k.series_id = s.id and k.ts >= $2 and k.ts < $3 and k.value is not null offset 0
) h
where i.entity_id = $1 and i.kind = 'perp' and ($6::text[] is null or e.slug = any($6))

-- name: at
-- One row a series of an entity ($1): the last value whose window was over at $2; of hours, one of the last $7.
-- A value told daily may be replaced until its day is over (`settled`): of a younger one, the version known at $2.
with asked as materialized (
  select m.*, case m.covers when 'day' then interval '1 day' when '1h' then interval '1 hour' else '0' end as span,
    case when m.granularity = 'daily' or m.covers = 'day' then interval '1 day'
      when m.covers = '1h' then interval '1 hour' else '0' end as settled
  from metric m
  where ($3::text[] is null or lower(m.name) = any($3) or lower(m.canonical) = any($3))
    and ($4::text[] is null or m.source = any($4))
)
select v.ts as time, m.name as metric, m.canonical as canonical_metric, m.source, e.slug as exchange,
  null::text as instrument, v.value, m.unit, m.covers, extract(epoch from $2::timestamptz - v.ts)::float8 as age_s
from asked m
join metric_series s on s.metric_id = m.id and s.entity_id = $1
left join exchange e on e.id = s.exchange_id,
lateral (
  (
    select k.ts, k.value from metric_value_known(least($2::timestamptz, $6)) k
    where k.series_id = s.id and k.ts > $2::timestamptz - m.settled and k.ts <= $2::timestamptz - m.span
    order by k.ts desc limit 1
  ) union all (
    select k.ts, k.value from metric_value_known($6) k
    where k.series_id = s.id and k.ts <= $2::timestamptz - m.settled
    order by k.ts desc limit 1
  )
  order by ts desc limit 1
) v
where $5::text[] is null or e.slug = any($5)
union all
select h.ts, m.name, m.canonical, m.source, e.slug, i.symbol, h.value, m.unit, m.covers,
  extract(epoch from $2::timestamptz - h.ts)::float8
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join asked m on m.source = o.slug and m.column_name is not null,
lateral (
  select k.ts, k.value from perp_1h_value($6, m.column_name) k
  where k.series_id = s.id and k.ts <= $2::timestamptz - interval '1 hour' and k.ts > $2::timestamptz - $7::interval
    and k.value is not null
  order by k.ts desc limit 1
) h
where i.entity_id = $1 and i.kind = 'perp' and ($5::text[] is null or e.slug = any($5))

-- name: canonical
-- One row a canonical metric that the words $1 mean: one called so, else that of a metric a source calls so.
select distinct m.canonical
from unnest($1::text[]) as asked(word)
join metric m on lower(m.canonical) = asked.word
  or lower(m.name) = asked.word and not exists (select from metric c where lower(c.canonical) = asked.word)
order by m.canonical

-- name: terms
-- One row a canonical metric ($1) and way to measure it: unit, window, and the sources (of $2) that tell it so.
select m.canonical, m.unit, m.covers, array_agg(distinct m.source order by m.source) as sources
from metric m
where m.canonical = any($1::text[]) and ($2::text[] is null or m.source = any($2))
group by m.canonical, m.unit, m.covers
order by m.canonical, m.unit, m.covers

-- name: compare
-- One row a bucket of $4 in [$2, $3) (or $9 alone), entity and source: its last value beside those of other sources.
-- $1 canonical metrics, $5 entities (null: all with several of the sources $6), $7 known at, $8 metrics that add up:
-- those of their values at most $10 older than the newest. `settled` as above.
with asked as materialized (
  select m.*, m.canonical = any($8::text[]) as adds_up,
    case m.covers when 'day' then interval '1 day' when '1h' then interval '1 hour' else '0' end as span,
    case when m.granularity = 'daily' or m.covers = 'day' then interval '1 day'
      when m.covers = '1h' then interval '1 hour' else '0' end as settled
  from metric m
  where m.canonical = any($1::text[]) and ($6::text[] is null or m.source = any($6))
), own as materialized (
  select m.id as metric_id, m.source, m.span, m.settled, s.entity_id, s.id as series_id, e.slug as exchange
  from asked m join metric_series s on s.metric_id = m.id left join exchange e on e.id = s.exchange_id
  where $5::int[] is null or s.entity_id = any($5)
), hourly as materialized (
  select m.id as metric_id, m.source, m.column_name, i.entity_id, s.id as series_id, e.slug as exchange,
    i.symbol as instrument
  from asked m
  join source o on o.slug = m.source and m.column_name is not null
  join series s on s.source_id = o.id
  join instrument i on i.id = s.instrument_id and i.kind = 'perp' and i.entity_id is not null
  join exchange e on e.id = i.exchange_id
  where $5::int[] is null or i.entity_id = any($5)
), chosen as materialized (
  select entity_id
  from (select entity_id, source from own union all select entity_id, source from hourly) listed
  group by entity_id
  having $5::int[] is not null or count(distinct source) >= least(2, coalesce(cardinality($6::text[]), 2))
), told as (
  select o.metric_id, o.entity_id, o.exchange, null::text as instrument, v.ts, v.value
  from own o join chosen using (entity_id),
  lateral (
    select k.ts, k.value from metric_value_known($7) k
    where k.series_id = o.series_id and k.ts >= $2 and k.ts < $3
      and ($9::timestamptz is null or k.ts <= $9::timestamptz - o.settled)
    union all
    select k.ts, k.value from metric_value_known(least($9::timestamptz, $7)) k
    where k.series_id = o.series_id and k.ts >= $2
      and k.ts > $9::timestamptz - o.settled and k.ts <= $9::timestamptz - o.span
    offset 0
  ) v
  union all
  select o.metric_id, o.entity_id, o.exchange, o.instrument, h.ts, h.value
  from hourly o join chosen using (entity_id),
  lateral (
    select * from perp_1h_value($7, o.column_name) k
    where k.series_id = o.series_id and k.ts >= $2 and k.ts < $3 and k.value is not null offset 0
  ) h
  where $9::timestamptz is null or h.ts + interval '1 hour' <= $9
), newest as (
  select distinct on (metric_id, entity_id, exchange, instrument, bucket) *
  from (select *, coalesce($9, date_bin($4::interval, ts, '2000-01-01Z')) as bucket from told) binned
  where bucket >= $2
  order by metric_id, entity_id, exchange, instrument, bucket, ts desc
), part as (
  select n.bucket, n.entity_id, m.canonical, m.source, m.name, m.unit, m.covers,
    case when not m.adds_up then n.exchange end as exchange,
    case when not m.adds_up then n.instrument end as instrument,
    n.value, n.ts, case when m.adds_up then n.exchange end as venue,
    not m.adds_up or n.ts >= max(n.ts) over (partition by n.metric_id, n.entity_id, n.bucket) - $10::interval as fresh
  from newest n join asked m on m.id = n.metric_id
), voice as (
  select bucket, entity_id, canonical, source, name, unit, covers, exchange, instrument,
    coalesce(sum(value) filter (where fresh and venue is null), sum(value) filter (where fresh)) as value,
    min(ts) filter (where fresh) as value_time,
    coalesce(array_agg(distinct venue) filter (where fresh and venue is not null), '{}') as summed,
    coalesce(array_agg(distinct venue) filter (where not fresh and venue is not null), '{}') as stale
  from part
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9
), placed as (
  select *, count(*) over alike as voices, row_number() over (alike order by value) as place
  from (select *, exchange is null as whole from voice) v
  window alike as (partition by bucket, entity_id, canonical, unit, covers, whole)
), beside as (
  select *, max(value) over alike - min(value) over alike as range,
    avg(value) filter (where place in ((voices + 1) / 2, voices / 2 + 1)) over alike as median,
    whole and min(source) over alike <> max(source) over alike as compared
  from placed
  window alike as (partition by bucket, entity_id, canonical, unit, covers, whole)
)
select b.bucket as time, a.asset, b.canonical as metric, b.source, b.exchange, b.instrument, b.name as native_metric,
  b.unit, b.covers, b.value, b.value_time, b.summed, b.stale,
  case when compared then b.median end as median,
  case when compared then (b.value - b.median) / nullif(abs(b.median), 0) end as deviation,
  case when compared then b.range / nullif(abs(b.median), 0) end as disagreement
from beside b join asset a on a.entity_id = b.entity_id
