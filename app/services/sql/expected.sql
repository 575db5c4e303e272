-- name: minutes
-- One row a series, dataset of minutes and UTC day: from when to when in [$1, $2) it is expected, how many of its steps,
-- and how many are stored. Of exchanges' own sources that are pulled ($3) to the end, of others until the last candle.
-- Of series $4 and datasets $5 (null: all). What is no candle is expected between the first and the last told in
-- the window; `own`: by the exchange itself.
with asked as materialized (
  select s.id, i.entity_id, x.slug as exchange, i.symbol as instrument, o.slug as source, o.slug = x.slug as own,
    o.slug = x.slug and i.active and o.slug = any($3::text[]) as pulled,
    date_bin('1 minute', greatest($1::timestamptz, i.listed_at, r.removed_before) + interval '59.999999 seconds', 'epoch')
      as opens,
    date_bin('1 minute', least($2::timestamptz, i.delisted_at), 'epoch') as closes,
    i.listed_at > $1 or r.removed_before > $1 or i.delisted_at < $2 as clipped
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id and i.kind = 'perp'
  join exchange x on x.id = i.exchange_id
  left join retention r on r.fact = 'perp_1m'
  where $4::int[] is null or s.id = any($4)
), counted as materialized (
  select p.series_id, date_bin('1 day', p.ts, 'epoch') as day,
    count(p.close) as candles,
    count(coalesce(p.oi_base, p.oi_usd)) as interests,
    min(p.ts) filter (where coalesce(p.oi_base, p.oi_usd) is not null) as first_interest,
    max(p.ts) filter (where coalesce(p.oi_base, p.oi_usd) is not null) as last_interest,
    count(p.predicted_rate) as rates,
    min(p.ts) filter (where p.predicted_rate is not null) as first_rate,
    max(p.ts) filter (where p.predicted_rate is not null) as last_rate,
    count(p.buy_volume_base) as takers,
    min(p.ts) filter (where p.buy_volume_base is not null) as first_taker,
    max(p.ts) filter (where p.buy_volume_base is not null) as last_taker
  from perp_1m p
  where p.ts >= $1 and p.ts < $2 and ($4::int[] is null or p.series_id = any($4))
  group by p.series_id, date_bin('1 day', p.ts, 'epoch')
), ratio as materialized (
  select p.series_id, date_bin('1 day', p.ts, 'epoch') as day,
    count(distinct date_bin('5 minutes', p.ts, 'epoch')) as ratios, min(p.ts) as first, max(p.ts) as last
  from perp_1m p
  where p.ts >= $1 and p.ts < $2 and ($4::int[] is null or p.series_id = any($4)) and p.long_short_ratio is not null
    and ($5::text[] is null or 'long_short' = any($5))
  group by p.series_id, date_bin('1 day', p.ts, 'epoch')
), told as (
  select c.series_id, c.day, d.*
  from counted c cross join lateral (values
    ('candles_1m', interval '1 minute', c.candles, null, null),
    ('open_interest', interval '1 minute', c.interests, c.first_interest, c.last_interest),
    ('predicted_funding', interval '1 minute', c.rates, c.first_rate, c.last_rate),
    ('taker_volume', interval '1 minute', c.takers, c.first_taker, c.last_taker)) as d(dataset, step, stored, first, last)
  union all
  select series_id, day, 'long_short', interval '5 minutes', ratios, first, last from ratio
), bound as (
  select a.id, 'candles_1m' as dataset, interval '1 minute' as step, greatest(a.opens, f.ts) as first,
    case when a.pulled then a.closes else least(a.closes, l.minute_ts + interval '1 minute') end as last
  from asked a
  join latest l on l.series_id = a.id and l.minute_ts is not null
  cross join lateral (
    select ts from perp_1m p where p.series_id = a.id and p.close is not null order by ts limit 1
  ) f
  union all
  select t.series_id, t.dataset, t.step, date_bin(t.step, min(t.first), 'epoch'),
    date_bin(t.step, max(t.last), 'epoch') + t.step
  from told t join asked a on a.id = t.series_id
  where t.dataset <> 'candles_1m' and t.first is not null
  group by t.series_id, t.dataset, t.step
)
select a.id as series_id, a.own, d.day, a.exchange, a.instrument, a.entity_id, a.source, b.dataset, e.first, e.last,
  (extract(epoch from e.last - e.first) / extract(epoch from b.step))::bigint as expected,
  case when a.clipped and b.dataset = 'candles_1m' then (
    select count(*) from perp_1m p
    where p.series_id = a.id and p.ts >= e.first and p.ts < e.last and p.close is not null
  ) else coalesce(t.stored, 0) end as stored
from bound b
join asked a on a.id = b.id
cross join lateral generate_series(
  date_bin('1 day', b.first, 'epoch'), b.last - interval '1 microsecond', interval '1 day') as d(day)
