-- name: newest_trades
-- The newest stored trade of each of these series ($1) that has any.
select s.id as series_id, n.trade_seq, n.ts
from unnest($1::int[]) as s(id)
cross join lateral (
  select t.trade_seq, t.ts from option_trade t where t.series_id = s.id order by t.ts desc, t.trade_seq desc limit 1
) n

-- name: missing_trades
-- Numbers of trades of these series ($1) that are not stored between two that are, the later at or after $2; and the
-- times of these two.
select h.series_id, h.trade_before + 1 as first_seq, h.trade_seq - 1 as last_seq, h.after, h.ts as before
from (
  select t.*, lag(t.trade_seq) over w as trade_before, lag(t.ts) over w as after
  from unnest($1::int[]) as s(id)
  cross join lateral (
    select o.series_id, o.trade_seq, o.ts from option_trade o where o.series_id = s.id and o.ts >= $2::timestamptz
    union all
    (select o.series_id, o.trade_seq, o.ts from option_trade o where o.series_id = s.id and o.ts < $2
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
