-- name: instruments_of
-- One row an instrument of these kinds ($2) that an exchange ($1) lists itself, as a record, those with the most open
-- interest first. $3: also those that have expired and are not listed any more.
-- What only others tell of has no margin; the exchange is not asked for it.
select i.symbol, coalesce(i.base, '') as base, coalesce(i.quote, '') as quote, i.kind,
  coalesce(i.margin, 'stable') as margin, coalesce(i.contract_size, 1) as contract_size, i.multiplier,
  i.funding_interval_hours, i.active, i.listed_at, i.delisted_at, i.oi_sides,
  (select f.value from instrument_fact f where f.instrument_id = i.id and f.fact = 'upstream_id'
    order by f.valid_from desc limit 1) as upstream_id,
  i.expires_at, i.strike, i.option_type, i.price_index, i.tick_size
from instrument i
join exchange e on e.id = i.exchange_id
left join lateral (
  select max(l.oi_usd) as oi_usd from series s join latest l on l.series_id = s.id where s.instrument_id = i.id
) o on true
where e.slug = $1 and i.kind = any($2::text[]) and i.margin is not null
  and ($3::boolean or i.active or i.expires_at is null)
order by o.oi_usd desc nulls last, i.symbol

-- name: make_series
-- A series for each instrument of these kinds of an exchange as told by one source. Of those that have expired and are
-- not listed any more only if they are wanted.
insert into series (instrument_id, source_id, preference)
select i.id, :source, :preference
from instrument i join exchange e on e.id = i.exchange_id
where e.slug = :exchange and i.kind = any(cast(:kinds as text[]))
  and (:expired or i.active or i.expires_at is null)
  and not exists (select from series s where s.instrument_id = i.id and s.source_id = :source)
on conflict do nothing

-- name: series_of
-- One row a series: native symbol, id, coins a quoted unit, kind.
select i.symbol, s.id, i.multiplier, i.kind
from series s join instrument i on i.id = s.instrument_id join exchange e on e.id = i.exchange_id
where s.source_id = :source and e.slug = :exchange and i.kind = any(cast(:kinds as text[]))
  and (:expired or i.active or i.expires_at is null)

-- name: dated_sides
-- A fact for how many sides of open interest an exchange told since when, and before, where its documents date that. All
-- are known from one moment on: what was noted undated before is not told any more, but stays.
insert into instrument_fact (instrument_id, fact, valid_from, value, source, known_at)
select i.id, 'oi_sides', f.valid_from, f.value::text, :source, now()
from unnest(cast(:kinds as text[]), cast(:symbols as text[]), cast(:since as timestamptz[]), cast(:before as int[]))
  as t(kind, symbol, since, before)
join instrument i on i.exchange_id = :exchange and i.kind = t.kind and i.symbol = t.symbol,
lateral (values (i.listed_at, case when i.listed_at < t.since then t.before else i.oi_sides end), (t.since, i.oi_sides))
  as f(valid_from, value)
where f.valid_from >= coalesce(i.listed_at, t.since)
on conflict do nothing

-- name: dated_facts
-- A fact for every property of an exchange's instruments that is not what was last noted of it. What :symbols are
-- called upstream, :upstream_ids, is a fact alone. Who has expired and is not listed any more changes no more.
insert into instrument_fact (instrument_id, fact, valid_from, value, source)
select i.id, f.fact, clock_timestamp(), f.value, :source
from instrument i
left join unnest(cast(:symbols as text[]), cast(:upstream_ids as text[])) as u(symbol, id) on u.symbol = i.symbol
cross join lateral (values
  ('funding_interval_hours', i.funding_interval_hours::text), ('contract_size', i.contract_size::text),
  ('multiplier', i.multiplier::text), ('margin', i.margin), ('oi_sides', i.oi_sides::text),
  ('tick_size', i.tick_size::text), ('upstream_id', u.id)
) as f(fact, value)
where i.exchange_id = :exchange and (i.active or i.expires_at is null)
  and f.value is not null and f.value is distinct from (
  select p.value from instrument_fact_known(null) p
  where p.instrument_id = i.id and p.fact = f.fact order by p.valid_from desc limit 1)

-- name: rank_series
-- Preference of each series by the words of the setting: the exchange itself, a source id, or last.
update series s set preference = r.rank
from (
  select s.id, coalesce(min(w.rank), :last) as rank
  from series s
  join instrument i on i.id = s.instrument_id
  join exchange e on e.id = i.exchange_id
  join source o on o.id = s.source_id
  left join unnest(cast(:words as text[]), cast(:ranks as int[])) as w(word, rank)
    on w.word = case when o.slug = e.slug then 'exchange' else o.slug end
  group by s.id
) r
where r.id = s.id and s.preference <> r.rank
