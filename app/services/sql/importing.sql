-- name: exchanges
-- One row an exchange of these slugs that is stored.
select slug from exchange where slug = any($1::text[])

-- name: contracts
-- One row a contract of these exchanges ($1) and kinds ($2), as an import sees it.
select e.slug as exchange, i.symbol, i.kind, i.entity_id as entity, i.multiplier, i.base, i.id as key,
  only_on_request(i.id) as is_hearsay
from instrument i join exchange e on e.id = i.exchange_id
where e.slug = any($1::text[]) and i.kind = any($2::text[])
order by i.kind <> 'perp', i.id

-- name: series
-- One row a series of these contracts: its source and id.
select s.instrument_id, o.slug as source, s.id
from series s
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange e on e.id = i.exchange_id
where e.slug = any($1::text[]) and i.kind = any($2::text[])

-- name: reserve
-- One row an id of a series to be made.
select nextval(pg_get_serial_sequence('series', 'id'))::int as id from generate_series(1, $1::int)

-- name: make_exchanges
-- Exchanges by slug, those that are not there. One row each that was made; so with all that make.
insert into exchange (slug, name) select slug, slug from unnest($1::text[]) as new(slug)
where not exists (select from exchange e where e.slug = new.slug)
order by slug on conflict do nothing
returning id

-- name: make_sources
-- Sources by slug, those that are not there.
insert into source (slug) select slug from unnest($1::text[]) as new(slug)
where not exists (select from source o where o.slug = new.slug)
order by slug on conflict do nothing
returning id

-- name: make_entities
-- Coins ($1 canonical ids, $2 symbols) that are not there.
insert into entity (canonical_id, name, symbol, type)
select canonical_id, symbol, symbol, 'token' from unnest($1::text[], $2::text[]) as new(canonical_id, symbol)
order by canonical_id on conflict do nothing
returning id

-- name: make_contracts
-- Contracts of an entity that is there ($4) or was just made ($5); what expired is not active.
insert into instrument (exchange_id, symbol, kind, entity_id, base, multiplier, quote, margin, expires_at, strike, option_type,
  price_index, active)
select e.id, new.symbol, new.kind, coalesce(new.entity_id, t.id), new.base, new.multiplier, new.quote, new.margin,
  new.expires_at, new.strike, new.option_type, new.price_index, coalesce(new.expires_at > clock_timestamp(), true)
from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::float8[], $8::text[], $9::text[],
    $10::timestamptz[], $11::float8[], $12::text[], $13::text[])
  as new(exchange, symbol, kind, entity_id, canonical_id, base, multiplier, quote, margin, expires_at, strike, option_type,
    price_index)
join exchange e on e.slug = new.exchange
left join entity t on t.canonical_id = new.canonical_id
order by e.id, new.symbol
on conflict do nothing
returning id

-- name: adopt
-- Contracts ($1) nobody knew the coin of, and the entity they are of.
update instrument i set entity_id = coalesce(new.entity_id, t.id)
from unnest($1::int[], $2::int[], $3::text[]) as new(id, entity_id, canonical_id)
left join entity t on t.canonical_id = new.canonical_id
where i.id = new.id and i.entity_id is null
returning i.id

-- name: adopted_due
-- The rollup of entities that contracts ($1) came to is due again from their first fact on.
insert into coin_1h_ready (entity_id, first_ts, ready_to)
select i.entity_id, date_trunc('hour', min(f.ts) - interval '1 microsecond') + interval '1 hour',
  date_trunc('hour', min(f.ts) - interval '1 microsecond')
from instrument i
join series s on s.instrument_id = i.id
cross join lateral (
  select min(ts) as ts from funding where series_id = s.id
  union all select min(ts) from open_interest where series_id = s.id
  union all select min(ts) from perp_1h where series_id = s.id
) f
where i.id = any($1::int[]) and i.entity_id is not null and f.ts is not null
group by i.entity_id
order by i.entity_id
on conflict (entity_id) do update set
  first_ts = least(coin_1h_ready.first_ts, excluded.first_ts),
  ready_to = least(coin_1h_ready.ready_to, excluded.ready_to)

-- name: make_series
-- Series under reserved ids ($1) of contracts by exchange, symbol and kind as told by a source.
insert into series (id, instrument_id, source_id, preference) overriding system value
select new.id, i.id, o.id, new.preference
from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[])
  as new(id, exchange, symbol, kind, source, preference)
join exchange e on e.slug = new.exchange
join instrument i on i.exchange_id = e.id and i.symbol = new.symbol and i.kind = new.kind
join source o on o.slug = new.source
order by i.id, o.id
on conflict do nothing
returning id

-- name: series_taken
-- One row a series that was made by another writer, under another id than the one reserved here.
select new.id as reserved, s.id
from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) as new(id, exchange, symbol, kind, source)
join exchange e on e.slug = new.exchange
join instrument i on i.exchange_id = e.id and i.symbol = new.symbol and i.kind = new.kind
join source o on o.slug = new.source
join series s on s.instrument_id = i.id and s.source_id = o.id
where s.id <> new.id

-- name: metric_series
-- One row a stored series of values of these metrics ($1), entities ($2) and exchanges ($3, empty: none).
select s.id, s.metric_id, s.entity_id, wanted.exchange
from unnest($1::int[], $2::int[], $3::text[]) as wanted(metric_id, entity_id, exchange)
join metric_series s on s.metric_id = wanted.metric_id and s.entity_id = wanted.entity_id
left join exchange e on e.id = s.exchange_id
where coalesce(e.slug, '') = wanted.exchange

-- name: reserve_metric_series
-- One row an id of a series of values to be made.
select nextval(pg_get_serial_sequence('metric_series', 'id'))::int as id from generate_series(1, $1::int)

-- name: make_metrics
-- Metrics by source, name, canonical name, unit and whether they may be negative: those that are not there, and units nobody told before.
with told as (
  insert into metric (source, name, canonical, unit, domain, granularity, covers, signed)
  select source, name, canonical, unit, 'fundamental', 'daily', 'instant', signed
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[]) as new(source, name, canonical, unit, signed)
  order by source, name
  on conflict (source, name) do update set unit = excluded.unit where metric.unit = '' and excluded.unit <> ''
  returning id, xmax = 0 as made
)
select id from told where made

-- name: make_metric_series
-- Series of values under reserved ids ($1): of a metric, an entity that is there ($4) or was just made ($5), an exchange.
insert into metric_series (id, metric_id, entity_id, exchange_id) overriding system value
select new.id, m.id, coalesce(new.entity_id, t.id), e.id
from unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[])
  as new(id, source, name, entity_id, canonical_id, exchange)
join metric m on m.source = new.source and m.name = new.name
left join entity t on t.canonical_id = new.canonical_id
left join exchange e on e.slug = new.exchange
order by m.id, 3, e.id
on conflict do nothing
returning id

-- name: metric_series_taken
-- One row a series of values that was made by another writer, under another id than the one reserved here.
select new.id as reserved, s.id
from unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[])
  as new(id, source, name, entity_id, canonical_id, exchange)
join metric m on m.source = new.source and m.name = new.name
left join entity t on t.canonical_id = new.canonical_id
left join exchange e on e.slug = new.exchange
join metric_series s on s.metric_id = m.id and s.entity_id = coalesce(new.entity_id, t.id)
  and s.exchange_id is not distinct from e.id
where s.id <> new.id
