-- name: history
-- One row a settlement of each perpetual of an asset in [$2, $3), from the preferred source that tells of it.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, e.slug as exchange, i.symbol as instrument, o.slug as source,
    s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp'
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and ($7::text is null or o.slug = $7)
), told as (
  select m.*, f.ts, f.rate, f.interval_hours, f.interval_known, f.known_at,
    row_number() over (partition by m.instrument_id, f.ts order by m.preference, m.series_id) as place
  from member m, lateral (
    select * from funding_known($8) k where k.series_id = m.series_id and k.ts >= $2 and k.ts < $3 offset 0
  ) f
)
select ts as time, exchange, instrument,
  case when $4::float8 is null then rate else rate * $4 / interval_hours end as rate,
  rate as rate_native, interval_hours,
  (array['assumed', 'inferred', 'declared'])[interval_known + 1] as interval_known,
  'settled' as kind, source
from told where place = 1

-- name: means
-- One row a bucket of $9 that begins in [$2, $3) and perpetual of an asset: what settled in it, from the preferred
-- source of each settlement, and its mean per $4 hours.
with told as (
  select e.slug as exchange, i.symbol as instrument, i.id as instrument_id, o.slug as source, f.ts, f.rate,
    f.interval_hours, row_number() over (partition by i.id, f.ts order by s.preference, s.id) as place
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id,
  lateral (
    select * from funding_known($8) k where k.series_id = s.id and k.ts >= $2
      and k.ts < date_bin($9::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $9 offset 0
  ) f
  where i.entity_id = $1 and i.kind = 'perp'
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and ($7::text is null or o.slug = $7)
)
select date_bin($9::interval, ts, '2000-01-01Z') as time, exchange, instrument,
  sum(rate order by ts) / sum(interval_hours order by ts) * $4::float8 as rate, sum(rate order by ts) as cumulative_rate,
  count(*) as settlements, sum(interval_hours order by ts) as interval_hours, string_agg(distinct source, ',') as source
from told where place = 1 and date_bin($9::interval, ts, '2000-01-01Z') >= $2
group by 1, exchange, instrument, instrument_id

-- name: at
-- One row a perpetual of an asset: its settled rate in force at $2, which is not older than 1.5 of its intervals.
with told as (
  select e.slug as exchange, i.symbol as instrument, o.slug as source, i.id as instrument_id, s.preference, s.id, f.*
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  cross join lateral funding_last(s.id, $2, $8) f
  where i.entity_id = $1 and i.kind = 'perp' and $3::timestamptz is not null
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and ($7::text is null or o.slug = $7)
    and $2 <= f.ts + 1.5 * f.interval_hours * interval '1 hour'
)
select distinct on (instrument_id) ts as time, exchange, instrument,
  case when $4::float8 is null then rate else rate * $4 / interval_hours end as rate,
  rate as rate_native, interval_hours,
  (array['assumed', 'inferred', 'declared'])[interval_known + 1] as interval_known,
  'settled' as kind, source
from told order by instrument_id, preference, id

-- name: carry
-- One row a perpetual of an asset: the plain sum of what settled in [$2, $3), for $5 USD long ($4 = 1) or short (-1).
-- The yearly figures are of the window: apr simple, apy compounded (null where that has no value).
with told as (
  select e.slug as exchange, i.symbol as instrument, i.id as instrument_id, f.ts, f.rate,
    row_number() over (partition by i.id, f.ts order by s.preference, s.id) as place
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id,
  lateral (select * from funding_known($9) k where k.series_id = s.id and k.ts >= $2 and k.ts < $3 offset 0) f
  where i.entity_id = $1 and i.kind = 'perp'
    and ($6::text[] is null or e.slug = any($6))
    and ($7::text is null or coalesce(i.margin, 'stable') = $7)
    and ($8::text is null or o.slug = $8)
)
select exchange, instrument, case when $4::float8 < 0 then 'short' else 'long' end as side, settlements, cumulative_rate,
  cumulative_rate * windows_a_year as apr,
  case when cumulative_rate <= -1 then null when abs(ln(1 + cumulative_rate) * windows_a_year) < 700
    then exp(ln(1 + cumulative_rate) * windows_a_year) - 1 end as apy,
  $4::float8 * $5::float8 * cumulative_rate as paid_usd
from (
  select exchange, instrument, count(*) as settlements, sum(rate order by ts) as cumulative_rate,
    8760 / (extract(epoch from $3::timestamptz - $2::timestamptz)::float8 / 3600) as windows_a_year
  from told where place = 1 group by exchange, instrument
) summed

-- name: weighted
-- One row an entity of $1 (null: all) and instant from $2 to $3 every $4: the mean of the rates in force per $5 hours,
-- weighted by $6, added up in one order whatever the plan. Intervals are as judged to this day; where one instant is looked
-- up ($14; $2 = $3), as the settlements by then tell.
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
), hourly as (
  select m.instrument_id, m.preference, c.ts, coalesce(c.volume_usd, c.volume_base * c.close) as usd
  from member m, perp_1h_known($10) c
  where $6 = 'volume' and c.series_id = m.series_id and c.ts >= $2 - interval '30 days' and c.ts < $3
  union all
  select m.instrument_id, m.preference + 100, date_trunc('hour', c.ts),
    sum(coalesce(c.volume_usd, c.volume_base * c.close))
  from member m, perp_1m_known($10) c
  where $6 = 'volume' and c.series_id = m.series_id and c.ts >= $2 - interval '30 days' and c.ts < $3
  group by m.instrument_id, m.preference, date_trunc('hour', c.ts)
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
    min(settled_at + interval_hours * interval '1 hour') filter (
      where in_force and settled_at + interval_hours * interval '1 hour' > g.ts) as next_time,
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
