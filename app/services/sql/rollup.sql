-- name: lower
-- The touched facts make everything from their first hour on of their entities due again.
insert into coin_1h_ready (entity_id, first_ts, ready_to)
select i.entity_id, first, first - interval '1 hour'
from (
  select i.entity_id, date_trunc('hour', min(t.first) - interval '1 microsecond') + interval '1 hour' as first
  from touched t
  join series s on s.id = t.series_id
  join instrument i on i.id = s.instrument_id
  where i.entity_id is not null
  group by i.entity_id
) i
order by entity_id
on conflict (entity_id) do update set
  first_ts = least(coin_1h_ready.first_ts, excluded.first_ts),
  ready_to = least(coin_1h_ready.ready_to, excluded.ready_to)

-- name: is_ready
-- Whether the rollup of $1 is right up to $2, and has been since before $3 (null: now): any change computes it anew.
select exists (
  select from coin_1h_ready
  where entity_id = $1 and ready_to >= $2 and ($3::timestamptz is null or computed_at <= $3)
)

-- name: due_again
-- The whole rollup of entities ($1) is due again: they have lost contracts.
update coin_1h_ready set ready_to = first_ts - interval '1 hour' where entity_id = any($1::int[])

-- name: ready
-- The rollup of $1 is right up to $2 now. The clock is read late: no write of facts gets in between.
update coin_1h_ready set ready_to = $2, computed_at = clock_timestamp() where entity_id = $1

-- name: due
-- One row an entity whose rollup does not reach $1; those further back than $2 are left out.
select entity_id from coin_1h_ready
where ready_to < $1 and ($2::timestamptz is null or ready_to >= $2)
order by entity_id
