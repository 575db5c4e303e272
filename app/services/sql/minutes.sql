-- name: liquidation
-- One row a minute that staged liquidations fall in, unless retention removed it: what all that are stored of it come to.
select m.series_id, m.ts, l.*, greatest(l.told_at, f.known_at) as known_at
from (
  select distinct series_id, date_trunc('minute', ts, 'UTC') as ts from stage
  where ts >= (select coalesce(max(removed_before), '-infinity') from retention where fact in ('liquidation', 'perp_1m'))
) m
cross join lateral (
  select sum(price * quantity order by ts) / sum(quantity order by ts) as liquidation_price,
    coalesce(sum(quantity order by ts) filter (where side = 1), 0) as long_liquidation_base,
    coalesce(sum(quantity order by ts) filter (where side = -1), 0) as short_liquidation_base,
    max(known_at) as told_at
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

-- name: again
-- One row a version of a minute in the span of an import's ($1) liquidations, the one that stands included (`stands`): what
-- the liquidations come to that are left, and (of an older one) were known by then. No row where there are none.
with version as (
  select f.series_id, f.ts, f.known_at, true as stands
  from import_span s join perp_1m f on f.series_id = s.series_id
    and f.ts >= date_trunc('minute', s.first, 'UTC') and f.ts <= s.last
  where s.batch_id = $1::int and s.fact = 'liquidation' and f.liquidation_price is not null
  union
  select r.series_id, r.ts, r.known_at, false
  from import_span s join revision r on r.fact = 'perp_1m' and r.series_id = s.series_id
    and r.ts >= date_trunc('minute', s.first, 'UTC') and r.ts <= s.last
  where s.batch_id = $1::int and s.fact = 'liquidation' and r.said ? 'liquidation_price'
)
select v.*, l.*
from version v
cross join lateral (
  select sum(price * quantity order by ts) / sum(quantity order by ts) as liquidation_price,
    coalesce(sum(quantity order by ts) filter (where side = 1), 0) as long_liquidation_base,
    coalesce(sum(quantity order by ts) filter (where side = -1), 0) as short_liquidation_base,
    max(known_at) as told_at
  from liquidation where series_id = v.series_id and ts >= v.ts and ts < v.ts + interval '1 minute'
    and (v.stands or known_at <= v.known_at)
) l
where l.liquidation_price is not null
