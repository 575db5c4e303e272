-- name: make_metrics
-- Adds what is not in the catalogue yet of $1: a list of objects with the columns of `metric`.
insert into metric (source, name, canonical, unit, domain, granularity, covers, signed, column_name, about)
select source, name, canonical, unit, domain, granularity, covers, signed, column_name, about
from jsonb_populate_recordset(null::metric, $1::text::jsonb)
order by source, name
on conflict do nothing

-- name: make_series
-- Adds the series that are not there yet of metrics ($2) of a source ($1), entities ($3), exchanges ($4, null: none).
insert into metric_series (metric_id, entity_id, exchange_id)
select m.id, k.entity_id, x.id
from unnest($2::text[], $3::int[], $4::text[]) as k(metric, entity_id, exchange)
join metric m on m.source = $1 and m.name = k.metric
left join exchange x on x.slug = k.exchange
except select metric_id, entity_id, exchange_id from metric_series
order by 1, 2, 3
on conflict do nothing

-- name: series
-- One row a key of such lists: its place in them, from 1, and the id of its series.
select k.number, s.id
from unnest($2::text[], $3::int[], $4::text[]) with ordinality as k(metric, entity_id, exchange, number)
join metric m on m.source = $1 and m.name = k.metric
left join exchange x on x.slug = k.exchange
join metric_series s on s.metric_id = m.id and s.entity_id = k.entity_id and s.exchange_id is not distinct from x.id
