-- name: over_time
-- One row a pair of perpetuals of an asset and instant from $2 to $3 every $4: the rates in force per $5 hours.
-- $11: `best` is the widest pair, `all` every pair with the higher rate short; `named` the main contract of the
-- exchange $12 (or its contract $13) less that of $14 (or $15). Days on which nothing is $10 apart are not stepped
-- through. What is three days old is in force nowhere: no exchange lets two days pass between settlements. Intervals are
-- as judged to this day; where one instant is looked up ($16; $2 = $3), as the settlements by then tell.
-- Filters are cases, which a plan made for any arguments takes to leave half; of `is null or` it thinks nothing is left.
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
), settled as (
  select m.*, f.ts as settled_at, f.rate * $5::float8 / f.interval_hours as rate, f.interval_known = 0 as assumed,
    least($3, f.ts + 1.5 * f.interval_hours * interval '1 hour',
      lead(f.ts) over (partition by m.series_id order by f.ts) - interval '1 microsecond') as until
  from member m, lateral (
    select k.ts, k.rate, k.interval_hours, k.interval_known
    from funding_newest(m.series_id, $2, $9, 1) k where not $16::boolean and k.ts > $2 - interval '3 days'
    union all
    select k.ts, k.rate, k.interval_hours, k.interval_known
    from funding_last(m.series_id, $2, $9) k where $16 and k.ts > $2 - interval '3 days'
    union all
    (select k.ts, k.rate, k.interval_hours, k.interval_known from funding_known($9) k
     where k.series_id = m.series_id and k.ts > $2 and k.ts <= $3)
  ) f
), daily as (
  select s.*, d.day
  from settled s, generate_series(date_bin('1 day', greatest($2, settled_at), $2), until, '1 day') as d(day)
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
), bounded as (
  select *, count(*) over instant as rates, max(rate) over instant as high, min(rate) over instant as low
  from rated window instant as (partition by entity_id, ts)
), leg as (
  select * from bounded
  where rates > 1 and ($11 <> 'best' or rate = high or rate = low)
    and ($10 is null or high - low + 1e-9 * abs(high - low) >= $10)
), pair as (
  select distinct on (s.entity_id, s.ts, one.short, one.long) s.entity_id, s.ts,
    s.instrument_id as short_id, l.instrument_id as long_id, s.rate as short_rate, l.rate as long_rate,
    s.settled_at as short_time, l.settled_at as long_time, s.assumed or l.assumed as interval_assumed
  from leg s
  join leg l using (entity_id, ts),
  lateral (
    select case when $11 = 'all' then s.place end, case when $11 = 'all' then l.place end
  ) as one(short, long)
  where s.place <> l.place and case $11
    when 'best' then s.rate = s.high and l.rate = l.low
    when 'all' then s.rate > l.rate or (s.rate = l.rate and s.place < l.place)
    else s.may_be_short and l.may_be_long end
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
-- One row an asset, or a pair of its perpetuals, at $1: the pair that pays most over $10 hours after fees, ranked by $17.
-- $2 reads what is newest ($18: of contracts that trade), else what was known of $1 by $7. Rates and $8 are per $3 hours.
-- persistence and realised_spread look back $11 hours: over full hours with a rate of both legs, and over settlements.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, i.entity_id, s.preference, e.slug as exchange, i.symbol as instrument
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  where i.kind = 'perp' and i.entity_id is not null and (i.active or not $18::boolean)
    and case when $4::int[] is null then true else i.entity_id = any($4) end
    and case when $5::text[] is null then true else e.slug = any($5) end
    and case when $6::text is null then true else coalesce(i.margin, 'stable') = $6 end
), told as (
  select m.*, l.funding_ts as ts, l.rate, l.interval_hours, l.interval_known, null as told_at, l.oi_ts, l.oi_usd,
    l.oi_base
  from member m join latest l using (series_id) where $2::boolean
  union all
  select m.*, f.ts, f.rate, f.interval_hours, f.interval_known, f.told_at, o.ts, o.oi_usd, o.oi_base
  from member m
  left join lateral funding_last(m.series_id, $1, $7) f on true
  left join lateral (
    select * from open_interest_known($7) k
    where k.series_id = m.series_id and k.ts <= $1 and k.ts >= $1 - interval '2 hours' order by k.ts desc limit 1
  ) o on true
  where not $2
), rated as (
  select distinct on (instrument_id) instrument_id, entity_id, exchange, instrument, ts, interval_hours,
    interval_known, rate * $3::float8 / interval_hours as rate_per
  from told where $1::timestamptz between ts and ts + 1.5 * interval_hours * interval '1 hour'
  order by instrument_id, preference, series_id
), held as (
  select distinct on (instrument_id) instrument_id, v.usd as oi_usd
  from told t, lateral (select coalesce(t.oi_usd, t.oi_base * (
    select c.close from perp_1h_known($7) c
    where c.series_id = t.series_id and c.ts <= t.oi_ts - interval '1 hour' and c.ts > t.oi_ts - interval '4 hours'
    order by c.ts desc limit 1)) as usd) v
  where $1 between oi_ts and oi_ts + interval '2 hours' and v.usd is not null
  order by instrument_id, preference, series_id
), leg as (
  select r.*, h.oi_usd, coalesce(fee.rate, $14::float8) as fee, fee.rate is null as fee_assumed,
    row_number() over (order by r.exchange collate "C", r.instrument collate "C") as place
  from rated r
  left join held h using (instrument_id)
  left join unnest($12::text[], $13::float8[]) as fee(exchange, rate) on fee.exchange = r.exchange
), pair as (
  select s.entity_id, s.exchange as short_exchange, s.instrument as short_instrument, l.exchange as long_exchange,
    l.instrument as long_instrument, s.instrument_id as short_id, l.instrument_id as long_id, s.place as short_place,
    l.place as long_place, s.rate_per as short_rate, l.rate_per as long_rate, s.rate_per - l.rate_per as spread,
    2 * (s.fee + l.fee) as fees, s.fee_assumed or l.fee_assumed as fees_assumed,
    s.interval_hours <> l.interval_hours
      or extract(epoch from s.ts - l.ts) % (s.interval_hours * 3600)::numeric <> 0 as settlement_mismatch,
    s.interval_known = 0 or l.interval_known = 0 as interval_assumed,
    s.oi_usd as short_oi_usd, l.oi_usd as long_oi_usd, s.ts as short_time, l.ts as long_time
  from leg s join leg l using (entity_id)
  where s.rate_per > l.rate_per or (s.rate_per = l.rate_per and s.place < l.place)
), priced as (
  select *, spread / $3 * $10::float8 - fees as net
  from pair
  where case when $8::float8 is null then true else spread + 1e-9 * abs(spread) >= $8 end
    and case when $9::float8 is null then true else short_oi_usd >= $9 and long_oi_usd >= $9 end
), chosen as materialized (
  select distinct on (entity_id, case when $16::boolean then short_id end, case when $16 then long_id end) *
  from priced
  order by entity_id, case when $16 then short_id end, case when $16 then long_id end, net desc, short_place, long_place
), settled as (
  select t.instrument_id, t.preference, t.series_id, f.ts, f.rate, f.rate * $3 / v.hours as rate_per,
    f.ts + 1.5 * v.hours * interval '1 hour' as in_force_to,
    least($1, lead(f.ts) over (partition by t.series_id order by f.ts) - interval '1 microsecond') as until
  from (select short_id from chosen union select long_id from chosen) involved(instrument_id)
  join told t using (instrument_id)
  cross join lateral (
    select k.ts, k.rate, k.interval_hours from funding_known($7) k
    where k.series_id = t.series_id and k.ts <= $1 and k.ts > $1 - interval '3 days' - $11::int * interval '1 hour'
    offset 0
  ) f
  cross join lateral (select case when f.ts >= t.told_at then t.interval_hours else f.interval_hours end as hours) v
), hour as (
  select distinct on (instrument_id, g.ts) instrument_id, g.ts, case when g.ts <= in_force_to then rate_per end as rate
  from settled, generate_series(
    greatest(
      date_trunc('hour', $1) - ($11 - 1) * interval '1 hour',
      date_trunc('hour', settled.ts - interval '1 microsecond') + interval '1 hour'
    ), until, interval '1 hour'
  ) as g(ts)
  order by instrument_id, g.ts, (g.ts > in_force_to), preference, series_id
), stood as (
  select instrument_id, array_agg(rate order by ts desc) as rates from hour group by instrument_id
), paid as (
  select instrument_id, sum(rate order by ts) as paid
  from (
    select distinct on (instrument_id, ts) instrument_id, ts, rate from settled
    where ts > $1 - $11 * interval '1 hour' order by instrument_id, ts, preference, series_id
  ) once
  group by instrument_id
), past as (
  select * from stood full join paid using (instrument_id)
), shown as (
  select a.asset, c.*, spread * 8760 / $3 as spread_apr, net * 8760 / $10 as net_apr,
    case when spread > 0 then greatest(fees, 0) / (spread / $3) end as break_even_hours,
    together.same::float8 / nullif(together.hours, 0) as persistence, together.hours as persistence_hours,
    s.paid - l.paid as realised_spread, $15::float8 * case when short_oi_usd < long_oi_usd then short_oi_usd when short_oi_usd >= long_oi_usd then long_oi_usd end as capacity_usd,
    extract(epoch from $1 - short_time)::float8 as short_age_s,
    extract(epoch from $1 - long_time)::float8 as long_age_s,
    extract(epoch from $1 - least(short_time, long_time))::float8 as age_s
  from chosen c
  join asset a using (entity_id)
  left join past s on s.instrument_id = c.short_id
  left join past l on l.instrument_id = c.long_id,
  lateral (
    select count(h.short - h.long) as hours, count(*) filter (where h.short > h.long) as same
    from unnest(s.rates, l.rates) as h(short, long)
  ) together
)
select *, row_number() over (
  order by case $17::text
    when 'spread' then spread when 'spread_apr' then spread_apr when 'net_apr' then net_apr
    when 'break_even_hours' then break_even_hours when 'persistence' then persistence
    when 'realised_spread' then realised_spread when 'capacity_usd' then capacity_usd
    when 'short_rate' then short_rate when 'long_rate' then long_rate when 'fees' then fees
    when 'short_oi_usd' then short_oi_usd when 'long_oi_usd' then long_oi_usd when 'age_s' then age_s
    when 'short_age_s' then short_age_s when 'long_age_s' then long_age_s
  end desc nulls last, asset collate "C", short_place, long_place
) as rank
from shown
