-- name: prices
-- One row a value (or candle) in [$2, $3) of the price indexes of an asset, or ($7) of its volatility indexes.
select distinct on (i.id, k.ts) k.ts as time, e.slug as exchange, i.symbol as instrument, k.close as price, k.open, k.high,
  k.low, o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
cross join lateral (
  select * from index_price_known($6) f where f.series_id = s.id and f.ts >= $2 and f.ts < $3 offset 0
) k
where i.entity_id = $1 and i.kind = 'index' and is_volatility_index(i.symbol) = $7::boolean and k.close is not null
  and ($4::text[] is null or e.slug = any($4))
  and case when $5::text is null then not o.on_request else o.slug = $5 end
order by i.id, k.ts, s.preference, s.id

-- name: price_by
-- One row a price (or $6: volatility) index of an asset: its value at $2, at most a day old. How long a candle is nobody
-- says: it counts once the next value of its index has begun.
select distinct on (i.id) k.ts as time, e.slug as exchange, i.symbol as instrument, k.close as price, k.open, k.high, k.low,
  o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
cross join lateral (
  select * from (
    select *, row_number() over (order by f.ts desc) as place from index_price_known($5) f
    where f.series_id = s.id and f.ts > $2::timestamptz - interval '1 day' and f.ts <= $2 and f.close is not null
    order by f.ts desc limit 2
  ) newest
  where place = 2 or open is null
  order by ts desc limit 1
) k
where i.entity_id = $1 and i.kind = 'index' and is_volatility_index(i.symbol) = $6::boolean
  and ($3::text[] is null or e.slug = any($3))
  and case when $4::text is null then not o.on_request else o.slug = $4 end
order by i.id, k.ts desc, s.preference, s.id

-- name: deliveries
-- One row an expiry in [$2, $3) and index of an asset: what contracts on it were delivered at.
select distinct on (i.id, k.ts) k.ts as time, e.slug as exchange, i.symbol as instrument, k.price, o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
cross join lateral (
  select * from delivery_price_known($6) f where f.series_id = s.id and f.ts >= $2 and f.ts < $3 offset 0
) k
where i.entity_id = $1 and k.price is not null
  and ($4::text[] is null or e.slug = any($4))
  and case when $5::text is null then not o.on_request else o.slug = $5 end
order by i.id, k.ts, s.preference, s.id

-- name: delivery_by
-- One row an index of an asset: the last expiry by $2, and what contracts on it were delivered at.
select distinct on (i.id) k.ts as time, e.slug as exchange, i.symbol as instrument, k.price, o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join delivery_price_known($5) k on k.series_id = s.id
where i.entity_id = $1 and k.price is not null and k.ts <= $2
  and ($3::text[] is null or e.slug = any($3))
  and case when $4::text is null then not o.on_request else o.slug = $4 end
order by i.id, k.ts desc, s.preference, s.id
