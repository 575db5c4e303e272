-- name: keep_names
-- The names of an entity ($1) go on to mean the one it is merged into ($2). Its canonical id always: the seed reads it.
insert into entity_source_id (entity_id, source, source_id, source_id_type)
select i.id, 'perpstore', told.name, told.kind
from entity e join entity i on i.id = $2,
lateral (values (e.canonical_id, 'canonical_id'), (e.symbol, 'symbol'), (e.name, 'name')) as told(name, kind)
where e.id = $1
  and (told.kind = 'canonical_id' or lower(told.name) not in (lower(i.canonical_id), lower(i.symbol), lower(i.name)))
on conflict do nothing

-- name: pin_contracts
-- Contracts of an entity ($1) that only their symbol tied to it are tied by the map: that symbol is another's ($2) now.
insert into entity_source_id (entity_id, source, source_id, source_id_type, multiplier)
select $2, x.slug, i.symbol, 'instrument', min(i.multiplier)
from instrument i join exchange x on x.id = i.exchange_id
where i.entity_id = $1
  and not exists (select from entity_source_id s where s.source = x.slug and lower(s.source_id) = lower(i.symbol))
group by x.slug, i.symbol
on conflict do nothing

-- name: pin_listed
-- What sources list and an entity ($1) was recognised in is tied to the other ($2) by the map.
insert into entity_source_id (entity_id, source, source_id, source_id_type)
select $2, a.source, a.id, a.id_type from source_asset a
where a.entity_id = $1 and not exists (
  select from entity_source_id s
  where s.source = a.source and s.source_id_type = a.id_type and lower(s.source_id) = lower(a.id))
on conflict do nothing

-- name: source_ids
-- The map's entries of an entity ($1) are another's ($2).
update entity_source_id set entity_id = $2 where entity_id = $1

-- name: source_assets
-- What sources list of an entity ($1) is another's ($2).
update source_asset set entity_id = $2, found_by = 'source_id', reason = null where entity_id = $1

-- name: instruments
-- Contracts of an entity ($1) are another's ($2).
update instrument set entity_id = $2 where entity_id = $1

-- name: import_spans
-- What imports told of series that both entities have ($1, $2) is told of those of $2: they are taken back from there.
with told as (
  delete from import_span p using metric_series o, metric_series k
  where p.fact = 'metric_value' and p.series_id = o.id and o.entity_id = $1 and k.entity_id = $2
    and k.metric_id = o.metric_id and k.exchange_id is not distinct from o.exchange_id
  returning p.batch_id, p.fact, k.id as kept, p.first, p.last
)
insert into import_span (batch_id, fact, series_id, first, last) select batch_id, fact, kept, first, last from told
on conflict (batch_id, fact, series_id) do update set
  first = least(import_span.first, excluded.first), last = greatest(import_span.last, excluded.last)

-- name: import_made
-- What imports made of such series they made of those of $2: these go with the last of their values.
with made as (
  delete from import_made m using metric_series o, metric_series k
  where m.kind = 'metric_series' and m.made_id = o.id and o.entity_id = $1 and k.entity_id = $2
    and k.metric_id = o.metric_id and k.exchange_id is not distinct from o.exchange_id
  returning m.batch_id, m.kind, k.id as kept
)
insert into import_made (batch_id, kind, made_id) select batch_id, kind, kept from made
on conflict do nothing

-- name: metric_values
-- Values of series that both entities have ($1, $2) join those of $2: how many, and how many it had otherwise. Before
-- $2 knew a value ("first_known") what $1 said stays in force; afterwards it is no more than kept. What only repeats
-- an import's word is kept for the day that import is taken back.
with pair as (
  select o.id as old, k.id as kept
  from metric_series o
  join metric_series k on k.metric_id = o.metric_id and k.exchange_id is not distinct from o.exchange_id
  where o.entity_id = $1 and k.entity_id = $2
), collision as materialized (
  select p.old, p.kept, o.ts, o.value, o.known_at, o.batch_id, v.value as kept_value, v.batch_id as kept_batch, least(v.known_at, (
    select min(r.known_at) from revision r
    where r.fact = 'metric_value' and r.series_id = p.kept and r.ts = o.ts)) as first_known
  from pair p
  join metric_value o on o.series_id = p.old
  join metric_value v on v.series_id = p.kept and v.ts = o.ts
), earlier as (
  update revision r set series_id = p.kept, replaced_at = greatest(r.known_at, least(r.replaced_at, (
    select c.first_known from collision c where c.old = p.old and c.ts = r.ts)))
  from pair p where r.fact = 'metric_value' and r.series_id = p.old
), otherwise as (
  insert into revision (fact, series_id, ts, known_at, replaced_at, said, batch_id, repeats)
  select 'metric_value', kept, ts, known_at, greatest(known_at, first_known), jsonb_build_object('value', value),
    batch_id, repeats
  from collision, lateral (select value = kept_value and known_at >= first_known) as r(repeats)
  where not repeats or kept_batch is not null and batch_id is distinct from kept_batch
), gone as (
  delete from metric_value v using collision c where v.series_id = c.old and v.ts = c.ts returning v.ts
), moved as (
  update metric_value v set series_id = p.kept from pair p
  where v.series_id = p.old and not exists (select from collision c where c.old = p.old and c.ts = v.ts)
  returning v.ts
)
select (select count(*) from gone) + (select count(*) from moved) as moved,
  (select count(*) from collision where value <> kept_value) as revisions

-- name: joined_series
-- Series of an entity ($1) whose values another's ($2) have taken.
delete from metric_series o using metric_series k
where o.entity_id = $1 and k.entity_id = $2 and k.metric_id = o.metric_id
  and k.exchange_id is not distinct from o.exchange_id

-- name: metric_series
-- The other series of an entity ($1) are another's ($2).
update metric_series set entity_id = $2 where entity_id = $1

-- name: rollup_due
-- The rollup of an entity ($2) is due again from the first fact of another ($1) on.
insert into coin_1h_ready (entity_id, first_ts, ready_to)
select $2, first_ts, first_ts - interval '1 hour' from coin_1h_ready where entity_id = $1
on conflict (entity_id) do update set
  first_ts = least(coin_1h_ready.first_ts, excluded.first_ts),
  ready_to = least(coin_1h_ready.ready_to, excluded.ready_to)
