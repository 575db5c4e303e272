-- name: note
-- Enters stretches ($3 until before $4) of series ($1) and datasets ($2) as open gaps for a reason ($5). One that begins
-- where a known one does makes that longer; was that settled, it is open again.
insert into gap as g (series_id, dataset, first, last, reason)
select distinct on (series_id, dataset, first) series_id, dataset, first, last, reason
from unnest($1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
  as t(series_id, dataset, first, last, reason)
order by series_id, dataset, first, last desc
on conflict (series_id, dataset, first) do update set
  last = excluded.last, reason = excluded.reason, state = 'open', attempts = 0, next_try_at = clock_timestamp(),
  settled_at = null
where excluded.last > g.last
