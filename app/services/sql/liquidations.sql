-- name: told
-- One row a liquidation in [$2, $3) of the perpetuals of an asset, of the preferred source that tells of its minute. Its
-- time is the millisecond told; those that nothing tells apart are one row.
with event as (
  select date_trunc('milliseconds', l.ts) as time, e.slug as exchange, i.symbol as instrument, o.slug as source, l.side,
    l.price, l.quantity, dense_rank() over (
      partition by i.id, date_bin('1 minute', l.ts, '2000-01-01Z') order by s.preference, s.id) as place
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  join liquidation_known($7) l on l.series_id = s.id
  where i.entity_id = $1 and i.kind = 'perp'
    and l.ts >= $2 and l.ts < $3::timestamptz + interval '1 millisecond'
    and ($4::text[] is null or e.slug = any($4))
    and ($5::text is null or coalesce(i.margin, 'stable') = $5)
    and ($6::text is null or o.slug = $6)
)
select time, exchange, instrument, case side when 1 then 'long' else 'short' end as side, price,
  sum(quantity) as quantity, price * sum(quantity) as usd, count(*) as count, source
from event
where place = 1 and time >= $2 and time < $3 and ($8::int is null or side = $8)
group by time, exchange, instrument, source, side, price, event.quantity

-- name: sums
-- One row a bucket of $9 that begins in [$2, $3), perpetual of an asset and side: what was liquidated in it.
with event as (
  select date_bin($9::interval, l.ts, '2000-01-01Z') as time, e.slug as exchange, i.symbol as instrument,
    o.slug as source, l.side, l.price, l.quantity, dense_rank() over (
      partition by i.id, date_bin('1 minute', l.ts, '2000-01-01Z') order by s.preference, s.id) as place
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  join liquidation_known($7) l on l.series_id = s.id
  where i.entity_id = $1 and i.kind = 'perp'
    and l.ts >= $2 and l.ts < date_bin($9::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $9
    and ($4::text[] is null or e.slug = any($4))
    and ($5::text is null or coalesce(i.margin, 'stable') = $5)
    and ($6::text is null or o.slug = $6)
)
select time, exchange, instrument, case side when 1 then 'long' else 'short' end as side,
  sum(price * quantity) / sum(quantity) as price, sum(quantity) as quantity, sum(price * quantity) as usd,
  count(*) as count, string_agg(distinct source, ',') as source
from event
where place = 1 and time >= $2::timestamptz and ($8::int is null or side = $8)
group by time, exchange, instrument, side

-- name: newest
-- One row a perpetual of an asset and side: the last liquidation in [$2, $3].
select distinct on (i.id, l.side) date_trunc('milliseconds', l.ts) as time, e.slug as exchange, i.symbol as instrument,
  case l.side when 1 then 'long' else 'short' end as side, l.price, l.quantity, l.price * l.quantity as usd, 1 as count,
  o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join liquidation_known($7) l on l.series_id = s.id
where i.entity_id = $1 and i.kind = 'perp' and l.ts >= $2
  and date_trunc('milliseconds', l.ts) <= $3 and l.ts < $3::timestamptz + interval '1 millisecond'
  and ($4::text[] is null or e.slug = any($4))
  and ($5::text is null or coalesce(i.margin, 'stable') = $5)
  and ($6::text is null or o.slug = $6)
  and ($8::int is null or l.side = $8)
order by i.id, l.side, l.ts desc, s.preference, s.id
