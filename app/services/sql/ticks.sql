-- name: newest_trades
-- The newest stored trade of each of these series ($1) that has any since $2.
select s.id as series_id, n.trade_seq, n.ts
from unnest($1::int[]) as s(id)
cross join lateral (
  select t.trade_seq, t.ts from option_trade t where t.series_id = s.id and t.ts >= $2::timestamptz
  order by t.ts desc, t.trade_seq desc limit 1
) n

-- name: missing_trades
-- Numbers of trades of these series ($1) that are not stored between two that are, the later at or after $2, the earlier
-- at or after $3; and the times of these two.
select h.series_id, h.trade_before + 1 as first_seq, h.trade_seq - 1 as last_seq, h.after, h.ts as before
from (
  select t.*, lag(t.trade_seq) over w as trade_before, lag(t.ts) over w as after
  from unnest($1::int[]) as s(id)
  cross join lateral (
    select o.series_id, o.trade_seq, o.ts from option_trade o where o.series_id = s.id and o.ts >= $2::timestamptz
    union all
    (select o.series_id, o.trade_seq, o.ts from option_trade o where o.series_id = s.id and o.ts < $2 and o.ts >= $3::timestamptz
     order by o.ts desc, o.trade_seq desc limit 1)
  ) t
  window w as (partition by t.series_id order by t.trade_seq, t.ts)
) h
where h.trade_seq > h.trade_before + 1
order by h.series_id, first_seq

-- name: note_late
-- Quotes of these series ($1) in these hours ($2) came late: each hour is to be rolled up again.
insert into option_tick_late (series_id, ts)
select * from unnest($1::int[], $2::timestamptz[])

-- name: quoting
-- Series that may have had quotes in the hours from $1 on: of what had not expired by then.
select s.id
from series s join instrument i on i.id = s.instrument_id
where i.kind in ('perp', 'future', 'option') and (i.expires_at is null or i.expires_at >= $1)
order by s.id

-- name: roll_up
-- Best bids and asks of hours ($2) of series ($1, one each) as candles. An hour without quotes stays as it is: they may
-- have been removed.
insert into option_tick_1h as h (
  series_id, ts, bid_open, bid_high, bid_low, bid_close, ask_open, ask_high, ask_low, ask_close, quotes)
select w.series_id, w.ts, e.bid_open, r.bid_high, r.bid_low, e.bid_close, e.ask_open, r.ask_high, r.ask_low,
  e.ask_close, r.quotes
from unnest($1::int[], $2::timestamptz[]) as w(series_id, ts)
cross join lateral (
  select count(*) as quotes, max(q.bid) as bid_high, min(q.bid) as bid_low, max(q.ask) as ask_high, min(q.ask) as ask_low
  from option_tick q where q.series_id = w.series_id and q.ts >= w.ts and q.ts < w.ts + interval '1 hour'
) r
cross join lateral (
  select
    (select q.bid from option_tick q
     where q.series_id = w.series_id and q.ts >= w.ts and q.ts < w.ts + interval '1 hour' and q.bid is not null
     order by q.ts limit 1) as bid_open,
    (select q.bid from option_tick q
     where q.series_id = w.series_id and q.ts >= w.ts and q.ts < w.ts + interval '1 hour' and q.bid is not null
     order by q.ts desc limit 1) as bid_close,
    (select q.ask from option_tick q
     where q.series_id = w.series_id and q.ts >= w.ts and q.ts < w.ts + interval '1 hour' and q.ask is not null
     order by q.ts limit 1) as ask_open,
    (select q.ask from option_tick q
     where q.series_id = w.series_id and q.ts >= w.ts and q.ts < w.ts + interval '1 hour' and q.ask is not null
     order by q.ts desc limit 1) as ask_close
) e
where r.quotes > 0
order by w.series_id, w.ts
on conflict (series_id, ts) do update set
  bid_open = excluded.bid_open, bid_high = excluded.bid_high, bid_low = excluded.bid_low,
  bid_close = excluded.bid_close, ask_open = excluded.ask_open, ask_high = excluded.ask_high,
  ask_low = excluded.ask_low, ask_close = excluded.ask_close, quotes = excluded.quotes
where h.quotes <> excluded.quotes
  or (h.bid_open, h.bid_high, h.bid_low, h.bid_close) is distinct from
    (excluded.bid_open, excluded.bid_high, excluded.bid_low, excluded.bid_close)
  or (h.ask_open, h.ask_high, h.ask_low, h.ask_close) is distinct from
    (excluded.ask_open, excluded.ask_high, excluded.ask_low, excluded.ask_close)
