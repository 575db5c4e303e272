-- name: due
-- One row an exchange that a source ($1) lists, whose perpetuals were not listed since $2: those never listed first.
select x.slug as exchange, v.id, v.name
from source_exchange v join exchange x on x.id = v.exchange_id
where v.source = $1 and (v.listed_at is null or v.listed_at <= $2)
order by v.listed_at nulls first, v.id

-- name: make_series
-- A series of a source for each perpetual it tells of by its own names of exchanges. Of an exchange that lists its
-- perpetuals itself only those count, of any other what the source has listed there.
insert into series (instrument_id, source_id, preference)
select distinct i.id, cast(:source as int), cast(:preference as smallint)
from unnest(cast(:venue as text[]), cast(:symbol as text[])) as told(venue, symbol)
join source_exchange v on v.source = :slug and v.name = told.venue
join instrument i on i.exchange_id = v.exchange_id and i.symbol = told.symbol and i.kind = 'perp'
where i.active and (i.margin is not null or exists (
    select from source_product p where p.source = :slug and p.instrument_id = i.id and p.active))
  and not exists (select from series s where s.instrument_id = i.id and s.source_id = :source)
order by i.id
on conflict do nothing

-- name: series
-- One row a perpetual that a source tells of by its own names of exchanges: its series, coins a quoted unit.
select distinct on (told.venue, told.symbol) told.venue || ':' || told.symbol as name, s.id, i.multiplier
from unnest(cast(:venue as text[]), cast(:symbol as text[])) as told(venue, symbol)
join source_exchange v on v.source = :slug and v.name = told.venue
join instrument i on i.exchange_id = v.exchange_id and i.symbol = told.symbol and i.kind = 'perp'
join series s on s.instrument_id = i.id and s.source_id = :source
where i.active
order by told.venue, told.symbol, v.seen_at desc

-- name: left_out
-- How many perpetuals of an asset are told of by sources that are heard on request only, by which, and where those are
-- that nobody else tells of.
select count(distinct i.id) as perpetuals, array_agg(distinct o.slug) as sources,
  array_agg(distinct e.slug) filter (where only_on_request(i.id)) as alone
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id and o.on_request
where i.entity_id = $1 and i.kind = 'perp'
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)
