-- name: over_time
-- One row a pair of perpetuals of an asset and instant from $2 to $3 every $4: the rates in force per $5 hours.
-- $11: `best` is the widest pair, `all` every pair with the higher rate short; `named` the main contract of the
-- exchange $12 (or its contract $13) less that of $14 (or $15), each chosen by itself. Days on which nothing is $10
-- apart are not stepped through. Intervals are as judged to this day; of one instant looked up ($16; $2 = $3), as
-- settlements by then tell. Filters are cases, which a plan made for any arguments takes to leave half; of `is null or`
-- it thinks nothing is left.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, i.entity_id, s.preference,
    ($12::text is null or e.slug = $12) and ($13::text is null or i.symbol = $13) as may_be_short,
    ($14::text is null or e.slug = $14) and ($15::text is null or i.symbol = $15) as may_be_long,
    dense_rank() over (
      order by case when $11::text = 'named' then contract_order(i.symbol) end, e.slug collate "C", i.symbol collate "C"
    ) as place
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where i.kind = 'perp' and i.entity_id is not null
    and case when $1::int[] is null then true else i.entity_id = any($1) end
    and case when $6::text[] is null then true else e.slug = any($6) end
    and case when $7::text is null then true else coalesce(i.margin, 'stable') = $7 end
    and case when $8::text is null then true else o.slug = $8 end
    and case when $12 is null then true else e.slug in ($12, $14) end
), daily as (
  select m.*, f.settled_at, f.rate * $5::float8 / f.interval_hours as rate, f.assumed, f.until, d.day
  from member m, funding_stretches(m.series_id, $2, $3, $9, $16) f,
    generate_series(date_bin('1 day', greatest($2, settled_at), $2), until, '1 day') as d(day)
), wide as (
  select entity_id, day, max(rate) - min(rate) as spread from daily group by entity_id, day
), rated as (
  select distinct on (entity_id, g.ts, place) d.*, g.ts
  from daily d
  join wide w using (entity_id, day),
  generate_series(
    greatest(day, date_bin($4, settled_at - interval '1 microsecond', $2) + $4),
    least(until, day + interval '1 day' - interval '1 microsecond'), $4
  ) as g(ts)
  where $10::float8 is null or w.spread + 1e-9 * abs(w.spread) >= $10
  order by entity_id, g.ts, place, preference, series_id
), leg as (
  select *, count(*) over instant as rates, max(rate) over instant as high, min(rate) over instant as low,
    min(place) filter (where may_be_short) over instant as short,
    min(place) filter (where may_be_long) over instant as long
  from rated window instant as (partition by entity_id, ts)
), pair as (
  select distinct on (s.entity_id, s.ts, one.short, one.long) s.entity_id, s.ts,
    s.instrument_id as short_id, l.instrument_id as long_id, s.rate as short_rate, l.rate as long_rate,
    s.settled_at as short_time, l.settled_at as long_time, s.assumed or l.assumed as interval_assumed
  from leg s
  join leg l using (entity_id, ts),
  lateral (select case when $11 = 'all' then s.place end, case when $11 = 'all' then l.place end) as one(short, long)
  where s.place <> l.place and case $11
    when 'best' then s.rate = s.high and l.rate = l.low
    when 'all' then s.rate > l.rate or (s.rate = l.rate and s.place < l.place)
    else s.place = s.short and l.place = l.long end
  order by s.entity_id, s.ts, one.short, one.long, s.place, l.place
)
select p.ts as time, a.asset, se.slug as short_exchange, si.symbol as short_instrument,
  le.slug as long_exchange, li.symbol as long_instrument, short_rate, long_rate, spread,
  spread * 8760 / $5 as spread_apr, short_time, long_time, interval_assumed
from pair p
join instrument si on si.id = p.short_id
join exchange se on se.id = si.exchange_id
join instrument li on li.id = p.long_id
join exchange le on le.id = li.exchange_id
join asset a on a.entity_id = p.entity_id,
lateral (select short_rate - long_rate as spread) d
where $10 is null or spread + 1e-9 * abs(spread) >= $10

