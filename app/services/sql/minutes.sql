-- name: liquidation
-- One row a minute that staged liquidations fall in, unless retention removed it: what all that are stored of it come to.
select m.series_id, m.ts, l.*, greatest(m.known_at, f.known_at) as known_at
from (
  select series_id, date_trunc('minute', ts, 'UTC') as ts, max(coalesce(known_at, clock_timestamp())) as known_at
  from stage
  where ts >= (select coalesce(max(removed_before), '-infinity') from retention where fact in ('liquidation', 'perp_1m'))
  group by 1, 2
) m
cross join lateral (
  select sum(price * quantity order by ts) / sum(quantity order by ts) as liquidation_price,
    coalesce(sum(quantity order by ts) filter (where side = 1), 0) as long_liquidation_base,
    coalesce(sum(quantity order by ts) filter (where side = -1), 0) as short_liquidation_base
  from liquidation where series_id = m.series_id and ts >= m.ts and ts < m.ts + interval '1 minute'
) l
left join perp_1m f on f.series_id = m.series_id and f.ts = m.ts

-- name: sample
-- One row a minute that staged samples fall in: the `place` of the last of them. Only of series that an exchange with
-- perpspecs or an import tells, or that are yet to be made, and of minutes that retention did not remove.
select distinct on (t.series_id, m.ts) t.series_id, m.ts, t.ctid as place,
  greatest(coalesce(t.known_at, clock_timestamp()), f.known_at) as known_at
from stage t
cross join lateral (select date_trunc('minute', t.ts, 'UTC') as ts) m
left join perp_1m f on f.series_id = t.series_id and f.ts = m.ts
left join series s on s.id = t.series_id
left join source o on o.id = s.source_id
left join instrument i on i.id = s.instrument_id
left join exchange x on x.id = i.exchange_id
where t.ts >= (select coalesce(max(removed_before), '-infinity') from retention where fact = 'perp_1m')
  and (s.id is null or (o.slug in (x.slug, 'import') or not o.on_request and exists (
      select from import_made made where made.kind = 'series' and made.made_id = s.id))
    and exists (select from perpspec p where p.exchange = x.slug or p.exchange is null and p.kind <> 'rsi'))
order by t.series_id, m.ts, t.ts desc, t.ctid desc

-- name: tell_again
-- What is told of minutes in the span of an import's ($1) liquidations is what those come to that are left and were known
-- by then; by the last word it is all that are left. Where there are none it stays.
with of_others as (
  select w.series_id, w.ts, w.n, w.known_at, w.n = max(w.n) over (partition by w.series_id, w.ts) as stands
  from import_span s
  join word w on w.series_id = s.series_id and w.ts >= date_trunc('minute', s.first, 'UTC') and w.ts <= s.last
  where s.batch_id = $1 and s.fact = 'liquidation' and w.batch_id is distinct from $1 and w.told ? 'liquidation_price'
), left_over as (
  select o.series_id, o.ts, o.n, l.known_at, to_jsonb(l) - 'known_at' as told
  from of_others o
  cross join lateral (
    select sum(price * quantity order by ts) / sum(quantity order by ts) as liquidation_price,
      coalesce(sum(quantity order by ts) filter (where side = 1), 0) as long_liquidation_base,
      coalesce(sum(quantity order by ts) filter (where side = -1), 0) as short_liquidation_base,
      greatest(max(known_at), o.known_at) as known_at
    from liquidation where series_id = o.series_id and ts >= o.ts and ts < o.ts + interval '1 minute'
      and (o.stands or known_at <= o.known_at)
  ) l
  where l.liquidation_price is not null
)
update word w set told = w.told || l.told, known_at = l.known_at
from left_over l where w.series_id = l.series_id and w.ts = l.ts and w.n = l.n
