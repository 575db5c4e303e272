-- name: owner
-- The entity that has a canonical id ($1), or that took it over from one merged into it.
select e.canonical_id from entity e where e.canonical_id = $1
union all
select e.canonical_id from entity_source_id s join entity e on e.id = s.entity_id
where s.source = 'perpstore' and s.source_id_type = 'canonical_id' and s.source_id = $1

-- name: sharing
-- One row another entity that the symbol or canonical id of an entity ($1) may mean.
select o.canonical_id
from entity e join entity o on o.id <> e.id
  and (lower(o.symbol) in (lower(e.symbol), e.canonical_id) or o.canonical_id = lower(e.symbol))
where e.id = $1 order by o.canonical_id

-- name: usual_type
-- The kind of id that a source ($1) has such an id ($2) as; else the kind it has most of.
select id_type from (
  select source_id_type as id_type, count(*) filter (where lower(source_id) = lower($2)) as such, count(*) as total
  from entity_source_id where source = $1 group by source_id_type
  union all
  select id_type, count(*) filter (where lower(id) = lower($2)), 0
  from source_asset where source = $1 group by id_type
) told
order by such > 0 desc, total desc, id_type limit 1

-- name: holders
-- One row a place where an id ($3, of kind $2) of a source ($1) is: the map, contracts, what it lists. An exchange
-- uses a name once, whatever its kind.
select s.entity_id, e.canonical_id, s.multiplier, 0 as place
from entity_source_id s join entity e on e.id = s.entity_id
where s.source = $1 and lower(s.source_id) = lower($3)
  and (s.source_id_type = $2 or exists (select from exchange where slug = $1))
union all
select i.entity_id, e.canonical_id, i.multiplier, 1
from instrument i join exchange x on x.id = i.exchange_id left join entity e on e.id = i.entity_id
where x.slug = $1 and lower(i.symbol) = lower($3)
union all
select a.entity_id, e.canonical_id, null, 2
from source_asset a join entity e on e.id = a.entity_id
where a.source = $1 and a.id_type = $2 and lower(a.id) = lower($3)
order by place

-- name: remap
-- One row an entry of the map for that id ($1, $2, $3), now of an entity ($4) with a multiplier ($5).
update entity_source_id s set entity_id = $4, multiplier = $5
where s.source = $1 and lower(s.source_id) = lower($3)
  and (s.source_id_type = $2 or exists (select from exchange where slug = $1))
returning s.id

-- name: listed
-- What a source lists under that id ($1, $2, $3) is of an entity ($4) because the map says so.
update source_asset set entity_id = $4, found_by = 'source_id', reason = null
where source = $1 and id_type = $2 and lower(id) = lower($3)
  and (entity_id, found_by) is distinct from ($4, 'source_id')

-- name: contracts
-- One row a contract ($2) of an exchange ($1) that is now of an entity ($3) with a multiplier ($4), and was not.
with found as (
  select i.id, i.entity_id as was_of, i.multiplier as was,
    exists (select from series s where s.instrument_id = i.id) as has_series
  from instrument i join exchange x on x.id = i.exchange_id
  where x.slug = $1 and lower(i.symbol) = lower($2) and (i.entity_id, i.multiplier) is distinct from ($3, $4)
  for update of i
)
update instrument i set entity_id = $3, multiplier = $4 from found where i.id = found.id
returning i.id, i.symbol, found.was_of, found.was, found.has_series

-- name: keeping
-- One row an entity ($2) that a source ($1) has told metrics of.
select distinct e.canonical_id
from entity e join metric_series s on s.entity_id = e.id join metric m on m.id = s.metric_id
where m.source = $1 and e.id = any($2::int[]) order by e.canonical_id
