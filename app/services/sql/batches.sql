-- name: note_spans
-- What an import ($1) tells of a fact ($2), by series, from when to when.
insert into import_span (batch_id, fact, series_id, first, last)
select $1::int, $2::text, series_id, first, last from touched
on conflict (batch_id, fact, series_id) do update set
  first = least(import_span.first, excluded.first), last = greatest(import_span.last, excluded.last)

-- name: judged_since
-- One row a series of settlements of an import ($1) near which others wrote `since` it began, or since an import began
-- that was taken back meanwhile: its span and the three settlements before it. `writer`: the first import of those
-- others; null where there were pulls.
select s.series_id, least(s.first, min(n.ts)) as first, s.last, b.since,
  case when bool_and(n.batch_id is not null) filter (where n.later) then min(n.batch_id) filter (where n.later) end
    as writer
from import_span s
cross join lateral (
  select min(o.started_at) as since from import_batch b join import_batch o on o.id = b.id or (
    o.state = 'taken_back' and o.taken_back_at > b.started_at and exists (
      select from import_span p where p.batch_id = o.id and p.fact = s.fact and p.series_id = s.series_id))
  where b.id = s.batch_id
) b
cross join lateral (
  select f.ts, f.batch_id, f.known_at > b.since or f.batch_id in (
    select o.id from import_batch o where o.finished_at is null or o.finished_at > b.since) as later
  from (
    (select * from funding f where f.series_id = s.series_id and f.ts < s.first order by f.ts desc limit 3)
    union all
    (select * from funding f where f.series_id = s.series_id and f.ts >= s.first and f.ts <= s.last)
    union all
    (select * from funding f where f.series_id = s.series_id and f.ts > s.last order by f.ts limit 3)
  ) f
) n
where s.batch_id = $1 and s.fact = 'funding'
group by s.series_id, s.first, s.last, b.since
having bool_or(n.later)
order by s.series_id

-- name: entities
-- One row an entity whose rollup an import ($1) has to do with, through its facts or a contract it gave the entity.
select distinct i.entity_id
from instrument i
where i.entity_id is not null and (
  i.id in (select x.instrument_id from import_span s join series x on x.id = s.series_id
           where s.batch_id = $1 and s.fact <> 'metric_value')
  or i.id in (select m.made_id from import_made m where m.batch_id = $1 and m.kind = 'adoption'))

-- name: rollup_begins
-- The rollup of entities ($1) begins with the first fact that is left; where none is left there is none.
with begins as (
  select e.id as entity_id, date_trunc('hour', min(f.ts) - interval '1 microsecond') + interval '1 hour' as first
  from unnest($1::int[]) as e(id)
  left join instrument i on i.entity_id = e.id
  left join series s on s.instrument_id = i.id
  left join lateral (
    select min(ts) as ts from funding where series_id = s.id
    union all select min(ts) from open_interest where series_id = s.id
    union all select min(ts) from perp_1h where series_id = s.id
  ) f on true
  group by e.id
), too_early as (
  delete from coin_1h c using begins b where c.entity_id = b.entity_id and (b.first is null or c.ts < b.first)
), none_left as (
  delete from coin_1h_ready r using begins b where r.entity_id = b.entity_id and b.first is null
)
update coin_1h_ready r set first_ts = b.first, ready_to = greatest(r.ready_to, b.first - interval '1 hour')
from begins b where r.entity_id = b.entity_id and b.first > r.first_ts

-- name: adopted
-- One row a contract that got its entity from an import taken back.
select m.made_id from import_made m join import_batch b on b.id = m.batch_id
where m.kind = 'adoption' and b.state = 'taken_back'

-- name: orphan
-- Contracts that an import taken back gave their entity, and that no other import told of since, have none again.
with undone as (
  update instrument i set entity_id = null
  from import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'adoption' and m.made_id = i.id and b.state = 'taken_back' and not exists (
    select from series s join import_span p on p.series_id = s.id and p.fact <> 'metric_value'
    join import_batch o on o.id = p.batch_id
    where s.instrument_id = i.id and o.id > b.id and o.state <> 'taken_back')
  returning m.batch_id, m.made_id
)
delete from import_made m using undone u
where m.batch_id = u.batch_id and m.kind = 'adoption' and m.made_id = u.made_id

