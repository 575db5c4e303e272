-- name: weighted
-- One row an entity of $1 (null: all) and instant from $2 to $3 every $4: the mean of the rates in force per $5 hours,
-- weighted by $6, added up in one order whatever the plan. Intervals are as judged to this day; where one instant is looked
-- up ($14; $2 = $3), as the settlements by then tell. Volume is of the 24 hours up to the last that ended, and only these
-- are read: from the hour last told by $2 (`last_hour`, `counted`), minutes only of hours nobody told (`untold`).
with member as materialized (
  select s.id as series_id, i.id as instrument_id, i.entity_id, i.symbol as instrument, e.slug as exchange, s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where ($1::int[] is null or i.entity_id = any($1)) and i.entity_id is not null and i.kind = 'perp'
    and ($8::text[] is null or e.slug = any($8))
    and ($9::text is null or coalesce(i.margin, 'stable') = $9)
    and ($11::text is null or o.slug = $11)
), asked as (
  select unnest($1::int[]) as entity_id union select entity_id from member
), settled as (
  select m.*, f.ts, f.rate, f.interval_hours, lead(f.ts) over (partition by m.series_id order by f.ts) as next_ts
  from member m, lateral (
    select k.ts, k.rate, k.interval_hours from funding_newest(m.series_id, $2, $10, 1) k where not $14::boolean
    union all
    select k.ts, k.rate, k.interval_hours from funding_last(m.series_id, $2, $10) k where $14
    union all
    (select k.ts, k.rate, k.interval_hours from funding_known($10) k
     where k.series_id = m.series_id and k.ts > $2 and k.ts <= $3)
  ) f
), rated as (
  select distinct on (g.ts, instrument_id) g.ts, entity_id, instrument_id, instrument, exchange, rate as rate_native,
    rate * $5::float8 / interval_hours as rate, interval_hours, settled.ts as settled_at,
    g.ts <= settled.ts + 1.5 * interval_hours * interval '1 hour' as in_force
  from settled, generate_series(
    greatest($2, date_bin($4, settled.ts - interval '1 microsecond', $2) + $4),
    least($3, next_ts - interval '1 microsecond', settled.ts + interval '30 days'), $4
  ) as g(ts)
  order by g.ts, instrument_id, in_force desc, preference, series_id
), held as (
  select *, lead(cell) over (partition by series_id order by cell) as next_cell
  from (
    select distinct on (m.series_id, cell) m.series_id, m.instrument_id, m.preference, f.ts, f.oi_usd,
      greatest($2, date_bin($4, f.ts - interval '1 microsecond', $2) + $4) as cell
    from member m, lateral (
      (select k.ts, v.usd as oi_usd
       from open_interest_known($10) k, open_interest_usd(m.series_id, k.ts, k.oi_base, k.oi_usd, $10) v
       where k.series_id = m.series_id and k.ts <= $2 and v.usd is not null order by k.ts desc limit 1)
      union all
      (select k.ts, v.usd as oi_usd
       from open_interest_known($10) k, open_interest_usd(m.series_id, k.ts, k.oi_base, k.oi_usd, $10) v
       where k.series_id = m.series_id and k.ts > $2 and k.ts <= $3 and v.usd is not null)
    ) f
    order by m.series_id, cell, f.ts desc
  ) newest
), weighed as (
  select distinct on (g.ts, instrument_id) g.ts, instrument_id, oi_usd, g.ts - held.ts <= $7::interval as fresh
  from held, generate_series(cell, least($3, next_cell - $4), $4) as g(ts)
  order by g.ts, instrument_id, fresh desc, preference, series_id
), last_hour as (
  select m.instrument_id, max(h.ts) as ts
  from member m left join lateral (
    (select f.ts from perp_1h f
     where f.series_id = m.series_id and f.ts >= $2 - interval '30 days' and f.ts <= $2 - interval '1 hour'
       and coalesce(f.volume_usd, f.volume_base * f.close) is not null and ($10::timestamptz is null or f.known_at <= $10)
     order by f.ts desc limit 1)
    union all
    (select r.ts from revision r
     where $10::timestamptz is not null and r.fact = 'perp_1h' and r.series_id = m.series_id
       and r.ts >= $2 - interval '30 days' and r.ts <= $2 - interval '1 hour' and r.known_at <= $10 and r.replaced_at > $10
       and (r.said->>'volume_usd' is not null or num_nulls(r.said->>'volume_base', r.said->>'close') = 0)
     order by r.ts desc limit 1)
  ) h on true
  where $6 = 'volume' group by m.instrument_id
), counted as (
  select l.instrument_id, coalesce(max(date_trunc('hour', n.ts)), l.ts, $2) - interval '23 hours' as since
  from last_hour l
  join member m using (instrument_id)
  cross join lateral (select coalesce(l.ts + interval '1 hour', $2 - interval '30 days') as first) later
  left join lateral (
    (select f.ts from perp_1m f
     where f.series_id = m.series_id and f.ts >= later.first and f.ts <= date_trunc('hour', $2::timestamptz) - interval '1 microsecond'
       and coalesce(f.volume_usd, f.volume_base * f.close) is not null and ($10::timestamptz is null or f.known_at <= $10)
     order by f.ts desc limit 1)
    union all
    (select r.ts from revision r
     where $10::timestamptz is not null and r.fact = 'perp_1m' and r.series_id = m.series_id
       and r.ts >= later.first and r.ts <= date_trunc('hour', $2::timestamptz) - interval '1 microsecond' and r.known_at <= $10 and r.replaced_at > $10
       and (r.said->>'volume_usd' is not null or num_nulls(r.said->>'volume_base', r.said->>'close') = 0)
     order by r.ts desc limit 1)
  ) n on true
  group by l.instrument_id, l.ts
), told_hourly as materialized (
  select m.instrument_id, m.preference, h.ts, h.usd
  from counted join member m using (instrument_id), lateral (
    select c.ts, coalesce(c.volume_usd, c.volume_base * c.close) as usd from perp_1h_known($10) c
    where c.series_id = m.series_id and c.ts >= since and c.ts <= $3 - interval '1 hour' offset 0
  ) h
  where usd is not null
), untold as (
  select instrument_id, g.ts
  from counted, generate_series(date_trunc('hour', since), $3 - interval '1 hour', interval '1 hour') as g(ts)
  except select instrument_id, ts from told_hourly
), hourly as (
  select * from told_hourly
  union all
  select m.instrument_id, m.preference, u.ts, sum(n.usd order by n.ts)
  from untold u join member m using (instrument_id), lateral (
    select c.ts, coalesce(c.volume_usd, c.volume_base * c.close) as usd from perp_1m_known($10) c
    where c.series_id = m.series_id and c.ts >= u.ts and c.ts < u.ts + interval '1 hour' offset 0
  ) n
  group by m.instrument_id, m.preference, u.ts
), daily as (
  select instrument_id, ts + interval '1 hour' as ts,
    sum(usd) over (partition by instrument_id order by ts range interval '23 hours' preceding) as usd
  from (
    select distinct on (instrument_id, ts) instrument_id, ts, usd from hourly where usd is not null
    order by instrument_id, ts, preference
  ) told
), stepped as (
  select *, lead(cell) over (partition by instrument_id order by cell) as next_cell
  from (
    select distinct on (instrument_id, cell) instrument_id, ts, usd,
      greatest($2, date_bin($4, ts - interval '1 microsecond', $2) + $4) as cell
    from daily order by instrument_id, cell, ts desc
  ) newest
), traded as (
  select g.ts, instrument_id, usd, g.ts - stepped.ts <= $7::interval as fresh
  from stepped, generate_series(cell, least($3, next_cell - $4), $4) as g(ts)
), joined as (
  select r.*, case when w.fresh then w.oi_usd end as oi_usd,
    case $6 when 'oi' then w.oi_usd when 'volume' then t.usd else 1 end as weight,
    case $6 when 'oi' then w.fresh when 'volume' then t.fresh else true end as fresh
  from rated r
  left join weighed w using (ts, instrument_id)
  left join traded t using (ts, instrument_id)
), judged as (
  select *, in_force and coalesce(fresh, false) and weight is not null as present from joined
), summed as (
  select a.entity_id, g.ts as time,
    sum(weight * j.rate order by instrument_id) filter (where present)
      / nullif(sum(weight order by instrument_id) filter (where present), 0) as rate,
    avg(j.rate order by instrument_id) filter (where present) as mean,
    percentile_cont(0.5) within group (order by j.rate) filter (where present) as median,
    min(j.rate) filter (where present) as min, max(j.rate) filter (where present) as max,
    count(*) filter (where present) as instruments,
    sum(oi_usd order by instrument_id) filter (where present) as oi_usd,
    coalesce(sum(weight order by instrument_id) filter (where present), 0)
      / nullif(sum(weight order by instrument_id), 0) as coverage,
    min(date_bin(interval_hours * interval '1 hour', g.ts, settled_at) + interval_hours * interval '1 hour') filter (
      where in_force) as next_time,
    coalesce(array_agg(distinct exchange) filter (where present), '{}') as present,
    coalesce(array_agg(distinct exchange) filter (where in_force and not present), '{}') as stale,
    coalesce(array_agg(distinct exchange) filter (where not in_force), '{}') as missing,
    case when $13::boolean then coalesce(jsonb_agg(jsonb_build_object(
      'exchange', exchange, 'instrument', instrument, 'rate', j.rate, 'rate_native', rate_native,
      'interval_hours', interval_hours, 'settled_at', iso(settled_at), 'weight', weight, 'oi_usd', oi_usd,
      'state', case when present then 'present' when in_force then 'stale' else 'missing' end
    ) order by exchange, instrument) filter (where exchange is not null), '[]') end as contributors
  from asked a cross join generate_series($2, $3, $4) as g(ts) left join judged j using (entity_id, ts)
  group by a.entity_id, g.ts
)
select entity_id, time, case when $12::float8 <= 0 or coverage >= $12 then rate end as rate, mean, median, min, max, instruments,
  oi_usd, coverage, next_time, present, stale, missing, contributors
from summed

-- name: weighted_hourly
-- One row an hour from $2 to $3 of an asset, per $4 hours, read from the rollup.
select g.ts as time,
  case when $5::float8 <= 0 or c.coverage >= $5 then c.rate * $4::float8 / 8 end as rate,
  c.mean * $4 / 8 as mean, c.median * $4 / 8 as median, c.min * $4 / 8 as min, c.max * $4 / 8 as max,
  coalesce(c.instruments, 0) as instruments, c.oi_usd, c.coverage,
  coalesce(c.present, '{}') as present, coalesce(c.stale, '{}') as stale, coalesce(c.missing, '{}') as missing,
  null::jsonb as contributors
from generate_series($2::timestamptz, $3::timestamptz, interval '1 hour') as g(ts)
left join coin_1h c on c.entity_id = $1 and c.ts = g.ts
