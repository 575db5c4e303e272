-- name: funding_intervals
-- One row a stretch of settlements of a perpetual ($1, $2) with equal intervals, from the preferred source of each.
with told as (
  select distinct on (f.ts) f.ts, f.interval_hours, f.interval_known
  from instrument i
  join exchange x on x.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join funding f on f.series_id = s.id
  where x.slug = $1 and lower(i.symbol) = lower($2) and i.kind = 'perp'
  order by f.ts, s.preference, s.id
), marked as (
  select *, (interval_hours is distinct from lag(interval_hours) over (order by ts))::int as changed from told
), grouped as (
  select *, sum(changed) over (order by ts) as stretch from marked
), stretches as (
  select min(ts) as first, interval_hours, max(interval_known) as known, count(*) as settlements
  from grouped group by stretch, interval_hours
)
select first as "from", lead(first) over (order by first) as "to", interval_hours as hours,
  (array['assumed', 'inferred', 'declared'])[known + 1] as known, settlements
from stretches

-- name: freshness
-- One row a source and dataset: how old its newest fact is at $1, and whether that is late for what the schedule expects.
with told as (
  select o.slug as source, v.dataset, max(v.ts) as newest, count(*) as series
  from latest l
  join series s on s.id = l.series_id
  join source o on o.id = s.source_id,
  lateral (values ('funding', l.funding_ts), ('predicted_funding', l.predicted_ts), ('open_interest', l.oi_ts),
    ('candles_1m', l.minute_ts), ('candles_1h', l.hour_ts)) as v(dataset, ts)
  where v.ts is not null
  group by o.slug, v.dataset
), expected as (
  select source, dataset, min(every_s) as every_s
  from unnest($2::text[], $3::text[], $4::float8[]) as e(source, dataset, every_s) group by source, dataset
), pulled as (
  select source, dataset, max(finished_at) filter (where status in ('succeeded', 'partial')) as pulled_at
  from pull group by source, dataset
), hours as (
  select o.slug as source, max(l.interval_hours) as longest
  from latest l join series s on s.id = l.series_id join source o on o.id = s.source_id group by o.slug
), joined as (
  select source, dataset, t.newest, coalesce(t.series, 0) as series, e.every_s as asked_every_s, p.pulled_at,
    greatest(e.every_s, case dataset when 'funding' then coalesce(h.longest, 8) * 3600 when 'candles_1h' then 7200
      when 'candles_1m' then 120 end) as expected_every_s,
    extract(epoch from $1::timestamptz - case when dataset = 'instruments' then p.pulled_at else t.newest end)::float8
      as age_s
  from told t full join expected e using (source, dataset) left join pulled p using (source, dataset)
  left join hours h using (source)
)
select source, dataset, newest, age_s, expected_every_s, series, pulled_at,
  case when asked_every_s is not null then coalesce(age_s > expected_every_s + 2 * asked_every_s, true) end as late
from joined
where ($5::text[] is null or source = any($5)) and ($6::text[] is null or dataset = any($6))