-- name: ranking
-- One row an asset, or a pair of its perpetuals, at $1: the pair that pays most over $8 hours after fees, ranked by
-- $15, as was known of $1 by $5 ($16: of contracts that trade). Rates and $6 are per $2 hours; persistence and
-- realised_spread look back $9 hours. What ranks is read off the row by its name.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, i.entity_id, s.preference, e.slug as exchange, i.symbol as instrument
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  where i.kind = 'perp' and i.entity_id is not null and (i.active or not $16::boolean)
    and case when $3::int[] is null then true else i.entity_id = any($3) end
    and case when $4::text[] is null then true else e.slug = any($4) end
    and case when $17::text is null then true else coalesce(i.margin, 'stable') = $17 end
), rated as (
  select distinct on (instrument_id) m.*, f.ts, f.interval_hours, f.interval_known,
    f.rate * $2::float8 / f.interval_hours as rate
  from member m
  cross join lateral funding_last(m.series_id, $1::timestamptz, $5) f
  where $1 <= f.ts + 1.5 * f.interval_hours * interval '1 hour'
  order by instrument_id, preference, series_id
), leg as (
  select r.*, open_interest_of(instrument_id, $1, $5) as oi_usd, coalesce(f.rate, $12::float8) as fee,
    f.rate is null and $18::boolean as fee_assumed, row_number() over (order by exchange collate "C", instrument collate "C") as place
  from rated r left join unnest($10::text[], $11::float8[]) as f(exchange, rate) using (exchange)
), pair as (
  select entity_id, s.exchange as short_exchange, s.instrument as short_instrument, l.exchange as long_exchange,
    l.instrument as long_instrument, s.instrument_id as short_id, l.instrument_id as long_id, s.place as short_place,
    l.place as long_place, s.rate as short_rate, l.rate as long_rate, s.rate - l.rate as spread, fees,
    (s.rate - l.rate) / $2 * $8::float8 - fees as net, s.fee_assumed or l.fee_assumed as fees_assumed,
    s.interval_hours <> l.interval_hours
      or extract(epoch from s.ts - l.ts) % (s.interval_hours * 3600)::numeric <> 0 as settlement_mismatch,
    s.interval_known = 0 or l.interval_known = 0 as interval_assumed, s.oi_usd as short_oi_usd, l.oi_usd as long_oi_usd,
    s.ts as short_time, l.ts as long_time
  from leg s join leg l using (entity_id), lateral (select 2 * (s.fee + l.fee) as fees) f
  where s.rate > l.rate or (s.rate = l.rate and s.place < l.place)
), chosen as materialized (
  select distinct on (entity_id, one.short, one.long) pair.*
  from pair,
    lateral (select case when $14::boolean then short_id end, case when $14 then long_id end) as one(short, long)
  where case when $6::float8 is null then true else spread + 1e-9 * abs(spread) >= $6 end
    and case when $7::float8 is null then true else short_oi_usd >= $7 and long_oi_usd >= $7 end
  order by entity_id, one.short, one.long, net desc, short_place, long_place
), shown as (
  select a.asset, c.*, spread * 8760 / $2 as spread_apr, net * 8760 / $8 as net_apr,
    case when spread > 0 then greatest(fees, 0) / (spread / $2) end as break_even_hours,
    fees * $2 / $8 as break_even_spread,
    persistence, persistence_hours, realised_spread, realised_hours,
    $13::float8 * case when short_oi_usd is not null and long_oi_usd is not null
      then least(short_oi_usd, long_oi_usd) end as capacity_usd,
    extract(epoch from $1 - short_time)::float8 as short_age_s,
    extract(epoch from $1 - long_time)::float8 as long_age_s,
    extract(epoch from $1 - least(short_time, long_time))::float8 as age_s
  from chosen c
  join asset a using (entity_id)
  left join pair_past(
    array(select short_id from chosen), array(select long_id from chosen), $1, $9::int, $5) using (short_id, long_id)
)
select *, row_number() over (
  order by (to_jsonb(shown) ->> $15::text)::float8 * case when $19::boolean then -1 else 1 end desc nulls last, asset collate "C", short_place, long_place) as rank
from shown

-- name: extent
-- At how many instants from $2 to $3 every $4 each of these perpetuals may have a rate, from its first settlement on:
-- summed, and how many contracts they are.
select count(*) as contracts, coalesce(sum(
  floor(1 + extract(epoch from $3 - greatest($2, first)) / extract(epoch from $4::interval))), 0)::float8 as instants
from (
  select min(f.ts) as first
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  cross join lateral (select ts from funding k where k.series_id = s.id order by ts limit 1) f
  where i.kind = 'perp' and i.entity_id is not null and ($1::int[] is null or i.entity_id = any($1))
    and ($5::text[] is null or e.slug = any($5))
  group by i.id
) told
where first <= $3 and $2::timestamptz <= $3::timestamptz
