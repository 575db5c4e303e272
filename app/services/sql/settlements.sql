-- name: neighbours
-- One row a series ($1) that has settlements in its span ($2 first, $3 last) or up to three before or after it: their
-- columns, each as one string of big-endian values.
select span.series_id, count(*) as count,
  string_agg(int8send((extract(epoch from n.ts) * 1000000)::bigint), '') as us,
  string_agg(float8send(n.interval_hours), '') as interval_hours,
  string_agg(int2send(n.interval_known), '') as interval_known
from unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) as span(series_id, first, last),
lateral (
  (select f.ts, f.interval_hours, f.interval_known from funding f
   where f.series_id = span.series_id and f.ts < span.first order by f.ts desc limit 3)
  union all
  (select f.ts, f.interval_hours, f.interval_known from funding f
   where f.series_id = span.series_id and f.ts >= span.first and f.ts <= span.last)
  union all
  (select f.ts, f.interval_hours, f.interval_known from funding f
   where f.series_id = span.series_id and f.ts > span.last order by f.ts limit 3)
) n
group by span.series_id

-- name: fallback_hours
-- One row a series: the interval assumed while not even one spacing is known.
select s.id as series_id, coalesce(i.funding_interval_hours, e.funding_interval_hours) as hours
from series s join instrument i on i.id = s.instrument_id join exchange e on e.id = i.exchange_id
where s.id = any($1::int[])
