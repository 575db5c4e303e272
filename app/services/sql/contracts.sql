-- name: candles
-- One row a bucket of $4 in [$2, $3) of instrument $1: of the minutes told of it, and of its trades in a bucket without any.
with whole as (
  select i.*, date_bin($4::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4::interval as until
  from instrument i where i.id = $1
), minute as (
  select distinct on (c.ts) c.*, o.slug as source
  from whole w join series s on s.instrument_id = w.id join source o on o.id = s.source_id
  cross join lateral (
    select f.ts, f.open, f.high, f.low, f.close, f.volume_base, f.volume_quote, null::float8 as trades
    from option_1m_known($6) f
    where f.series_id = s.id and f.close is not null and f.ts >= $2 and f.ts < w.until
    union all
    select f.ts, f.open, f.high, f.low, f.close, f.volume_base, f.volume_usd, f.trades
    from perp_1m_known($6) f
    where f.series_id = s.id and f.close is not null and f.ts >= $2 and f.ts < w.until
  ) c
  where case when $5::text is null then not o.on_request else o.slug = $5 end
  order by c.ts, s.preference, s.id
), told as (
  select date_bin($4::interval, ts, '2000-01-01Z') as time, (array_agg(open order by ts))[1] as open, max(high) as high,
    min(low) as low, (array_agg(close order by ts desc))[1] as close,
    case when count(volume_base) = count(*) then sum(volume_base) end as volume_base,
    case when count(volume_quote) = count(*) then sum(volume_quote) end as volume_quote,
    case when count(trades) = count(*) then sum(trades)::bigint end as trades,
    count(*) = extract(epoch from $4::interval) / 60 as complete, string_agg(distinct source, ',') as source
  from minute group by 1
), trade as (
  select distinct on (t.ts, t.trade_seq) t.*, o.slug as source,
    case when w.kind <> 'option' and w.margin = 'coin' then t.amount / nullif(t.price, 0) else t.amount end as base
  from whole w join series s on s.instrument_id = w.id join source o on o.id = s.source_id
  join option_trade t on t.series_id = s.id
  where t.ts >= $2 and t.ts < w.until and ($6::timestamptz is null or t.known_at <= $6)
    and case when $5::text is null then not o.on_request else o.slug = $5 end
  order by t.ts, t.trade_seq, s.preference, s.id
), traded as (
  select date_bin($4::interval, ts, '2000-01-01Z') as time, (array_agg(price order by ts, trade_seq))[1] as open,
    max(price) as high, min(price) as low, (array_agg(price order by ts desc, trade_seq desc))[1] as close,
    sum(base) as volume_base, sum(base * price) as volume_quote, count(*) as trades, null::boolean as complete,
    string_agg(distinct source, ',') as source
  from trade group by 1
)
select time, $7::text as exchange, $8::text as instrument, open, high, low, close, volume_base, volume_quote, trades,
  complete, 'minutes' as made_of, source
from told where time >= $2
union all
select time, $7, $8, open, high, low, close, volume_base, volume_quote, trades, complete, 'trades', source
from traded where time >= $2 and not exists (select from told where told.time = traded.time)

-- name: quotes
-- One row a quote in [$2, $3) of instrument $1, of the preferred source that tells any.
with teller as materialized (
  select s.id, o.slug from series s join source o on o.id = s.source_id
  where s.instrument_id = $1 and case when $4::text is null then not o.on_request else o.slug = $4 end
    and exists (select from option_tick t where t.series_id = s.id and t.ts >= $2 and t.ts < $3)
  order by s.preference, s.id limit 1
)
select t.ts as time, $6::text as exchange, $7::text as instrument, t.bid, t.ask, t.bid_amount, t.ask_amount,
  (select slug from teller) as source
from option_tick t
where t.series_id = (select id from teller) and t.ts >= $2 and t.ts < $3
  and ($5::timestamptz is null or t.known_at <= $5)

-- name: quote_by
-- The quote of instrument $1 in force at $2, at most a day old: that of whoever told last.
select t.ts as time, $5::text as exchange, $6::text as instrument, t.bid, t.ask, t.bid_amount, t.ask_amount, o.slug as source
from series s join source o on o.id = s.source_id
cross join lateral (
  select * from option_tick f
  where f.series_id = s.id and f.ts > $2::timestamptz - interval '1 day' and f.ts <= $2
    and ($4::timestamptz is null or f.known_at <= $4)
  order by f.ts desc limit 1
) t
where s.instrument_id = $1 and case when $3::text is null then not o.on_request else o.slug = $3 end
order by t.ts desc, s.preference, s.id limit 1

-- name: quote_candles
-- One row a bucket of $4 in [$2, $3) of instrument $1: its best bid and ask as candles. Of an hour whose quotes are gone
-- (or were not told) the hour kept of them counts, in buckets of hours.
with teller as materialized (
  select s.id, o.slug from series s join source o on o.id = s.source_id
  where s.instrument_id = $1 and case when $5::text is null then not o.on_request else o.slug = $5 end
    and (exists (select from option_tick t where t.series_id = s.id and t.ts >= $2 and t.ts < $3)
      or exists (select from option_tick_1h h where h.series_id = s.id and h.ts >= $2 and h.ts < $3))
  order by s.preference, s.id limit 1
), span as materialized (
  select date_bin($4::interval, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4::interval as until
), quote as materialized (
  select date_bin(least($4::interval, interval '1 hour'), t.ts, '2000-01-01Z') as ts,
    (array_agg(bid order by t.ts) filter (where bid is not null))[1] as bid_open, max(bid) as bid_high,
    min(bid) as bid_low, (array_agg(bid order by t.ts desc) filter (where bid is not null))[1] as bid_close,
    (array_agg(ask order by t.ts) filter (where ask is not null))[1] as ask_open, max(ask) as ask_high,
    min(ask) as ask_low, (array_agg(ask order by t.ts desc) filter (where ask is not null))[1] as ask_close,
    count(*) as quotes, 'quotes' as made_of
  from span, option_tick t
  where t.series_id = (select id from teller) and t.ts >= $2 and t.ts < span.until
    and ($6::timestamptz is null or t.known_at <= $6)
  group by 1
), part as (
  select * from quote
  union all
  select h.ts, h.bid_open, h.bid_high, h.bid_low, h.bid_close, h.ask_open, h.ask_high, h.ask_low, h.ask_close, h.quotes,
    'hours'
  from span, option_tick_1h h
  where h.series_id = (select id from teller) and h.ts >= $2 and h.ts < span.until
    and $4::interval >= interval '1 hour' and $6::timestamptz is null
    and not exists (select from quote q where q.ts = h.ts)
)
select date_bin($4::interval, ts, '2000-01-01Z') as time, $7::text as exchange, $8::text as instrument,
  (array_agg(bid_open order by ts) filter (where bid_open is not null))[1] as bid_open, max(bid_high) as bid_high,
  min(bid_low) as bid_low, (array_agg(bid_close order by ts desc) filter (where bid_close is not null))[1] as bid_close,
  (array_agg(ask_open order by ts) filter (where ask_open is not null))[1] as ask_open, max(ask_high) as ask_high,
  min(ask_low) as ask_low, (array_agg(ask_close order by ts desc) filter (where ask_close is not null))[1] as ask_close,
  sum(quotes)::bigint as quotes, string_agg(distinct made_of, ',' order by made_of) as made_of,
  (select slug from teller) as source
from part
where date_bin($4::interval, ts, '2000-01-01Z') >= $2
group by 1

-- name: trades
-- One row a trade in [$2, $3) of instrument $1, of the preferred source that tells any.
with teller as materialized (
  select s.id, o.slug from series s join source o on o.id = s.source_id
  where s.instrument_id = $1 and case when $4::text is null then not o.on_request else o.slug = $4 end
    and exists (select from option_trade t where t.series_id = s.id and t.ts >= $2 and t.ts < $3)
  order by s.preference, s.id limit 1
)
select t.ts as time, $6::text as exchange, $7::text as instrument, t.trade_seq, t.trade_id,
  case t.side when 1 then 'buy' else 'sell' end as side, t.price, t.amount, t.iv, t.mark_price, t.index_price,
  t.liquidation, t.is_block, t.is_combo, (select slug from teller) as source
from option_trade t
where t.series_id = (select id from teller) and t.ts >= $2 and t.ts < $3
  and ($5::timestamptz is null or t.known_at <= $5)

-- name: trade_by
-- The last trade of instrument $1 by $2, at most a day old.
select t.ts as time, $5::text as exchange, $6::text as instrument, t.trade_seq, t.trade_id,
  case t.side when 1 then 'buy' else 'sell' end as side, t.price, t.amount, t.iv, t.mark_price, t.index_price,
  t.liquidation, t.is_block, t.is_combo, o.slug as source
from series s join source o on o.id = s.source_id
cross join lateral (
  select * from option_trade f
  where f.series_id = s.id and f.ts > $2::timestamptz - interval '1 day' and f.ts <= $2
    and ($4::timestamptz is null or f.known_at <= $4)
  order by f.ts desc, f.trade_seq desc limit 1
) t
where s.instrument_id = $1 and case when $3::text is null then not o.on_request else o.slug = $3 end
order by t.ts desc, s.preference, s.id limit 1

-- name: depth
-- One row an order book in [$2, $3) of instrument $1, of the preferred source that tells any: its $8 best levels.
with teller as materialized (
  select s.id, o.slug from series s join source o on o.id = s.source_id
  where s.instrument_id = $1 and case when $4::text is null then not o.on_request else o.slug = $4 end
    and exists (select from depth t where t.series_id = s.id and t.ts >= $2 and t.ts < $3)
  order by s.preference, s.id limit 1
)
select t.ts as time, $6::text as exchange, $7::text as instrument, t.change_id,
  (select coalesce(json_agg(json_build_array(p, a) order by n), '[]')
    from unnest(t.bid_prices, t.bid_amounts) with ordinality l(p, a, n) where n <= $8::int) as bids,
  (select coalesce(json_agg(json_build_array(p, a) order by n), '[]')
    from unnest(t.ask_prices, t.ask_amounts) with ordinality l(p, a, n) where n <= $8::int) as asks,
  (select slug from teller) as source
from depth t
where t.series_id = (select id from teller) and t.ts >= $2 and t.ts < $3
  and ($5::timestamptz is null or t.known_at <= $5)

-- name: depth_by
-- The last order book of instrument $1 by $2, at most a day old: its $7 best levels.
select t.ts as time, $5::text as exchange, $6::text as instrument, t.change_id,
  (select coalesce(json_agg(json_build_array(p, a) order by n), '[]')
    from unnest(t.bid_prices, t.bid_amounts) with ordinality l(p, a, n) where n <= $7::int) as bids,
  (select coalesce(json_agg(json_build_array(p, a) order by n), '[]')
    from unnest(t.ask_prices, t.ask_amounts) with ordinality l(p, a, n) where n <= $7::int) as asks,
  o.slug as source
from series s join source o on o.id = s.source_id
cross join lateral (
  select * from depth f
  where f.series_id = s.id and f.ts > $2::timestamptz - interval '1 day' and f.ts <= $2
    and ($4::timestamptz is null or f.known_at <= $4)
  order by f.ts desc limit 1
) t
where s.instrument_id = $1 and case when $3::text is null then not o.on_request else o.slug = $3 end
order by t.ts desc, s.preference, s.id limit 1
