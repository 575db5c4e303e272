-- name: tell_funding
-- The settlements this transaction wrote that are the newest of their series and not older than a day, as one event.
insert into live_event (fact, rows)
select 'funding', json_agg(told order by series_id)::jsonb
from (
  select l.series_id, l.funding_ts as ts, l.rate, l.interval_hours, l.interval_known, f.known_at
  from touched t
  join latest l on l.series_id = t.series_id and l.xmin = pg_current_xact_id()::xid
  join funding f on f.series_id = l.series_id and f.ts = l.funding_ts
  where l.funding_ts between now() - interval '1 day' and now() + interval '1 minute'
) told
having count(*) > 0
returning id, pg_notify($1, id::text)

-- name: tell_predicted_funding
-- The samples this transaction wrote that are the newest of their series and not older than a day, as one event.
insert into live_event (fact, rows)
select 'predicted_funding', json_agg(told order by series_id)::jsonb
from (
  select l.series_id, l.predicted_ts as ts, l.predicted_rate as rate, l.predicted_interval_hours as interval_hours,
    l.predicted_for as for_time
  from touched t
  join latest l on l.series_id = t.series_id and l.xmin = pg_current_xact_id()::xid
  where l.predicted_ts between now() - interval '1 day' and now() + interval '1 minute'
) told
having count(*) > 0
returning id, pg_notify($1, id::text)

-- name: tell_open_interest
-- The open interest this transaction wrote that is the newest of its series and not older than a day, as one event.
insert into live_event (fact, rows)
select 'open_interest', json_agg(told order by series_id)::jsonb
from (
  select l.series_id, l.oi_ts as ts, l.oi_base, l.oi_usd
  from touched t
  join latest l on l.series_id = t.series_id and l.xmin = pg_current_xact_id()::xid
  where l.oi_ts between now() - interval '1 day' and now() + interval '1 minute'
) told
having count(*) > 0
returning id, pg_notify($1, id::text)

-- name: between
-- One row an event from number $1 to $2, the oldest first: $3 of them, and $4 rows in them, or one more event.
select id, iso(at) as at, fact, rows::text as rows
from (
  select *, sum(jsonb_array_length(rows)) over (order by id) - jsonb_array_length(rows) as rows_before
  from (select * from live_event where id between $1 and $2 order by id limit $3) page
) counted
where rows_before < $4
order by id

-- name: contracts
-- One row a series of a perpetual whose asset is known, with its newest settlement; by exchange, contract, preference.
select s.id as series_id, i.id as instrument_id, i.entity_id, a.asset, e.slug as exchange, i.symbol as instrument,
  o.slug as source, i.funding_interval_hours as listed_hours,
  extract(epoch from l.funding_ts)::float8 as settled_at, l.rate, l.interval_hours
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join asset a on a.entity_id = i.entity_id
left join latest l on l.series_id = s.id and l.funding_ts <= now() + interval '1 minute'
where i.kind = 'perp'
order by e.slug collate "C", i.symbol collate "C", i.id, s.preference, s.id
