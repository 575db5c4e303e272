-- name: funding
-- One row two sources of a perpetual of which both tell of one settlement in [$1, $2): rates per 8 hours. Of entities $3,
-- exchanges $4, where either source is in $5; as known at $6.
with pair as materialized (select * from told_twice($3, $4, $5))
select b.ts as time, 'funding' as dataset, pair.entity_id, exchange, instrument, 'rate' as field, source,
  a.rate * 8 / a.interval_hours as value, other_source, b.rate * 8 / b.interval_hours as other_value,
  'fraction per 8 hours' as unit
from pair
cross join lateral (select * from funding_known($6) k where k.series_id = other_id and k.ts >= $1 and k.ts < $2 offset 0) b
cross join lateral (select * from funding_known($6) k where k.series_id = pair.series_id and k.ts = b.ts offset 0) a

-- name: predicted
-- One row two sources of a perpetual and hour in [$1, $2): the last estimate of the other in that hour, and the nearest of
-- the preferred within 10 minutes of it, per 8 hours; null where nothing tells of which interval it was. Narrowed as above.
with pair as materialized (select * from told_twice($3, $4, $5)), hour as materialized (
  select t.instrument_id, t.other_id, p.ts, p.rate * 8 / v.hours as value
  from (select distinct instrument_id, other_id from pair) t
  cross join lateral (
    select distinct on (date_trunc('hour', k.ts)) * from estimate_known($6, $1, $2) k
    where k.series_id = other_id order by date_trunc('hour', k.ts), k.ts desc
  ) p
  left join lateral interval_at(t.instrument_id, t.other_id, p.interval_hours, p.ts, $6) v on true
)
select b.ts as time, 'predicted' as dataset, pair.entity_id, exchange, instrument, 'rate' as field, source,
  a.rate * 8 / v.hours as value, other_source, b.value as other_value, 'fraction per 8 hours' as unit
from pair
join hour b using (instrument_id, other_id)
cross join lateral (
  select * from estimate_known($6, b.ts - interval '10 minutes', b.ts + interval '10 minutes') k
  where k.series_id = pair.series_id order by abs(extract(epoch from k.ts - b.ts)), k.ts limit 1
) a
left join lateral interval_at(instrument_id, pair.series_id, a.interval_hours, a.ts, $6) v on true

-- name: without_interval
-- One row: how many estimates that two sources tell of a perpetual in [$1, $2) cannot be compared, since nothing told by
-- then of which interval they were. What is told of a contract before $1 is told of all its estimates after.
select count(*)
from (
  select t.instrument_id, s.id
  from (select distinct instrument_id from told_twice($3, $4, $5)) t join series s using (instrument_id)
  where not exists (select from interval_at(t.instrument_id, s.id, null, $1, $6))
) untold
cross join lateral (
  select * from estimate_known($6, $1, $2) k where k.series_id = untold.id and k.interval_hours is null offset 0
) p
where not exists (select from interval_at(instrument_id, untold.id, null, p.ts, $6))

-- name: open_interest
-- One row two sources of a perpetual, hour in [$1, $2) and unit: the last sample of the other in that hour (what stood at
-- the end of an hour counts), and the nearest of the preferred within 10 minutes of it. Narrowed as above.
with pair as materialized (select * from told_twice($3, $4, $5))
select b.ts as time, 'open-interest' as dataset, pair.entity_id, exchange, instrument, field, source, value, other_source,
  other_value, unit
from pair
cross join lateral (
  select distinct on (date_trunc('hour', o.ts)) o.ts, o.oi_usd, o.oi_base from (
    select k.ts, k.oi_usd, k.oi_base from open_interest_known($6) k
    where k.series_id = other_id and k.ts >= $1 and k.ts < $2
    union all
    select h.ts + interval '1 hour', h.oi_usd_close, h.oi_base_close from perp_1h_known($6) h
    where h.series_id = other_id and num_nonnulls(h.oi_usd_close, h.oi_base_close) > 0
      and h.ts >= $1::timestamptz - interval '1 hour' and h.ts < $2::timestamptz - interval '1 hour'
  ) o
  order by date_trunc('hour', o.ts), o.ts desc
) b
cross join lateral (
  select o.ts, o.oi_usd, o.oi_base from (
    select k.ts, k.oi_usd, k.oi_base from open_interest_known($6) k
    where k.series_id = pair.series_id and k.ts >= b.ts - interval '10 minutes' and k.ts <= b.ts + interval '10 minutes'
    union all
    select h.ts + interval '1 hour', h.oi_usd_close, h.oi_base_close from perp_1h_known($6) h
    where h.series_id = pair.series_id and num_nonnulls(h.oi_usd_close, h.oi_base_close) > 0
      and h.ts >= b.ts - interval '70 minutes' and h.ts <= b.ts - interval '50 minutes'
  ) o
  order by abs(extract(epoch from o.ts - b.ts)), o.ts limit 1
) a
cross join lateral (values
  ('oi_usd', a.oi_usd, b.oi_usd, 'USD, one side'), ('oi_base', a.oi_base, b.oi_base, 'coins, one side')
) as f(field, value, other_value, unit)
where value is not null and other_value is not null

-- name: candles
-- One row two sources of a perpetual of which both tell of one hour that opens in [$1, $2): their closes. Narrowed as
-- above.
with pair as materialized (select * from told_twice($3, $4, $5))
select b.ts as time, 'candles' as dataset, pair.entity_id, exchange, instrument, 'close' as field, source,
  a.close as value, other_source, b.close as other_value, 'USD a coin' as unit
from pair
cross join lateral (
  select * from perp_1h_known($6) k where k.series_id = other_id and k.ts >= $1 and k.ts < $2 and k.close is not null
  offset 0
) b
cross join lateral (
  select * from perp_1h_known($6) k where k.series_id = pair.series_id and k.ts = b.ts and k.close is not null offset 0
) a
