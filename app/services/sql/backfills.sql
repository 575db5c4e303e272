-- name: order
-- Writes a back-fill of source $1 down as asked ($2); its id, or no row where the key $3 was used before.
insert into backfill (source, asked, state, idempotency_key, asked_by)
values ($1, $2::jsonb, 'queued', $3, $4)
on conflict (idempotency_key) do nothing
returning id

-- name: of_key
-- The back-fill that was ordered with a key ($1).
select id, asked::text as asked from backfill where idempotency_key = $1

-- name: let_go
-- Chunks that are worker $1's, but for those it holds ($2 back-fills, $3 numbers).
update backfill_chunk set state = 'queued', worker = null
where state = 'running' and worker = $1
  and (backfill_id, number) not in (select * from unnest($2::int[], $3::int[]))

-- name: claim
-- The first chunk of sources $1 that nobody alive is at, now that of worker $2; lock $3 tells who is alive. What people
-- order comes before what the schedule does.
with open as (
  select c.backfill_id, c.number
  from backfill b join backfill_chunk c on c.backfill_id = b.id
  where b.source = any($1::text[]) and b.state in ('queued', 'running') and c.state in ('queued', 'running')
    and (c.state = 'queued' or not exists (
      select from pg_locks l
      where l.locktype = 'advisory' and l.classid::bigint = $3::bigint and l.objid::bigint = c.worker and l.granted
        and l.database = (select oid from pg_database where datname = current_database())))
  order by b.asked_by = 'schedule', c.attempts, c.backfill_id, c.number
  limit 1
  for update of c skip locked
), begun as (
  update backfill b set state = 'running', started_at = coalesce(started_at, clock_timestamp())
  from open where b.id = open.backfill_id and b.state = 'queued'
)
update backfill_chunk c set state = 'running', worker = $2
from open join backfill b on b.id = open.backfill_id
where c.backfill_id = open.backfill_id and c.number = open.number
returning c.backfill_id, c.number, b.source, c.dataset, c.piece::text as piece, c.attempts

-- name: finish
-- Chunk $2 of back-fill $1, still that of worker $3, is done: its note and counts.
update backfill_chunk set state = 'done', worker = null, error = $4, finished_at = clock_timestamp(),
  requests = requests + $5::int, received = $6::int, inserted = $7::int, updated = $8::int, rejected = $9::int
where backfill_id = $1 and number = $2 and worker = $3 and state = 'running'

-- name: give_back
-- Chunk $2 of back-fill $1, if it is still that of worker $3, is in state $4 again, after $7 requests.
update backfill_chunk set state = $4::text, worker = null, error = coalesce($5, error), attempts = attempts + $6::int,
  requests = requests + $7::int,
  finished_at = case when $4::text = 'failed' then clock_timestamp() end
where backfill_id = $1 and number = $2 and worker = $3 and state = 'running'

-- name: settle
-- One row a back-fill that goes on or has just ended: its id and state. Lock $1 tells which workers are alive.
with going as (
  select b.id, b.state,
    exists (select from backfill_chunk c where c.backfill_id = b.id and c.state = 'queued') as queued,
    exists (
      select from backfill_chunk c join pg_locks l on l.locktype = 'advisory' and l.classid::bigint = $1::bigint
        and l.objid::bigint = c.worker and l.granted
        and l.database = (select oid from pg_database where datname = current_database())
      where c.backfill_id = b.id and c.state = 'running') as worked,
    exists (select from backfill_chunk c where c.backfill_id = b.id and c.state = 'running') as claimed
  from backfill b where b.state in ('queued', 'running', 'cancelling')
), ended as (
  update backfill b set finished_at = clock_timestamp(),
    state = case
      when g.state = 'cancelling' then 'cancelled'
      when not exists (select from backfill_chunk c where c.backfill_id = b.id and c.state = 'failed') then 'succeeded'
      when exists (select from backfill_chunk c where c.backfill_id = b.id and c.state = 'done') then 'partial'
      else 'failed' end
  from going g
  where g.id = b.id and b.state = g.state
    and case when g.state = 'cancelling' then not g.worked else not g.queued and not g.claimed end
  returning b.id, b.state
)
select id, state from ended
union all
select id, state from going where id not in (select id from ended)

