-- name: from_minutes
-- One row a bucket of $4 in [$2, $3) and perpetual of an asset, made of the minutes there are.
with minute as (
  select distinct on (i.id, c.ts) e.slug as exchange, i.symbol as instrument, c.*
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  join perp_1m_known($8) c on c.series_id = s.id
  where i.entity_id = $1 and i.kind = 'perp' and c.close is not null
    and c.ts >= $2 and c.ts < date_bin($4::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and ($7::text is null or o.slug = $7)
  order by i.id, c.ts, s.preference, s.id
)
select date_bin($4::interval, ts, '2000-01-01Z') as time, exchange, instrument,
  (array_agg(open order by ts))[1] as open, max(high) as high, min(low) as low,
  (array_agg(close order by ts desc))[1] as close,
  case when count(volume_base) = count(*) then sum(volume_base) end as volume_base,
  case when count(volume_usd) = count(*) then sum(volume_usd) end as volume_usd,
  case when count(buy_volume_base) = count(*) then sum(buy_volume_base) end as buy_volume_base,
  case when count(trades) = count(*) then sum(trades)::bigint end as trades,
  count(*) = extract(epoch from $4) / 60 as complete
from minute
where date_bin($4::interval, ts, '2000-01-01Z') >= $2::timestamptz
group by exchange, instrument, date_bin($4::interval, ts, '2000-01-01Z')

-- name: from_hours
-- One row a bucket of $4 (whole hours) in [$2, $3) and perpetual: of hours, and of minutes where an hour is not kept.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, e.slug as exchange, i.symbol as instrument, s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp'
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and ($7::text is null or o.slug = $7)
), span as (
  select $2::timestamptz as first, date_bin($4::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4::interval as last
), bar as (
  select m.*, 0 as derived, c.ts, c.open, c.high, c.low, c.close, c.volume_base, c.volume_usd, c.buy_volume_base,
    c.trades, true as complete
  from span, member m join perp_1h_known($8) c on c.series_id = m.series_id
  where c.ts >= span.first and c.ts < span.last and num_nulls(c.open, c.high, c.low, c.close) = 0
  union all
  select m.series_id, m.instrument_id, m.exchange, m.instrument, m.preference, 1, date_trunc('hour', c.ts),
    (array_agg(c.open order by c.ts))[1], max(c.high), min(c.low), (array_agg(c.close order by c.ts desc))[1],
    case when count(c.volume_base) = count(*) then sum(c.volume_base) end,
    case when count(c.volume_usd) = count(*) then sum(c.volume_usd) end,
    case when count(c.buy_volume_base) = count(*) then sum(c.buy_volume_base) end,
    case when count(c.trades) = count(*) then sum(c.trades) end, count(*) = 60
  from span, member m join perp_1m_known($8) c on c.series_id = m.series_id
  where c.close is not null and c.ts >= span.first and c.ts < span.last
  group by m.series_id, m.instrument_id, m.exchange, m.instrument, m.preference, date_trunc('hour', c.ts)
), hour as (
  select distinct on (instrument_id, ts) * from bar order by instrument_id, ts, preference, derived, series_id
)
select date_bin($4::interval, ts, '2000-01-01Z') as time, exchange, instrument,
  (array_agg(open order by ts))[1] as open, max(high) as high, min(low) as low,
  (array_agg(close order by ts desc))[1] as close,
  case when count(volume_base) = count(*) then sum(volume_base) end as volume_base,
  case when count(volume_usd) = count(*) then sum(volume_usd) end as volume_usd,
  case when count(buy_volume_base) = count(*) then sum(buy_volume_base) end as buy_volume_base,
  case when count(trades) = count(*) then sum(trades)::bigint end as trades,
  bool_and(complete) and count(*) = extract(epoch from $4) / 3600 as complete
from hour
where date_bin($4::interval, ts, '2000-01-01Z') >= $2::timestamptz
group by exchange, instrument, date_bin($4::interval, ts, '2000-01-01Z')
