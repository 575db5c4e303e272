-- name: instrument_facts
-- One row a stretch in which a fact of a contract ($1, $2) was the same.
select i.kind, f.fact, f.value, f.valid_from as "from",
  lead(f.valid_from) over (partition by i.id, f.fact order by f.valid_from) as "to", f.source
from instrument i
join exchange x on x.id = i.exchange_id
join instrument_fact_known(null) f on f.instrument_id = i.id
where x.slug = $1 and lower(i.symbol) = lower($2)

-- name: freshness
-- One row a source and dataset: how old its newest fact is at $1, and whether that is late for what the schedule expects.
-- What only collectors tell, and what is told of options, is looked for in the last two days.
with expected as (
  select source, dataset, min(every_s) as every_s
  from unnest($2::text[], $3::text[], $4::float8[]) as e(source, dataset, every_s)
  where $5::text[] is null or source = any($5) group by source, dataset
), living as materialized (
  select o.slug as source, s.id, i.kind, i.symbol
  from source o join series s on s.source_id = o.id join instrument i on i.id = s.instrument_id
  where i.active and o.slug in (select source from expected where dataset in ('option_chain', 'greeks', 'depth',
    'index_price', 'volatility_index', 'delivery_prices'))
), told as (
  select o.slug as source, v.dataset, max(v.ts) as newest, count(*) as series
  from latest l
  join series s on s.id = l.series_id
  join source o on o.id = s.source_id,
  lateral (values ('funding', l.funding_ts), ('predicted_funding', l.predicted_ts), ('open_interest', l.oi_ts),
    ('candles_1m', l.minute_ts),
    (case when (o.slug, 'perp_1h') in (select * from unnest($2::text[], $3::text[])) then 'perp_1h' else 'candles_1h' end,
      l.hour_ts)) as v(dataset, ts)
  where v.ts is not null and ($5::text[] is null or o.slug = any($5))
  group by o.slug, v.dataset
  union all
  select t.source, 'fundamentals', max(n.ts), count(*)
  from metric t join metric_series s on s.metric_id = t.id,
  lateral (select ts from metric_value where series_id = s.id order by ts desc limit 1) n
  where $5::text[] is null or t.source = any($5)
  group by t.source
  union all
  select e.source, e.dataset, n.ts, (
    select count(*) from perp_1m m join series s on s.id = m.series_id
    where m.ts = n.ts and s.source_id = o.id and case e.dataset when 'long_short' then m.long_short_ratio
      else coalesce(m.buy_volume_base, m.sell_volume_base) end is not null)
  from expected e join source o on o.slug = e.source
  cross join lateral (
    select m.ts from perp_1m m
    where m.ts > $1::timestamptz - interval '2 days' and m.ts <= $1
      and exists (select from series s where s.id = m.series_id and s.source_id = o.id)
      and case e.dataset when 'long_short' then m.long_short_ratio
        else coalesce(m.buy_volume_base, m.sell_volume_base) end is not null
    order by m.ts desc limit 1
  ) n
  where e.dataset in ('long_short', 'taker_volume')
  union all
  select e.source, e.dataset, max(n.ts), count(*)
  from expected e join source o on o.slug = e.source join series s on s.source_id = o.id
  cross join lateral (
    select l.ts from liquidation l
    where l.series_id = s.id and l.ts > $1::timestamptz - interval '2 days' and l.ts <= $1 order by l.ts desc limit 1
  ) n
  where e.dataset = 'liquidations' group by e.source, e.dataset
  union all
  select e.source, e.dataset, max(n.ts), count(*)
  from expected e join living l on l.source = e.source and l.kind = 'option'
  cross join lateral (
    select ts from option_1m
    where series_id = l.id and underlying_price is not null and ts > $1::timestamptz - interval '2 days' and ts <= $1 order by ts desc limit 1
  ) n
  where e.dataset = 'option_chain' group by e.source, e.dataset
  union all
  select e.source, e.dataset, max(n.ts), count(*)
  from expected e join living l on l.source = e.source and l.kind = 'option'
  cross join lateral (
    select ts from greeks
    where series_id = l.id and ts > $1::timestamptz - interval '2 days' and ts <= $1 order by ts desc limit 1
  ) n
  where e.dataset = 'greeks' group by e.source, e.dataset
  union all
  select e.source, e.dataset, max(n.ts), count(*)
  from expected e join living l on l.source = e.source and l.kind in ('perp', 'future')
  cross join lateral (
    select ts from depth
    where series_id = l.id and ts > $1::timestamptz - interval '2 days' and ts <= $1 order by ts desc limit 1
  ) n
  where e.dataset = 'depth' group by e.source, e.dataset
  union all
  select e.source, e.dataset, max(n.ts), count(*)
  from expected e join living l on l.source = e.source and l.kind = 'index'
    and is_volatility_index(l.symbol) = (e.dataset = 'volatility_index')
  cross join lateral (
    select ts from index_price
    where series_id = l.id and ts > $1::timestamptz - interval '2 days' and ts <= $1 order by ts desc limit 1
  ) n
  where e.dataset in ('index_price', 'volatility_index') group by e.source, e.dataset
  union all
  select e.source, e.dataset, max(n.ts), count(*)
  from expected e join living l on l.source = e.source and l.kind = 'index'
  cross join lateral (select ts from delivery_price where series_id = l.id order by ts desc limit 1) n
  where e.dataset = 'delivery_prices' group by e.source, e.dataset
), hours as (
  select o.slug as source, max(l.interval_hours) as longest
  from latest l join series s on s.id = l.series_id join source o on o.id = s.source_id
  where $5::text[] is null or o.slug = any($5) group by o.slug
), joined as (
  select source, dataset, t.newest, coalesce(t.series, 0) as series, e.every_s as asked_every_s, p.pulled_at,
    greatest(e.every_s, case dataset when 'funding' then coalesce(h.longest, 8) * 3600 when 'candles_1h' then 7200
      when 'perp_1h' then 7200 when 'fundamentals' then 86400 when 'candles_1m' then 120 when 'taker_volume' then 120
      when 'delivery_prices' then 86400 when 'volatility_index' then 120 end) as expected_every_s,
    extract(epoch from $1::timestamptz - case when dataset = 'instruments' then p.pulled_at else t.newest end)::float8
      as age_s
  from told t full join expected e using (source, dataset)
  left join lateral (
    select finished_at as pulled_at from pull
    where source = coalesce(t.source, e.source) and dataset = coalesce(t.dataset, e.dataset)
      and finished_at is not null and status in ('succeeded', 'partial')
    order by finished_at desc limit 1
  ) p on true
  left join hours h using (source)
)
select source, dataset, newest, age_s, expected_every_s, series, pulled_at,
  case when asked_every_s is not null then coalesce(age_s > expected_every_s + 2 * asked_every_s, true) end as late
