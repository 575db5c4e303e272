-- name: partitions
-- One row a table that is cut by time: its partitions (or chunks), and its bytes a day as seen at $1, of about the last
-- week (or month): of what ended three days before, which is compressed by then if it ever is; until there is such, of
-- what ended at all. Null: nothing has; 0: nothing is stored any more.
with part as (
  select *, last <= $1::timestamptz as is_finished, last <= $1 - interval '3 days' as is_settled,
    last > $1 - greatest(interval '10 days', last - first + interval '3 days') as is_recent
  from partition_sizes()
), whole as (
  select fact as "table", count(*)::int as partitions, min(first) as first_partition, max(first) as last_partition,
    extract(epoch from max(last - first))::float8 / 86400 as span_days, bool_or(is_finished) as has_finished,
    sum(bytes) filter (where is_settled and is_recent) as settled_bytes,
    extract(epoch from max(last) filter (where is_settled and is_recent)
      - min(first) filter (where is_settled and is_recent)) / 86400 as settled_days,
    sum(bytes) filter (where is_finished and is_recent) as finished_bytes,
    extract(epoch from max(last) filter (where is_finished and is_recent)
      - min(first) filter (where is_finished and is_recent)) / 86400 as finished_days
  from part group by fact
)
select "table", partitions, first_partition, last_partition, span_days,
  case when has_finished
    then coalesce(settled_bytes / settled_days, finished_bytes / finished_days, 0) end::float8 as bytes_per_day
from whole