cross join lateral (select greatest(b.first, d.day), least(b.last, d.day + interval '1 day')) as e(first, last)
left join told t on t.series_id = b.id and t.dataset = b.dataset and t.day = d.day
where b.first < b.last and ($5::text[] is null or b.dataset = any($5))

-- name: hours
-- The same of candles of hours. An hour that has one is counted, whatever else is told of it.
with asked as materialized (
  select s.id, i.entity_id, x.slug as exchange, i.symbol as instrument, o.slug as source, o.slug = x.slug as own,
    o.slug = x.slug and i.active and o.slug = any($3::text[]) as pulled,
    date_bin('1 hour', greatest($1::timestamptz, i.listed_at, r.removed_before)
      + interval '3599.999999 seconds', 'epoch') as opens,
    date_bin('1 hour', least($2::timestamptz, i.delisted_at), 'epoch') as closes
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id and i.kind = 'perp'
  join exchange x on x.id = i.exchange_id
  left join retention r on r.fact = 'perp_1h'
  where ($4::int[] is null or s.id = any($4)) and ($5::text[] is null or 'candles_1h' = any($5))
), bound as (
  select a.*, greatest(a.opens, f.ts) as first,
    case when a.pulled then a.closes else least(a.closes, n.ts + interval '1 hour') end as last
  from asked a
  cross join lateral (select ts from perp_1h p where p.series_id = a.id and p.close is not null order by ts limit 1) f
  cross join lateral (
    select ts from perp_1h p where p.series_id = a.id and p.close is not null order by ts desc limit 1) n
), counted as materialized (
  select b.id, date_bin('1 day', p.ts, 'epoch') as day, count(p.close) as stored
  from bound b join perp_1h p on p.series_id = b.id and p.ts >= b.first and p.ts < b.last
  where p.ts >= $1 and p.ts < $2
  group by b.id, day
)
select b.id as series_id, b.own, d.day, b.exchange, b.instrument, b.entity_id, b.source, 'candles_1h' as dataset,
  greatest(b.first, d.day) as first, least(b.last, d.day + interval '1 day') as last,
  (extract(epoch from least(b.last, d.day + interval '1 day') - greatest(b.first, d.day)) / 3600)::bigint as expected,
  coalesce(c.stored, 0) as stored
from bound b
cross join lateral generate_series(
  date_bin('1 day', b.first, 'epoch'), b.last - interval '1 microsecond', interval '1 day') as d(day)
left join counted c on c.id = b.id and c.day = d.day
where b.first < b.last

-- name: settlements
-- The same of settled funding: between two settlements, and of pulled sources after the last, one is expected every
-- interval in force at the later of them.
with asked as materialized (
  select s.id, i.entity_id, x.slug as exchange, i.symbol as instrument, o.slug as source, o.slug = x.slug as own,
    least($2::timestamptz, i.delisted_at) as closes, o.slug = x.slug and i.active and o.slug = any($3::text[]) as pulled
  from series s
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id and i.kind = 'perp'
  join exchange x on x.id = i.exchange_id
  where ($4::int[] is null or s.id = any($4)) and ($5::text[] is null or 'funding' = any($5))
), spaced as (
  select a.id, f.ts, f.interval_hours * interval '1 hour' as apart, lag(f.ts) over (partition by a.id order by f.ts) as before
  from asked a join funding f on f.series_id = a.id
  where f.ts >= $1::timestamptz - interval '8 days' and f.ts < $2::timestamptz + interval '8 days'
), due as (
  select s.id, s.ts, true as stored from spaced s where s.ts >= $1 and s.ts < $2
  union all
  select s.id, g.ts, false
  from spaced s cross join lateral generate_series(s.ts - s.apart, s.before + interval '1 second', -s.apart) as g(ts)
  where s.ts - s.before > s.apart and g.ts >= $1 and g.ts < $2
  union all
  select l.series_id, g.ts, false
  from asked a join latest l on l.series_id = a.id
  cross join lateral generate_series(
    l.funding_ts + l.interval_hours * interval '1 hour', a.closes - interval '1 microsecond',
    l.interval_hours * interval '1 hour') as g(ts)
  where a.pulled and g.ts >= $1
)
select a.id as series_id, a.own, date_bin('1 day', d.ts, 'epoch') as day, a.exchange, a.instrument, a.entity_id, a.source,
  'funding' as dataset, min(d.ts) as first, max(d.ts) as last, count(*) as expected, count(*) filter (where d.stored) as stored
from due d join asked a using (id)
group by a.id, a.own, date_bin('1 day', d.ts, 'epoch'), a.exchange, a.instrument, a.entity_id, a.source

-- name: series
-- One row a series of entities $1 and exchanges $2 (null: all).
select s.id
from series s
join instrument i on i.id = s.instrument_id and i.kind = 'perp'
join exchange x on x.id = i.exchange_id
where ($1::int[] is null or i.entity_id = any($1)) and ($2::text[] is null or x.slug = any($2))
