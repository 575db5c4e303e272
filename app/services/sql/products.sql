-- name: make_instruments
-- Adds a perpetual for every product that no exchange has listed yet; gives one of unknown coin its coin.
insert into instrument (exchange_id, symbol, kind, entity_id, base, multiplier)
select distinct on (p.exchange, p.symbol) p.exchange, p.symbol, 'perp', p.entity, p.base, p.multiplier
from unnest(cast(:exchange as int[]), cast(:symbol as text[]), cast(:entity as int[]), cast(:base as text[]),
  cast(:multiplier as float8[])) as p(exchange, symbol, entity, base, multiplier)
order by p.exchange, p.symbol
on conflict (exchange_id, kind, symbol) do update
set entity_id = excluded.entity_id, multiplier = excluded.multiplier
where instrument.entity_id is null and excluded.entity_id is not null

-- name: keep
-- What a source lists now, by instrument; what it listed before and does not any more is not active: on any exchange or,
-- where it was asked about some, on those.
with told as (
  select distinct on (i.id) i.id as instrument_id, p.coin, p.begins, p.active
  from unnest(cast(:exchange as int[]), cast(:symbol as text[]), cast(:coin as text[]),
    cast(:begins as timestamptz[]), cast(:active as boolean[])) as p(exchange, symbol, coin, begins, active)
  join instrument i on i.exchange_id = p.exchange and i.symbol = p.symbol and i.kind = 'perp'
  order by i.id
), kept as (
  insert into source_product (source, instrument_id, coin, begins, active)
  select :source, instrument_id, coin, begins, active from told
  on conflict (source, instrument_id) do update
  set coin = excluded.coin, begins = coalesce(excluded.begins, source_product.begins), active = excluded.active,
    seen_at = clock_timestamp()
)
update source_product set active = false
where source = :source and active and instrument_id not in (select instrument_id from told)
  and (cast(:asked as int[]) is null
    or instrument_id in (select id from instrument where exchange_id = any(cast(:asked as int[]))))

-- name: make_series
-- Adds the series of every product of a source that has none.
insert into series (instrument_id, source_id, preference)
select p.instrument_id, cast(:source as int), cast(:preference as smallint)
from source_product p
where p.source = :slug
  and not exists (select from series s where s.instrument_id = p.instrument_id and s.source_id = :source)
on conflict do nothing

-- name: listed
-- One row an active product of source $1, of entities $2 and exchanges $3 (null: all), most open interest first.
select x.slug as exchange, i.symbol, p.coin, i.entity_id, i.multiplier, s.id as series_id, p.begins,
  l.hour_ts as last, coalesce(h.oi_usd_close, o.oi_usd) as open_interest
from source_product p
join instrument i on i.id = p.instrument_id
join exchange x on x.id = i.exchange_id
join source t on t.slug = p.source
join series s on s.instrument_id = i.id and s.source_id = t.id
left join latest l on l.series_id = s.id
left join perp_1h h on h.series_id = s.id and h.ts = l.hour_ts
left join lateral (
  select max(n.oi_usd) as oi_usd from series e join latest n on n.series_id = e.id where e.instrument_id = i.id
) o on true
where p.source = $1 and p.active and ($2::int[] is null or i.entity_id = any($2))
  and ($3::text[] is null or x.slug = any($3))
order by open_interest desc nulls last, x.slug, i.symbol

-- name: missing
-- One row an active product of source $1 that lacks an hour in [$2, $3): the first such hour.
select x.slug as exchange, i.symbol, min(g.ts) as first
from source_product p
join instrument i on i.id = p.instrument_id
join exchange x on x.id = i.exchange_id
join source t on t.slug = p.source
join series s on s.instrument_id = i.id and s.source_id = t.id
cross join generate_series($2::timestamptz, $3::timestamptz - interval '1 hour', interval '1 hour') as g(ts)
left join perp_1h h on h.series_id = s.id and h.ts = g.ts and h.ts >= $2 and h.ts < $3
where p.source = $1 and p.active and h.ts is null
group by x.slug, i.symbol