from joined
where ($5::text[] is null or source = any($5)) and ($6::text[] is null or dataset = any($6))

-- name: unmapped
-- One row a thing of a source ($1) with a kind of id ($2) and a word in its names ($3) that is of no entity, with up to
-- five entities it may be: those called by one of its words, spaces and punctuation aside, the likeliest first.
with thing as (
  select a.source, a.id_type, a.id, a.name, a.ticker, a.coingecko_id, a.reason, a.first_seen, a.seen_at, a.name as base
  from source_asset a where a.entity_id is null
  union all
  select x.slug, 'instrument', i.symbol, coalesce(min(i.base), i.symbol), null, null,
    'not in the map, and no entity or several have its symbol',
    least(min(i.seen_at), (select min(f.known_at) from instrument_fact f where f.instrument_id = min(i.id))),
    max(i.seen_at),
    regexp_replace(coalesce(min(i.base), i.symbol), '^(10{3,8}|1M(?=[A-Z]{3})|k(?=[A-Z]))', '')
  from instrument i join exchange x on x.id = i.exchange_id where i.entity_id is null
  group by x.slug, i.symbol
), asked as (
  select * from thing
  where ($1::text[] is null or source = any($1)) and ($2::text[] is null or lower(id_type) = any($2))
    and ($3::text is null or strpos(lower(concat_ws(' ', id, name, ticker, coingecko_id)), lower($3)) > 0)
), told as materialized (
  select a.source, a.id_type, a.id, w.place, w.what,
    regexp_replace(lower(w.told), '[[:space:][:punct:]]+', '', 'g') as word
  from asked a, lateral (values
    (1, 'coingecko_id', a.coingecko_id), (2, 'name', a.base), (3, 'id', a.id), (4, 'ticker', a.ticker),
    (5, 'first word of name', substring(a.base from '^[^[:space:][:punct:]]{3,}'))) as w(place, what, told)
), called as materialized (
  select c.entity_id, c.place, c.what, regexp_replace(lower(c.name), '[[:space:][:punct:]]+', '', 'g') as word
  from (
    select e.id, w.* from entity e, lateral (values
      (1, 'canonical_id', e.canonical_id), (2, 'name', e.name), (3, 'symbol', e.symbol),
      (5, 'first word of name', substring(e.name from '^[^[:space:][:punct:]]{3,}'))) as w(place, what, name)
    union all
    select entity_id, 4, source || ' ' || source_id_type, source_id
    from entity_source_id where source in ('coingecko', 'perpstore')
  ) c(entity_id, place, what, name)
), candidate as (
  select distinct on (t.source, t.id_type, t.id, c.entity_id) t.source, t.id_type, t.id, c.entity_id,
    t.place + c.place as place, t.what || ' is its ' || c.what as why
  from told t join called c using (word)
  where t.word <> ''
  order by t.source, t.id_type, t.id, c.entity_id, t.place + c.place, t.place
), likeliest as (
  select c.*, row_number() over (partition by source, id_type, id order by place, entity_id) as rank from candidate c
), listed as (
  select l.source, l.id_type, l.id, jsonb_agg(jsonb_build_object(
    'canonical_id', e.canonical_id, 'name', e.name, 'symbol', e.symbol, 'type', e.type, 'why', l.why)
    order by l.rank) as candidates
  from likeliest l join entity e on e.id = l.entity_id where l.rank <= 5
  group by l.source, l.id_type, l.id
)
select a.source, a.id_type as source_id_type, a.id as source_id, a.name, a.ticker, a.coingecko_id, a.reason,
  coalesce(l.candidates, '[]') as candidates, a.first_seen, a.seen_at
