-- name: chain
-- One row an expiry and strike of an asset's options that live at $2, by exchange and the currency they are quoted in:
-- its call and its put, each as whoever told of it last in the day before has it ($7: their times as milliseconds).
-- Bid and ask are the newest of a quote and of how the option stood; greeks those told since it stood so, and those not
-- told are Black-76.
with told as materialized (
  select distinct on (i.id) e.slug as exchange, i.symbol as instrument, o.slug as source, i.quote, i.margin, i.expires_at,
    i.strike, i.option_type, k.ts as stood_at, q.ts as quoted_at, coalesce(greatest(k.ts, q.ts), g.ts) as as_of,
    case when q.ts >= k.ts or k.ts is null then q.bid else k.bid end as bid,
    case when q.ts >= k.ts or k.ts is null then q.ask else k.ask end as ask,
    k.mark_price, k.mark_iv, k.underlying_price, k.index_price, k.open_interest, k.volume_24h,
    g.ts >= k.ts or g.ts is not null and k.mark_iv is null as is_told, g.delta, g.gamma, g.vega, g.theta, g.rho
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  left join lateral option_1m_newest(s.id, $2, $5) k on true
  left join lateral (
    select t.ts, t.bid, t.ask from option_tick t
    where t.series_id = s.id and t.ts > $2::timestamptz - interval '1 day' and t.ts <= $2
      and ($5::timestamptz is null or t.known_at <= $5)
    order by t.ts desc limit 1
  ) q on true
  left join lateral greeks_newest(s.id, $2, $5) g on true
  where i.entity_id = $1 and i.kind = 'option' and i.expires_at > $2
    and (i.listed_at is null or i.listed_at <= $2) and (i.delisted_at is null or i.delisted_at > $2)
    and ($6::timestamptz is null or i.expires_at >= $6 and i.expires_at < $6::timestamptz + interval '1 day')
    and ($3::text[] is null or e.slug = any($3))
    and case when $4::text is null then not o.on_request else o.slug = $4 end
    and num_nonnulls(k.ts, q.ts, g.ts) > 0
  order by i.id, greatest(k.ts, q.ts) desc nulls last, s.preference, s.id
)
select $2::timestamptz as time, expires_at as expiry, strike, exchange, quote,
  case when margin = 'coin' then 'coin' else 'USD' end as price_unit,
  (array_agg(v.side) filter (where option_type = 'call'))[1] as call,
  (array_agg(v.side) filter (where option_type = 'put'))[1] as put
from told t
cross join lateral black76(t.option_type, t.underlying_price, t.strike, t.mark_iv,
  extract(epoch from t.expires_at - t.stood_at)::float8 / 31536000) b
cross join lateral (
  select case when t.is_told then coalesce(t.delta, b.delta) else coalesce(b.delta, t.delta) end as delta,
    case when t.is_told then coalesce(t.gamma, b.gamma) else coalesce(b.gamma, t.gamma) end as gamma,
    case when t.is_told then coalesce(t.vega, b.vega) else coalesce(b.vega, t.vega) end as vega,
    case when t.is_told then coalesce(t.theta, b.theta) else coalesce(b.theta, t.theta) end as theta,
    case when t.is_told then coalesce(t.rho, b.rho) else coalesce(b.rho, t.rho) end as rho,
    case when t.is_told and b.delta is not null and num_nulls(t.delta, t.gamma, t.vega, t.theta, t.rho) > 0
      then 'told and black76' when t.is_told or b.delta is null and num_nonnulls(t.delta, t.gamma, t.vega) > 0 then 'told'
      when b.delta is not null then 'black76' end as model
) g
cross join lateral (
  select json_build_object('instrument', instrument, 'bid', bid, 'ask', ask, 'mark', mark_price, 'mark_iv', mark_iv,
    'delta', g.delta, 'gamma', g.gamma, 'vega', g.vega, 'theta', g.theta, 'rho', g.rho, 'greeks', g.model,
    'open_interest', open_interest, 'volume', volume_24h, 'underlying', underlying_price, 'index_price', index_price,
    'as_of', case when $7::boolean then to_json(floor(extract(epoch from as_of) * 1000)::bigint)
      else to_json(iso(as_of)) end,
    'age_s', extract(epoch from $2::timestamptz - as_of)::float8, 'source', source) as side
) v
group by expires_at, strike, exchange, quote, margin

-- name: expiries
-- One row an expiry of an asset's options that live at $2: what they are together.
select $2::timestamptz as time, expires_at as expiry, exchange, quote,
  extract(epoch from expires_at - $2::timestamptz)::float8 / 86400 as days, options, forward, call_open_interest,
  put_open_interest, call_open_interest_usd, put_open_interest_usd,
  put_open_interest / nullif(call_open_interest, 0) as put_call_open_interest, call_volume, put_volume,
  put_volume / nullif(call_volume, 0) as put_call_volume, atm_iv, put_iv_25d - call_iv_25d as skew_25d,
  (put_iv_25d + call_iv_25d) / 2 - atm_iv as butterfly_25d, ts as as_of
