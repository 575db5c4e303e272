-- name: make_series
-- Adds the series of the keys $1 (metrics), $2 (entities), $3 (exchanges, null: none) that are not there yet.
insert into metric_series (metric_id, entity_id, exchange_id)
select metric_id, entity_id, exchange_id from unnest($1::int[], $2::int[], $3::int[]) as k(metric_id, entity_id, exchange_id)
except select metric_id, entity_id, exchange_id from metric_series
order by 1, 2, 3
on conflict do nothing

-- name: series
-- One row a key: its metric, entity and exchange (null: none), and the id of its series.
with wanted as (
  select * from unnest($1::int[], $2::int[], $3::int[]) as k(metric_id, entity_id, exchange_id)
)
select s.id, s.metric_id, s.entity_id, s.exchange_id
from wanted w join metric_series s on s.metric_id = w.metric_id and s.entity_id = w.entity_id
  and s.exchange_id is not distinct from w.exchange_id