from asked a left join listed l using (source, id_type, id)

-- name: source_states
-- One row a source ($1) and how the last pulls of its datasets ($2, beside it) went; errors in $3 say nothing of it, and
-- the code $4 in the log of errors is that of a pull nobody answered. Failures count since the last success of a dataset,
-- where its job is not paused, among its last 300 pulls.
with told as (
  select a.source, a.dataset, good.finished_at as success_at, bad.*, coalesce(j.paused, false) as paused,
    exists (select from pull p where p.source = a.source and p.dataset = a.dataset and p.finished_at is null) as running,
    case when not coalesce(j.paused, false) then (
      select count(*) from (
        select p.status, p.error from pull p
        where p.source = a.source and p.dataset = a.dataset and p.finished_at > coalesce(good.finished_at, '-infinity')
        order by p.finished_at desc limit 300
      ) p where p.status = 'failed' and p.error <> all($3::text[])) else 0 end as failures
  from unnest($1::text[], $2::text[]) as a(source, dataset)
  left join job j on j.id = a.source || ':' || a.dataset
  left join lateral (
    select p.finished_at from pull p
    where p.source = a.source and p.dataset = a.dataset and p.finished_at is not null
      and p.status in ('succeeded', 'partial')
    order by p.finished_at desc limit 1
  ) good on true
  left join lateral (
    select p.id as pull, p.finished_at as failure_at, p.error, p.requests > 0 as asked
    from (
      select * from pull p where p.source = a.source and p.dataset = a.dataset and p.finished_at is not null
      order by p.finished_at desc limit 300
    ) p
    where p.status = 'failed' and p.error <> all($3)
    order by p.finished_at desc limit 1
  ) bad on true
), last_asked as (
  select distinct on (source) source, pull, failure_at from told
  where failures > 0 and asked order by source, failure_at desc
), unanswered as (
  select l.source from last_asked l
  where exists (
    select from error_log e
    where e.at between l.failure_at - interval '1 minute' and l.failure_at + interval '1 hour'
      and e.place = 'pull' and e.code = $4 and e.context->>'pull' = l.pull::text)
)
select source, max(success_at) as last_success_at, max(failure_at) as last_failure_at,
  sum(failures)::bigint as failures, bool_or(running) as running,
  (array_agg(dataset || ': ' || error order by asked desc, failure_at desc) filter (where failures > 0))[1] as error,
  source in (select source from unanswered) as unanswered,
  coalesce(array_agg(dataset order by dataset) filter (where paused), '{}') as paused
from told group by source
