-- name: from_minutes
-- One row a bucket of $4 that begins in [$2, $3) and perpetual of an asset, made of the minutes that tell of takers.
with minute as (
  select distinct on (i.id, c.ts) e.slug as exchange, i.symbol as instrument, o.slug as source, c.ts,
    c.buy_volume_base as bought, coalesce(c.sell_volume_base, c.volume_base - c.buy_volume_base) as sold
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  join perp_1m_known($8) c on c.series_id = s.id
  where i.entity_id = $1 and i.kind = 'perp' and coalesce(c.buy_volume_base, c.sell_volume_base) is not null
    and c.ts >= $2 and c.ts < date_bin($4::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and ($7::text is null or o.slug = $7)
  order by i.id, c.ts, s.preference, s.id
), bucket as (
  select date_bin($4::interval, ts, '2000-01-01Z') as time, exchange, instrument,
    string_agg(distinct source, ',') as source, count(*) = extract(epoch from $4) / 60 as complete,
    case when count(bought) = count(*) then sum(bought) end as bought,
    case when count(sold) = count(*) then sum(sold) end as sold
  from minute group by exchange, instrument, date_bin($4::interval, ts, '2000-01-01Z')
)
select time, exchange, instrument, bought as buy_volume_base, sold as sell_volume_base,
  bought / nullif(sold, 0) as buy_sell_ratio, complete, source
from bucket where time >= $2::timestamptz

-- name: from_hours
-- The same for buckets of whole hours: of hours, and of minutes where an hour does not tell of takers.
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
), span as (
  select $2::timestamptz as first,
    date_bin($4::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4::interval as last
), part as (
  select m.*, 0 as derived, c.ts, c.buy_volume_base as bought,
    coalesce(c.sell_volume_base, c.volume_base - c.buy_volume_base) as sold, true as complete
  from span, member m join perp_1h_known($8) c on c.series_id = m.series_id
  where c.ts >= span.first and c.ts < span.last and coalesce(c.buy_volume_base, c.sell_volume_base) is not null
  union all
  select m.series_id, m.instrument_id, m.exchange, m.instrument, m.source, m.preference, 1, h.ts,
    case when count(t.bought) = count(*) then sum(t.bought) end,
    case when count(t.sold) = count(*) then sum(t.sold) end, count(*) = 60
  from span, member m join perp_1m_known($8) c on c.series_id = m.series_id
  cross join lateral (select date_bin('1 hour', c.ts, '2000-01-01Z') as ts) h
  cross join lateral (
    select c.buy_volume_base as bought, coalesce(c.sell_volume_base, c.volume_base - c.buy_volume_base) as sold) t
  where coalesce(c.buy_volume_base, c.sell_volume_base) is not null and c.ts >= span.first and c.ts < span.last
  group by m.series_id, m.instrument_id, m.exchange, m.instrument, m.source, m.preference, h.ts
), hour as (
  select distinct on (instrument_id, ts) * from part order by instrument_id, ts, preference, derived, series_id
), bucket as (
  select date_bin($4::interval, ts, '2000-01-01Z') as time, exchange, instrument,
    string_agg(distinct source, ',') as source,
    bool_and(complete) and count(*) = extract(epoch from $4) / 3600 as complete,
    case when count(bought) = count(*) then sum(bought) end as bought,
    case when count(sold) = count(*) then sum(sold) end as sold
  from hour group by exchange, instrument, date_bin($4::interval, ts, '2000-01-01Z')
)
select time, exchange, instrument, bought as buy_volume_base, sold as sell_volume_base,
  bought / nullif(sold, 0) as buy_sell_ratio, complete, source
from bucket where time >= $2::timestamptz
