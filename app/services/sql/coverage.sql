-- name: exchanges
-- One row an exchange with perpetuals of an asset; of source $4, or (null) not only of those heard on request.
select distinct e.slug from instrument i join exchange e on e.id = i.exchange_id
where i.entity_id = $1 and i.kind = 'perp'
  and case when $4::text is null then not only_on_request(i.id) else exists (
    select from series s join source o on o.id = s.source_id where s.instrument_id = i.id and o.slug = $4) end
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)
order by e.slug

-- name: unweighed
-- One row a perpetual with a rate in [$5, $6] or the 30 days before: whether its open interest is known by $6, at all.
select e.slug || ':' || i.symbol as name, bool_or(w.is_known) as weighed
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
cross join lateral (
  select exists (
    select from open_interest_known($7) k, open_interest_usd(s.id, k.ts, k.oi_base, k.oi_usd, $7) v
    where k.series_id = s.id and k.ts <= $6 and v.usd is not null
  ) as is_known
) w
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)
  and ($4::text is null or o.slug = $4)
group by e.slug, i.symbol
having bool_or(exists (
  select from funding_known($7) f where f.series_id = s.id and f.ts > $5::timestamptz - interval '30 days' and f.ts <= $6))
order by name

-- name: instruments
-- How many perpetuals of an asset are known.
select count(*) from instrument i join exchange e on e.id = i.exchange_id
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: funding
-- From when to when settlements of an asset's perpetuals are stored.
select min(f.first) as first, max(f.last) as last
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id,
lateral (select min(ts) as first, max(ts) as last from funding where series_id = s.id) f
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: predicted_funding
-- From when to when samples of what will be paid of an asset's perpetuals are stored.
select min(f.first) as first, max(f.last) as last
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id,
lateral (
  select min(ts) as first, max(ts) as last from predicted_funding where series_id = s.id
  union all
  select min(ts) + interval '1 hour', max(ts) + interval '1 hour' from perp_1h
  where series_id = s.id and funding_rate_8h is not null
) f
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: open_interest
-- From when to when samples of open interest of an asset's perpetuals are stored.
select min(f.first) as first, max(f.last) as last
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id,
lateral (select min(ts) as first, max(ts) as last from open_interest where series_id = s.id) f
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: candles
-- From when to when candles of an asset's perpetuals are stored. A series that has none of minutes is not searched for one.
select min(f.first) as first, max(f.last) as last
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
cross join lateral (
  select min(ts) as first, max(ts) as last from perp_1h where series_id = s.id
  union all
  select (select ts from perp_1m where series_id between s.id and s.id and close is not null order by series_id, ts limit 1),
    l.minute_ts
  from latest l where l.series_id = s.id and l.minute_ts is not null
) f
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: long_short
-- From when to when minutes of an asset's perpetuals are stored, and whether any of the first and last 1500 tells a ratio.
-- Few minutes may, so that the first that does is not searched for.
select min(m.ts) as first, max(m.ts) as last, bool_or(m.told) as told
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
cross join lateral (
  (select ts, long_short_ratio is not null as told from perp_1m where series_id between s.id and s.id
    order by series_id, ts limit 1500)
  union all
  (select ts, long_short_ratio is not null from perp_1m where series_id between s.id and s.id
    order by series_id desc, ts desc limit 1500)
) m
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: taker_volume
-- The same of volumes of takers, in hours and minutes.
select min(m.ts) as first, max(m.ts) as last, bool_or(num_nonnulls(m.bought, m.sold) > 0) as told
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
cross join lateral (
  (select ts, buy_volume_base as bought, sell_volume_base as sold from perp_1m where series_id between s.id and s.id
    order by series_id, ts limit 1500)
  union all
  (select ts, buy_volume_base, sell_volume_base from perp_1m where series_id between s.id and s.id
    order by series_id desc, ts desc limit 1500)
  union all
  (select ts, buy_volume_base, sell_volume_base from perp_1h where series_id = s.id order by ts limit 1500)
  union all
  (select ts, buy_volume_base, sell_volume_base from perp_1h where series_id = s.id order by ts desc limit 1500)
) m
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: liquidations
-- From when to when liquidations of an asset's perpetuals are stored.
select min(f.first) as first, max(f.last) as last
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id,
lateral (select min(ts) as first, max(ts) as last from liquidation where series_id = s.id) f
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)

-- name: minutes
-- From when to when minutes of an asset's perpetuals are stored, whatever is told of them. With `between` the key alone
-- gives their order: by `=` whole days would be read, along the index of time, in which a series has nothing.
select min(m.first) as first, max(m.last) as last
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
cross join lateral (
  select (select ts from perp_1m where series_id between s.id and s.id order by series_id, ts limit 1) as first,
    (select ts from perp_1m where series_id between s.id and s.id order by series_id desc, ts desc limit 1) as last
) m
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)
