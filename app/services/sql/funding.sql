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