-- name: cancel
-- The id of back-fill $1, if it goes on and is now being cancelled. Workers see that for themselves.
update backfill set state = 'cancelling' where id = $1 and state in ('queued', 'running', 'cancelling') returning id

-- name: resume
-- The id of back-fill $1, if there was something left of it: what failed is to be tried again, and what a worker that
-- died (lock $2) had begun. It starts anew.
with left_over as (
  update backfill_chunk c set state = 'queued', worker = null, attempts = 0, error = null
  where backfill_id = $1 and (state in ('failed', 'queued') or state = 'running' and not exists (
      select from pg_locks l
      where l.locktype = 'advisory' and l.classid::bigint = $2::bigint and l.objid::bigint = c.worker and l.granted
        and l.database = (select oid from pg_database where datname = current_database())))
    and (select state from backfill where id = $1) in ('cancelled', 'partial', 'failed')
  returning 1
)
update backfill set state = 'queued', started_at = null, finished_at = null, error = null
where id = $1 and state in ('cancelled', 'partial', 'failed') and exists (select from left_over) returning id

-- name: scheduled
-- One row a back-fill of source $1 that $2 ordered: pairs of exchange and coin, and until when.
select asked -> 'request' ->> 'pairs' as pairs, (asked ->> 'end')::timestamptz as until
from backfill where source = $1 and asked_by = $2 and asked -> 'request' ? 'pairs'

-- name: unfinished
-- Back-fills of source $1 that $2 ordered in the last three days and that did not wholly succeed.
select id from backfill
where source = $1 and asked_by = $2 and state in ('partial', 'failed')
  and created_at > clock_timestamp() - interval '3 days' and finished_at < clock_timestamp() - interval '30 minutes'

-- name: left_over
-- The newest back-fill of a request ($1) that came in the last day and has not come to its end.
select id, state from backfill
where asked -> 'request' = $1::jsonb and state in ('queued', 'running', 'cancelled')
  and created_at > clock_timestamp() - interval '1 day'
order by id desc limit 1

-- name: listing
-- One row a back-fill (of id $1; null: all): what was asked, its state, chunks done of planned, rows, and when it will be done as it goes.
select b.id, b.source, b.state, b.asked_by,
  array(select jsonb_array_elements_text(b.asked -> 'datasets')) as datasets,
  array(select jsonb_array_elements_text(b.asked -> 'assets')) as assets,
  array(select jsonb_array_elements_text(b.asked -> 'exchanges')) as exchanges,
  (b.asked ->> 'start')::timestamptz as start, (b.asked ->> 'end')::timestamptz as "end", b.created_at, b.started_at, b.finished_at,
  coalesce(c.windows_planned, 0) as windows_planned, coalesce(c.windows_done, 0) as windows_done,
  coalesce(c.windows_failed, 0) as windows_failed, coalesce(c.requests, 0) as requests,
  coalesce(c.received, 0) as received, coalesce(c.inserted, 0) as inserted, coalesce(c.updated, 0) as updated,
  coalesce(c.rejected, 0) as rejected, c.last_time_reached,
  case when b.state in ('queued', 'running') and c.done_since > 0 then
    clock_timestamp() + (clock_timestamp() - b.started_at) * (c.windows_planned - c.windows_done - c.windows_failed)
      / c.done_since
  end as eta,
  coalesce(c.errors, '{}') as errors
from backfill b
left join lateral (
  select count(*) as windows_planned, count(*) filter (where state = 'done') as windows_done,
    count(*) filter (where state = 'failed') as windows_failed, sum(requests) as requests,
    sum(received) as received, sum(inserted) as inserted, sum(updated) as updated, sum(rejected) as rejected,
    max((piece ->> 'end')::timestamptz) filter (where state = 'done') as last_time_reached,
    count(*) filter (where state = 'done' and finished_at >= b.started_at) as done_since,
    (array_agg(distinct error) filter (where error is not null))[1:10] as errors
  from backfill_chunk c where c.backfill_id = b.id
) c on true
where $1::int is null or b.id = $1