from option_smile($1, $2, $3, $4, $5, $6)

-- name: totals
-- One row an asset ($1: of these), exchange and quote currency of the options that live at $2: what they are together.
select $2::timestamptz as time, a.asset, o.exchange, o.quote, count(distinct expires_at) as expiries, count(*) as options,
  (array_agg(o.index_price order by o.index_price is null, o.ts desc, o.instrument collate "C"))[1] as index_price,
  sum(o.open_interest) as open_interest, sum(o.open_interest * t.usd) as open_interest_usd,
  sum(t.call) as call_open_interest, sum(t.put) as put_open_interest,
  sum(t.call * t.usd) as call_open_interest_usd, sum(t.put * t.usd) as put_open_interest_usd,
  sum(t.put) / nullif(sum(t.call), 0) as put_call_open_interest, sum(t.call_volume) as call_volume,
  sum(t.put_volume) as put_volume, sum(t.put_volume) / nullif(sum(t.call_volume), 0) as put_call_volume, max(o.ts) as as_of
from (
  select distinct entity_id from instrument
  where kind = 'option' and expires_at > $2 and ($1::int[] is null or entity_id = any($1))
) i
join asset a on a.entity_id = i.entity_id
cross join lateral (select * from option_state(i.entity_id, $2, $3, $4, $5, null) order by instrument collate "C") o
cross join lateral (
  select case o.option_type when 'call' then o.open_interest end as call,
    case o.option_type when 'put' then o.open_interest end as put, coalesce(o.index_price, o.underlying_price) as usd,
    case o.option_type when 'call' then o.volume_24h end as call_volume,
    case o.option_type when 'put' then o.volume_24h end as put_volume
) t
group by a.asset, o.exchange, o.quote

-- name: surface_by_strike
-- One row an expiry and strike of an asset's options that live at $2: the mean IV of its call and its put.
select $2::timestamptz as time, expires_at as expiry, h.strike, exchange, quote, days, forward, h.strike / forward as moneyness,
  ln(h.strike / forward) as log_moneyness, h.iv, b.delta
from (
  select exchange, quote, expires_at, strike, avg(mark_iv) as iv, forward,
    extract(epoch from expires_at - $2::timestamptz)::float8 / 86400 as days
  from option_state($1, $2, $3, $4, $5, $6)
  where mark_iv is not null and forward > 0 and strike > 0
  group by exchange, quote, expires_at, strike, forward
) h
cross join lateral black76('call', forward, h.strike, h.iv, days / 365) b

-- name: surface_by_delta
-- One row an expiry and bucket of delta of an asset's options that live at $2: IV and strike interpolated between the
-- options out of the money on both sides of that delta; at the money where the strike is the forward.
with held as materialized (
  select o.*, b.delta
  from option_state($1, $2, $3, $4, $5, $6) o
  cross join lateral black76(o.option_type, o.underlying_price, o.strike, o.mark_iv, o.years) b
), side as materialized (
  select exchange, quote, expires_at, forward, option_type, array_agg(delta) as deltas, array_agg(mark_iv) as ivs,
    array_agg(strike) as strikes
  from held
  where mark_iv is not null and case option_type when 'call' then strike >= forward else strike <= forward end
  group by exchange, quote, expires_at, forward, option_type
), point as (
  select exchange, quote, expires_at, forward, p.place, p.bucket, p.delta, linear_at(deltas, ivs, p.delta) as iv,
    linear_at(deltas, strikes, p.delta) as strike
  from side
  join (values (1, '10d put', 'put', -0.10::float8), (2, '15d put', 'put', -0.15), (3, '25d put', 'put', -0.25),
    (4, '35d put', 'put', -0.35), (6, '35d call', 'call', 0.35), (7, '25d call', 'call', 0.25),
    (8, '15d call', 'call', 0.15), (9, '10d call', 'call', 0.10)) p(place, bucket, option_type, delta) using (option_type)
  union all
  select exchange, quote, expires_at, forward, 5, 'ATM', null,
    linear_at(array_agg(strike), array_agg(mark_iv), forward), forward
  from held group by exchange, quote, expires_at, forward
)
select $2::timestamptz as time, expires_at as expiry, place, exchange, quote,
  extract(epoch from expires_at - $2::timestamptz)::float8 / 86400 as days, bucket, delta, strike, forward,
  strike / nullif(forward, 0) as moneyness, iv
from point where iv is not null

