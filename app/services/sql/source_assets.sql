-- name: known
-- One row an entity: what it is called (old names of merged ones included) and its CoinGecko ids, in lower case.
select e.id, e.canonical_id, e.type,
  array_append(coalesce(array_agg(lower(s.source_id))
    filter (where s.source = 'perpstore' and s.source_id_type <> 'symbol'), '{}'),
    lower(e.name)) as names,
  coalesce(array_agg(lower(s.source_id))
    filter (where s.source = 'coingecko' or (s.source, s.source_id_type) = ('perpstore', 'canonical_id')), '{}')
    as coingecko_ids
from entity e left join entity_source_id s on s.entity_id = e.id and s.source in ('coingecko', 'perpstore')
group by e.id

-- name: ids
-- One row an id of a source ($1) that is of an entity ($2; null: any), and whether the map says so, those it says last.
select id_type, id, entity_id, found_by = 'source_id' as mapped, 0 as place
from source_asset where source = $1 and entity_id is not null and ($2::int[] is null or entity_id = any($2))
union all
select source_id_type, source_id, entity_id, true, 1
from entity_source_id where source = $1 and ($2::int[] is null or entity_id = any($2))
order by place, id_type, id

-- name: put
-- Things as a source ($1) lists them now, and what each is.
insert into source_asset (source, id_type, id, name, ticker, coingecko_id, entity_id, found_by, reason)
select $1, new.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[],
  $9::text[]) as new(id_type, id, name, ticker, coingecko_id, entity_id, found_by, reason)
order by new.id_type, new.id
on conflict (source, id_type, id) do update set
  name = excluded.name, ticker = excluded.ticker, coingecko_id = excluded.coingecko_id,
  entity_id = excluded.entity_id, found_by = excluded.found_by, reason = excluded.reason, seen_at = clock_timestamp()
