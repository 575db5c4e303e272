-- name: tell_funding
-- The settlements this transaction wrote that are the newest of their series and not older than a day, as one event.
insert into live_event (fact, rows)
select 'funding', json_agg(told order by series_id)::jsonb
from (
  select l.series_id, l.funding_ts as ts, l.rate, l.interval_hours as hours, l.interval_known as how, f.known_at
  from touched t
  join latest l on l.series_id = t.series_id and l.xmin = pg_current_xact_id()::xid
  join funding f on f.series_id = l.series_id and f.ts = l.funding_ts
  where l.funding_ts between now() - interval '1 day' and now() + interval '1 minute'
) told
having count(*) > 0
returning id, pg_notify($1, id::text)

-- name: tell_predicted_funding
-- The samples this transaction wrote that are the newest of their series and not older than a day, as one event; but for
-- sources that are heard on request. Intervals are those of `interval_at`, whose settlements are in `latest` unless some
-- are later than the sample.
insert into live_event (fact, rows)
select 'predicted_funding', json_agg(told order by series_id)::jsonb
from (
  select l.series_id, l.predicted_ts as ts, l.predicted_rate as rate, l.predicted_for as for_time, v.hours,
    v.how
  from touched t
  join latest l on l.series_id = t.series_id and l.xmin = pg_current_xact_id()::xid
  join series m on m.id = l.series_id
  join source o on o.id = m.source_id and not o.on_request
  left join lateral (
    select l.predicted_interval_hours as hours, 2 as how, 0 as place, 0 as preference
    where l.predicted_interval_hours is not null
    union all
    select f.hours, case when r.in_force then least(f.how, 1) else 0 end, case when r.in_force then 1 else 3 end,
      case when s.id = m.id then -1 else s.preference end
    from series s
    join latest n on n.series_id = s.id
    cross join lateral (
      select n.funding_ts as ts, n.interval_hours as hours, n.interval_known as how where n.funding_ts <= l.predicted_ts
      union all
      select (k.last).ts, (k.last).interval_hours, (k.last).interval_known
      from (select funding_last(s.id, l.predicted_ts, null) as last where n.funding_ts > l.predicted_ts) k
    ) f
    cross join lateral (select l.predicted_ts <= f.ts + 1.5 * f.hours * interval '1 hour' as in_force) r
    where l.predicted_interval_hours is null and s.instrument_id = m.instrument_id
    union all
    (select d.value::float8, 2, 2, 0 from instrument_fact d
     where l.predicted_interval_hours is null and d.instrument_id = m.instrument_id
       and d.fact = 'funding_interval_hours' and d.valid_from <= l.predicted_ts
     order by d.valid_from desc limit 1)
    order by place, preference limit 1
  ) v on true
  where l.predicted_ts between now() - interval '1 day' and now() + interval '1 minute'
) told
having count(*) > 0
returning id, pg_notify($1, id::text)

-- name: tell_open_interest
-- The open interest this transaction wrote that is the newest of its series and not older than a day, as one event; but
-- for sources that are heard on request.
insert into live_event (fact, rows)
select 'open_interest', json_agg(told order by series_id)::jsonb
from (
  select l.series_id, l.oi_ts as ts, l.oi_base, l.oi_usd
  from touched t
  join latest l on l.series_id = t.series_id and l.xmin = pg_current_xact_id()::xid
  join series m on m.id = l.series_id
  join source o on o.id = m.source_id and not o.on_request
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
select s.id as series_id, i.id as instrument_id, i.entity_id, i.active, a.asset, e.slug as exchange,
  i.symbol as instrument, o.slug as source, e.generated or o.generated as generated,
  extract(epoch from l.funding_ts)::float8 as settled_at, l.rate, l.interval_hours
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join asset a on a.entity_id = i.entity_id
left join latest l on l.series_id = s.id and l.funding_ts <= now() + interval '1 minute'
where i.kind = 'perp'
order by e.slug collate "C", i.symbol collate "C", i.id, s.preference, s.id
