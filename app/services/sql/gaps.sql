-- name: note
-- Enters stretches ($3 until before $4) of series ($1) and datasets ($2) for a reason ($5) in a state ($6) with a
-- detail ($7), but for what is known already, and what was repaired and is there. Gaps that are not repaired do not
-- overlap, so that of those that begin before what is told only the last can reach into it.
with hole as (
  select *
  from unnest($1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
    as t(series_id, dataset, first, last, reason, state, detail)
  where first < last
), told as (
  select series_id, dataset, reason, state, detail, range_agg(tstzrange(first, last)) as spans
  from hole group by series_id, dataset, reason, state, detail
), whole as (
  select series_id, dataset, min(first) as first, max(last) as last, range_agg(tstzrange(first, last)) as spans
  from hole group by series_id, dataset
), known as (
  select w.series_id, w.dataset, range_agg(k.span) as spans
  from whole w cross join lateral (
    (select tstzrange(g.first, g.last) as span from gap g
     where g.series_id = w.series_id and g.dataset = w.dataset and g.state <> 'repaired' and g.first < w.first
     order by g.first desc limit 1)
    union all
    select tstzrange(g.first, g.last) from gap g
    where g.series_id = w.series_id and g.dataset = w.dataset and g.state <> 'repaired'
      and g.first >= w.first and g.first < w.last
    union all
    select r.span
    from gap g cross join lateral unnest(case g.dataset
      when 'liquidations' then tstzmultirange(tstzrange(g.first, g.last))
      else stored_minutes(g.series_id, g.dataset, g.first, g.last) end) as r(span)
    where g.series_id = w.series_id and g.dataset = w.dataset and g.state = 'repaired'
      and g.last > w.first and g.first < w.last and w.spans && tstzrange(g.first, g.last)
  ) k
  group by w.series_id, w.dataset
)
insert into gap (series_id, dataset, first, last, reason, state, detail, next_try_at, settled_at)
select t.series_id, t.dataset, lower(p.span), upper(p.span), t.reason, t.state, t.detail,
  clock_timestamp() + case t.reason when 'not_fetched_yet' then interval '6 hours' else interval '0' end,
  case t.state when 'unfillable' then clock_timestamp() end
from told t
left join known k using (series_id, dataset)
cross join lateral unnest(t.spans - coalesce(k.spans, '{}')) as p(span)
on conflict (series_id, dataset, first) where state <> 'repaired' do nothing

-- name: join
-- Of gaps of series ($1) and datasets ($2) that touch, and do not differ in anything else, the first takes in the
-- others: of gaps that reach into [$3, $4] of theirs.
with told as (
  select series_id, dataset, min(first) as first, max(last) as last
  from unnest($1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as t(series_id, dataset, first, last)
  group by series_id, dataset
), near as (
  select g.*
  from told t cross join lateral (
    (select * from gap g
     where g.series_id = t.series_id and g.dataset = t.dataset and g.state <> 'repaired' and g.first < t.first
     order by g.first desc limit 1)
    union all
    select * from gap g
    where g.series_id = t.series_id and g.dataset = t.dataset and g.state <> 'repaired'
      and g.first >= t.first and g.first <= t.last
  ) g
  where g.last >= t.first and g.state in ('open', 'unfillable')
), placed as (
  select n.*, coalesce(n.first <= max(n.last) over (
    partition by n.series_id, n.dataset, n.state, n.reason, n.detail, n.attempts order by n.first
    rows between unbounded preceding and 1 preceding), false) as follows
  from near n
), numbered as (
  select p.*, count(*) filter (where not p.follows) over (
    partition by p.series_id, p.dataset, p.state, p.reason, p.detail, p.attempts order by p.first) as island
  from placed p
), whole as (
  select (array_agg(id order by first))[1] as id, array_agg(id) as ids, max(last) as last,
    min(noticed_at) as noticed_at, min(next_try_at) as next_try_at
  from numbered
  group by series_id, dataset, state, reason, detail, attempts, island
  having count(*) > 1
), taken_in as (
  delete from gap g using whole w where g.id = any(w.ids) and g.id <> w.id
)
update gap g set last = w.last, noticed_at = w.noticed_at, next_try_at = w.next_try_at
from whole w where g.id = w.id

-- name: forget
-- Gaps of what retention removed are none; one that reaches beyond that begins there.
with bound as (
  select g.id, g.last, r.removed_before from gap g
  join retention r on r.fact = case g.dataset when 'liquidations' then 'liquidation' when 'quotes' then 'option_tick'
    when 'trades' then 'option_trade' when 'book' then 'depth' else 'perp_1m' end
  where g.first < r.removed_before
), gone as (
  delete from gap g using bound b where g.id = b.id and b.last <= b.removed_before
)
update gap g set first = b.removed_before from bound b
where g.id = b.id and b.last > b.removed_before and g.state <> 'repaired'

-- name: unsettled
-- One row a gap that reaches into [$1, $2) and in which something is stored now, though nobody is repairing it. Of what
-- was given up only where that is asked for ($3). Of series $4 (null: all).
with looked as (
  select * from gap where state = 'open'
  union all
  select * from gap where state = 'unfillable' and $3::boolean
)
select g.id from looked g
where g.last > $1 and g.first < $2 and ($4::int[] is null or g.series_id = any($4)) and exists (
  select from perp_1m p
  where p.series_id = g.series_id and p.ts >= g.first and p.ts < g.last and tells(p, g.dataset))
order by g.series_id, g.first

-- name: look_again
-- Gaps ($1) become what is still missing in them, which may be in several parts, or are repaired. One row a part: its id.
with looked as materialized (
  select g.*, tstzmultirange(tstzrange(g.first, g.last)) - stored_minutes(g.series_id, g.dataset, g.first, g.last) as spans
  from gap g where g.id = any($1::int[]) and g.state <> 'repaired' and g.dataset <> 'liquidations'
), part as (
  select l.id, lower(p.span) as first, upper(p.span) as last, row_number() over (partition by l.id order by p.span) as number
  from looked l cross join lateral unnest(l.spans) as p(span)
), repaired as (
  update gap g set state = 'repaired', settled_at = clock_timestamp(), detail = null
  from looked l where g.id = l.id and isempty(l.spans)
), shrunk as (
  update gap g set first = p.first, last = p.last
  from part p where g.id = p.id and p.number = 1 and (g.first, g.last) <> (p.first, p.last)
), split as (
  insert into gap (series_id, dataset, first, last, reason, state, attempts, next_try_at, noticed_at, settled_at, detail)
  select l.series_id, l.dataset, p.first, p.last, l.reason, l.state, l.attempts, l.next_try_at, l.noticed_at, l.settled_at,
    l.detail
  from part p join looked l using (id) where p.number > 1
  returning id
)
select id from part where number = 1 union all select id from split

-- name: before
-- One row a stretch before the first stored candle of a series of sources ($2): of what is wanted since $1 it is not
-- listed yet, or not fetched yet, which can be had from $3 on.
with first as (
  select s.id as series_id, f.ts as first_ts, i.listed_at, u.since, r.removed_before
  from unnest($2::text[], $3::timestamptz[]) as u(source, since)
  join source o on o.slug = u.source
  join series s on s.source_id = o.id
  join instrument i on i.id = s.instrument_id and i.kind = 'perp' and i.active
  join exchange x on x.id = i.exchange_id and x.slug = o.slug
  join latest l on l.series_id = s.id and l.minute_ts is not null
  left join retention r on r.fact = 'perp_1m'
  cross join lateral (
    select ts from perp_1m p where p.series_id = s.id and p.close is not null order by ts limit 1
  ) f
)
select series_id, date_bin('1 minute', w.first, 'epoch') as first, date_bin('1 minute', w.last, 'epoch') as last, w.reason
from first f
cross join lateral (values
  (greatest(f.since, f.listed_at, f.removed_before), f.first_ts, 'not_fetched_yet'),
  (greatest($1::timestamptz, f.removed_before), least(f.listed_at, f.first_ts), 'not_listed')) as w(first, last, reason)
where date_bin('1 minute', w.first, 'epoch') < date_bin('1 minute', w.last, 'epoch')

-- name: due
-- Whether there is a gap of source $1 that `claim` would take.
select exists (
  select from gap g join series s on s.id = g.series_id join source o on o.id = s.source_id
  where o.slug = $1 and g.state in ('open', 'repairing') and g.next_try_at <= clock_timestamp()
)

-- name: claim
-- Takes the gaps of one series and dataset of source $1 that are due, up to $3, for $2: those of the newest, and what
-- the schedule is to fetch last. Who was taking care of them and let that time pass has gone. What takers traded may
-- come with the candles, if these are missing too.
with newest as (
  select g.series_id, g.dataset
  from gap g join series s on s.id = g.series_id join source o on o.id = s.source_id
  where o.slug = $1 and g.state in ('open', 'repairing') and g.next_try_at <= clock_timestamp()
    and (g.dataset <> 'taker_volume' or not exists (
      select from gap c where c.series_id = g.series_id and c.dataset = 'candles_1m'
        and c.state in ('open', 'repairing') and c.first < g.last and c.last > g.first))
  order by g.reason = 'not_fetched_yet', g.last desc limit 1
  for update of g skip locked
), due as (
  select g.id from gap g join newest n using (series_id, dataset)
  where g.state in ('open', 'repairing') and g.next_try_at <= clock_timestamp()
  order by g.last desc limit $3
  for update of g skip locked
)
update gap g set state = 'repairing', next_try_at = clock_timestamp() + $2::interval
from due, series s, instrument i
where g.id = due.id and s.id = g.series_id and i.id = s.instrument_id
returning g.id, g.series_id, g.dataset, g.first, g.last, i.symbol

-- name: hold
-- Gaps ($1) are being repaired for $2 more.
update gap set next_try_at = clock_timestamp() + $2::interval where id = any($1::int[]) and state = 'repairing'

-- name: finish
-- Gaps ($1) that were being repaired are in state $2 for a reason ($3; null: as before) with a detail ($4). Open ones
-- are tried again after a minute, then four times as long each time, six hours at the most.
update gap set state = $2::text, reason = coalesce($3, reason), detail = $4, attempts = attempts + 1,
  settled_at = case when $2::text <> 'open' then clock_timestamp() end,
  next_try_at = clock_timestamp() + least(interval '1 minute' * power(4, least(attempts, 6)), interval '6 hours')
where id = any($1::int[]) and state = 'repairing'

-- name: give_back
-- Gaps ($1) that were being repaired may be by anybody.
update gap set state = 'open', next_try_at = clock_timestamp() where id = any($1::int[]) and state = 'repairing'

-- name: listing
-- One row a gap of entities ($1), exchanges ($2), datasets ($3), sources ($4), in a state ($5), for a reason ($6), that
-- reaches into [$7, $8).
select concat_ws(':', x.slug, i.symbol, g.dataset, o.slug) as series, x.slug as exchange, i.symbol as instrument, a.asset,
  o.slug as source, g.dataset, g.first as "from", g.last as "to",
  (extract(epoch from g.last - g.first) / 60)::float8 as minutes, g.reason, g.state, g.attempts,
  case g.state when 'open' then g.next_try_at end as next_try_at, g.noticed_at, g.settled_at, g.detail, g.id
from gap g
join series s on s.id = g.series_id
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join asset a on a.entity_id = i.entity_id
where ($1::int[] is null or i.entity_id = any($1)) and ($2::text[] is null or x.slug = any($2))
  and ($3::text[] is null or g.dataset = any($3)) and ($4::text[] is null or o.slug = any($4))
  and ($5::text[] is null or g.state = any($5)) and ($6::text[] is null or g.reason = any($6))
  and ($7::timestamptz is null or g.last > $7) and ($8::timestamptz is null or g.first < $8)

-- name: counts
-- One row a state and dataset: how many gaps.
select state, dataset, count(*) as gaps from gap group by state, dataset

-- name: watched
-- One row a series that has candles of minutes: its source, null where that is not the exchange itself.
select s.id as series_id, case when o.slug = x.slug then o.slug end as source
from latest l
join series s on s.id = l.series_id
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
where l.minute_ts is not null
order by s.id

-- name: imported
-- One row a series of whose minutes an import ($1) told: the days from the last candle before these to the first after.
select p.series_id,
  date_bin('1 day', coalesce((
    select c.ts from perp_1m c where c.series_id = p.series_id and c.ts < p.first and c.close is not null
    order by c.ts desc limit 1), p.first), 'epoch') as first,
  date_bin('1 day', coalesce((
    select c.ts from perp_1m c where c.series_id = p.series_id and c.ts > p.last and c.close is not null
    order by c.ts limit 1), p.last), 'epoch') + interval '1 day' as last
from import_span p
where p.batch_id = $1 and p.fact = 'perp_1m'
order by p.series_id