-- name: remove_series
-- Series made by imports taken back that hold nothing.
with gone as (
  delete from series s using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'series' and m.made_id = s.id and b.state = 'taken_back'
    and not exists (select from latest l where l.series_id = s.id)
    and not exists (select from funding f where f.series_id = s.id)
    and not exists (select from predicted_funding f where f.series_id = s.id)
    and not exists (select from open_interest f where f.series_id = s.id)
    and not exists (select from perp_1m f where f.series_id = s.id)
    and not exists (select from liquidation f where f.series_id = s.id)
    and not exists (select from perp_1h f where f.series_id = s.id)
    and not exists (select from option_1m f where f.series_id = s.id)
    and not exists (select from greeks f where f.series_id = s.id)
    and not exists (select from index_price f where f.series_id = s.id)
    and not exists (select from delivery_price f where f.series_id = s.id)
    and not exists (select from option_tick f where f.series_id = s.id)
    and not exists (select from option_tick_1h f where f.series_id = s.id)
    and not exists (select from option_trade f where f.series_id = s.id)
    and not exists (select from depth f where f.series_id = s.id)
  returning s.id
)
delete from import_made m using gone where m.kind = 'series' and m.made_id = gone.id

-- name: remove_metric_series
-- Series of values made by imports taken back that hold nothing.
with gone as (
  delete from metric_series s using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'metric_series' and m.made_id = s.id and b.state = 'taken_back'
    and not exists (select from metric_value v where v.series_id = s.id)
  returning s.id
)
delete from import_made m using gone where m.kind = 'metric_series' and m.made_id = gone.id

-- name: remove_metrics
-- Metrics made by imports taken back that have no series.
with gone as (
  delete from metric t using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'metric' and m.made_id = t.id and b.state = 'taken_back'
    and not exists (select from metric_series s where s.metric_id = t.id)
  returning t.id
)
delete from import_made m using gone where m.kind = 'metric' and m.made_id = gone.id

-- name: remove_instruments
-- Instruments made by imports taken back that nobody else tells of.
with gone as (
  delete from instrument i using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'instrument' and m.made_id = i.id and b.state = 'taken_back'
    and not exists (select from series o where o.instrument_id = i.id)
    and not exists (select from instrument_fact o where o.instrument_id = i.id)
    and not exists (select from source_product o where o.instrument_id = i.id)
  returning i.id
)
delete from import_made m using gone where m.kind in ('instrument', 'adoption') and m.made_id = gone.id

-- name: remove_entities
-- Entities made by imports taken back that nothing is of. Whatever the rollup kept of them was emptied before.
with gone as (
  delete from entity e using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'entity' and m.made_id = e.id and b.state = 'taken_back'
    and not exists (select from instrument o where o.entity_id = e.id)
    and not exists (select from entity_source_id o where o.entity_id = e.id)
    and not exists (select from metric_series o where o.entity_id = e.id)
    and not exists (select from source_asset o where o.entity_id = e.id)
    and not exists (select from coin_1h o where o.entity_id = e.id)
    and not exists (select from coin_1h_ready o where o.entity_id = e.id)
  returning e.id
)
delete from import_made m using gone where m.kind = 'entity' and m.made_id = gone.id

-- name: remove_exchanges
-- Exchanges made by imports taken back that list nothing.
with gone as (
  delete from exchange e using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'exchange' and m.made_id = e.id and b.state = 'taken_back'
    and not exists (select from instrument o where o.exchange_id = e.id)
    and not exists (select from metric_series o where o.exchange_id = e.id)
    and not exists (select from source_exchange o where o.exchange_id = e.id)
  returning e.id
)
delete from import_made m using gone where m.kind = 'exchange' and m.made_id = gone.id

-- name: remove_sources
-- Sources made by imports taken back that tell nothing.
with gone as (
  delete from source o using import_made m join import_batch b on b.id = m.batch_id
  where m.kind = 'source' and m.made_id = o.id and b.state = 'taken_back'
    and not exists (select from series s where s.source_id = o.id)
  returning o.id
)
delete from import_made m using gone where m.kind = 'source' and m.made_id = gone.id