-- name: term_structure
-- One row an instant from $2 to $3 every $8, and expiry of an asset's options or constant maturity: IV at the money, and
-- where delta is 0.25 and -0.25. Constant maturities are interpolated in variance x time between two expiries.
-- A smile is made of each instant at which anything changed, and stands until the next: by then an option was told of,
-- what was told is a day old, or an option expired, was listed or was delisted.
with recursive option as materialized (
  select s.id, i.expires_at, i.listed_at, i.delisted_at
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  where i.entity_id = $1 and i.kind = 'option' and i.expires_at > $2 and ($4::text[] is null or e.slug = any($4))
    and ($7::timestamptz is null or i.expires_at >= $7 and i.expires_at < $7::timestamptz + interval '1 day')
), change as (
  select $2::timestamptz as instant where $2::timestamptz <= $3
  union all
  select n.instant
  from change c
  cross join lateral (
    select case
      when exists (
        select from option o
        cross join lateral (
          select from option_1m f where f.series_id = o.id and f.ts > c.instant and f.ts <= c.instant + $8::interval limit 1
        ) f
      ) then c.instant + $8::interval
      else date_bin($8::interval, least((
        select min(f.ts + late.by)
        from option o
        cross join (values (interval '0'), (interval '1 day')) late(by)
        cross join lateral (
          (select f.ts from option_1m f
            where f.series_id = o.id and f.ts > c.instant - late.by and f.ts <= $3::timestamptz - late.by
            order by f.ts limit 1)
          union all
          (select r.ts from revision r
            where $6::timestamptz is not null and r.fact = 'option_1m' and r.series_id = o.id
              and r.ts > c.instant - late.by and r.ts <= $3::timestamptz - late.by
            order by r.ts limit 1)
        ) f
      ), (
        select min(l.ts) from option o cross join unnest(array[o.expires_at, o.listed_at, o.delisted_at]) l(ts)
        where l.ts > c.instant
      )) - interval '1 microsecond', $2::timestamptz) + $8::interval
    end as instant
  ) n
  where c.instant < $3 and n.instant <= $3
), state as materialized (
  select c.*, m.*
  from (select instant, lead(instant) over (order by instant) - $8::interval as until from change) c
  cross join lateral option_smile($1, c.instant, $4, $5, $6, $7) m
), smile as materialized (
  select g.ts as instant, extract(epoch from expires_at - g.ts)::float8 / 86400 as days, exchange, quote, expires_at,
    forward, atm_iv, call_iv_25d, put_iv_25d
  from state
  cross join lateral generate_series(instant, coalesce(until, $3::timestamptz), $8::interval) g(ts)
), point as (
  select instant, exchange, quote, to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD') as maturity, expires_at, days,
    forward, atm_iv, call_iv_25d, put_iv_25d
  from smile
  union all
  select instant, exchange, quote, t.days || 'd', null, t.days, linear_at(array_agg(s.days), array_agg(forward), t.days),
    sqrt(linear_at(array_agg(s.days), array_agg(atm_iv * atm_iv * s.days), t.days) / t.days),
    sqrt(linear_at(array_agg(s.days), array_agg(call_iv_25d * call_iv_25d * s.days), t.days) / t.days),
    sqrt(linear_at(array_agg(s.days), array_agg(put_iv_25d * put_iv_25d * s.days), t.days) / t.days)
  from smile s cross join unnest(array[7, 30, 90]) t(days)
  group by instant, exchange, quote, t.days
)
select instant as time, maturity, exchange, quote, expires_at as expiry, days, forward, atm_iv,
  put_iv_25d - call_iv_25d as skew_25d, (put_iv_25d + call_iv_25d) / 2 - atm_iv as butterfly_25d
from point
where num_nonnulls(atm_iv, put_iv_25d, call_iv_25d) > 0

-- name: nearest
-- The ids of (20 of) an asset's options that live nearest to an instant $2.
select i.id from instrument i join exchange e on e.id = i.exchange_id
where i.entity_id = $1 and i.kind = 'option' and i.expires_at is not null and ($3::text[] is null or e.slug = any($3))
  and ($4::timestamptz is null or i.expires_at >= $4 and i.expires_at < $4::timestamptz + interval '1 day')
order by i.expires_at <= $2, abs(extract(epoch from i.expires_at - $2)), i.id limit 20

-- name: nearest_of_all
-- The ids of (20 of) all options that live nearest to an instant $1; $2: of these assets, $3: on these exchanges.
select i.id from instrument i join exchange e on e.id = i.exchange_id
where i.kind = 'option' and i.expires_at is not null and ($2::int[] is null or i.entity_id = any($2))
  and ($3::text[] is null or e.slug = any($3))
order by i.expires_at <= $1, abs(extract(epoch from i.expires_at - $1)), i.id limit 20
