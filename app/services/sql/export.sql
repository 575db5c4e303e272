-- name: funding
-- One row a settlement of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  'settled' as kind, f.rate, f.interval_hours,
  (array['assumed', 'inferred', 'declared'])[f.interval_known + 1] as interval_known, null::timestamptz as for_time, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (select * from funding where series_id = s.id and ts >= $2 and ts < $3 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: funding_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from funding where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: predicted_funding
-- One row a sample of what will be paid of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  'predicted' as kind, f.rate, f.interval_hours,
  null as interval_known, f.for_time, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (select * from predicted_funding where series_id = s.id and ts >= $2 and ts < $3 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: predicted_funding_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from predicted_funding where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: open_interest
-- One row a sample of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  f.oi_base, f.oi_usd, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (select * from open_interest where series_id = s.id and ts >= $2 and ts < $3 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: open_interest_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from open_interest where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: perp_1m
-- One row a candle of a minute of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  '1m' as interval, f.open, f.high, f.low, f.close,
  f.volume_base, f.volume_usd, f.buy_volume_base, f.trades, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select * from perp_1m where series_id = s.id and ts >= $2 and ts < $3 and close is not null order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: perp_1m_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from perp_1m where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: perp_1h
-- One row a candle of an hour (where it has one) of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  '1h' as interval, f.open, f.high, f.low, f.close,
  f.volume_base, f.volume_usd, f.buy_volume_base, f.trades, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (select * from perp_1h where series_id = s.id and ts >= $2 and ts < $3
  and num_nulls(open, high, low, close) = 0 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: perp_1h_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from perp_1h where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: liquidation
-- One row a liquidation of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  case f.side when 1 then 'long' else 'short' end as side, f.price, f.quantity, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select * from liquidation where series_id = s.id and ts >= $2 and ts < $3 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: liquidation_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from liquidation where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: long_short
-- One row a minute of which the ratio was told of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  f.long_short_ratio, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select * from perp_1m where series_id = s.id and ts >= $2 and ts < $3 and long_short_ratio is not null order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: long_short_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from perp_1m where series_id = s.id and ts >= $2 and ts < $3 and long_short_ratio is not null
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: taker_volume_1m
-- One row a minute of which takers' volume was told of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  '1m' as interval, f.buy_volume_base, f.sell_volume_base, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select * from perp_1m where series_id = s.id and ts >= $2 and ts < $3 and num_nonnulls(buy_volume_base, sell_volume_base) > 0 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: taker_volume_1m_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from perp_1m where series_id = s.id and ts >= $2 and ts < $3 and num_nonnulls(buy_volume_base, sell_volume_base) > 0
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: taker_volume_1h
-- One row an hour of which takers' volume was told of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, in coins and USD a coin.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  '1h' as interval, f.buy_volume_base, f.sell_volume_base, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select * from perp_1h where series_id = s.id and ts >= $2 and ts < $3 and num_nonnulls(buy_volume_base, sell_volume_base) > 0 order by ts) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: taker_volume_1h_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from perp_1h where series_id = s.id and ts >= $2 and ts < $3 and num_nonnulls(buy_volume_base, sell_volume_base) > 0
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: option
-- One row an instant an option was told of of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it, prices as they are quoted. Greeks that became known at another
-- moment than the rest have a row of their own.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  f.bid, f.ask, f.mark_price as mark, f.mark_iv, f.underlying_price as underlying, f.index_price, f.delta, f.gamma, f.vega, f.theta,
  f.rho, f.open_interest, f.volume_24h as volume, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select *
  from (
    select * from option_1m
    where series_id = s.id and ts >= $2 and ts < $3
      and num_nonnulls(bid, ask, mark_price, mark_iv, underlying_price, index_price, open_interest, volume_24h) > 0
  ) told
  full join (select * from greeks where series_id = s.id and ts >= $2 and ts < $3) g using (ts, known_at)
  order by ts
) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: option_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last
    from (
      select ts from option_1m
      where series_id = s.id and ts >= $2 and ts < $3
        and num_nonnulls(bid, ask, mark_price, mark_iv, underlying_price, index_price, open_interest, volume_24h) > 0
      union all
      select ts from greeks where series_id = s.id and ts >= $2 and ts < $3
    ) told
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: index_price
-- One row a value of an index of an exchange ($1) from $2 until before $3, of these entities ($4) and sources ($5; null: of all), series
-- after series: as an import takes it.
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source,
  f.close as price, f.open, f.high, f.low, f.known_at
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
cross join lateral (
  select * from index_price where series_id = s.id and ts >= $2 and ts < $3 and close is not null order by ts
) f
where x.slug = $1 and ($4::int[] is null or i.entity_id = any($4)) and ($5::text[] is null or o.slug = any($5))

-- name: index_price_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select x.slug as exchange, min(f.first) as first, max(f.last) as last
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange x on x.id = i.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from index_price
    where series_id = s.id and ts >= $2 and ts < $3 and close is not null
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or i.entity_id = any($4))
    and ($5::text[] is null or o.slug = any($5))
  group by x.slug
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month

-- name: metric_value
-- One row a value of a metric told of an exchange ($1; of none in particular: as partitioned folders spell null) from $2
-- until before $3, of these entities ($4) and sources ($5; null: of all), series after series.
select f.ts as time, x.slug as exchange, e.canonical_id as asset, t.source, t.name as metric, nullif(t.unit, '') as unit,
  f.value, f.known_at
from metric_series s
join metric t on t.id = s.metric_id
join entity e on e.id = s.entity_id
left join exchange x on x.id = s.exchange_id
cross join lateral (select * from metric_value where series_id = s.id and ts >= $2 and ts < $3 order by ts) f
where coalesce(x.slug, '__HIVE_DEFAULT_PARTITION__') = $1 and ($4::int[] is null or e.id = any($4))
  and ($5::text[] is null or t.source = any($5))

-- name: metric_value_months
-- One row an exchange ($1; null: any) and month from the first to the last such row there.
select told.exchange, month
from (
  select coalesce(x.slug, '__HIVE_DEFAULT_PARTITION__') as exchange, min(f.first) as first, max(f.last) as last
  from metric_series s
  join metric t on t.id = s.metric_id
  left join exchange x on x.id = s.exchange_id
  cross join lateral (
    select min(ts) as first, max(ts) as last from metric_value where series_id = s.id and ts >= $2 and ts < $3
  ) f
  where ($1::text[] is null or x.slug = any($1)) and ($4::int[] is null or s.entity_id = any($4))
    and ($5::text[] is null or t.source = any($5))
  group by 1
) told, generate_series(date_trunc('month', first, 'UTC'), last, interval '1 month') as month
order by told.exchange, month
