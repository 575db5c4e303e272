-- name: history
-- One row an estimate told in [$2, $3) of what a perpetual of an asset will pay, per $4 hours, with what it paid where
-- that is known. Those of a source only where none that is preferred to it told one in the hour before.
-- Sorted before anything is looked up for each, and still so at the end: a page looks it up for its own rows only.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, e.slug as exchange, i.symbol as instrument, o.slug as source,
    s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp'
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
    and case when $7::text is null then not o.on_request else o.slug = $7 end
), told as (
  select m.*, p.ts as time, p.rate, p.interval_hours, p.for_time
  from member m
  cross join lateral (select * from estimate_known($8, $2, $3) k where k.series_id = m.series_id offset 0) p
  where not exists (
    select from member o
    cross join lateral (
      select from estimate_known($8, p.ts - interval '1 hour', p.ts + interval '1 microsecond') k
      where k.series_id = o.series_id limit 1
    ) preferred
    where o.instrument_id = m.instrument_id and (o.preference, o.series_id) < (m.preference, m.series_id))
  order by time
)
select time, exchange, instrument, r.rate, t.rate as rate_native, v.hours as interval_hours,
  (array['assumed', 'inferred', 'declared'])[v.how + 1] as interval_known, 'predicted' as kind, source, for_time,
  extract(epoch from coalesce(for_time, f.ts) - time)::float8 / 60 as minutes_before, r.settled_rate,
  r.rate - r.settled_rate as error
from told t
left join lateral interval_at(t.instrument_id, t.series_id, t.interval_hours, time, $8) v on true
left join lateral settled_for(t.instrument_id, time, t.for_time, null, $8) f on true
cross join lateral (
  select case when $4::float8 is null then t.rate else t.rate * $4 / v.hours end as rate,
    case when $4::float8 is null then f.rate * (v.hours / f.interval_hours) else f.rate * $4 / f.interval_hours end
      as settled_rate
) r
order by time

-- name: at
-- One row a perpetual of an asset: the last estimate told by $2 of a settlement still to come then. One that does not say
-- of which counts for an interval. Nothing that happened after $2 is used.
with told as (
  select e.slug as exchange, i.symbol as instrument, o.slug as source, i.id as instrument_id, s.preference,
    s.id as series_id, p.ts, p.rate, p.for_time, v.hours, v.how
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  cross join lateral (
    select * from estimate_known($7, $2::timestamptz - interval '1 day', $2 + interval '1 microsecond') k
    where k.series_id = s.id order by k.ts desc limit 1
  ) p
  left join lateral interval_at(i.id, s.id, p.interval_hours, p.ts, $7) v on true
  where i.entity_id = $1 and i.kind = 'perp'
    and ($4::text[] is null or e.slug = any($4))
    and ($5::text is null or coalesce(i.margin, 'stable') = $5)
    and case when $6::text is null then not o.on_request else o.slug = $6 end
    and coalesce(p.for_time > $2, p.ts + v.hours * interval '1 hour' >= $2, true)
), preferred as (
  select distinct on (instrument_id) *, case when $3::float8 is null then rate else rate * $3 / hours end as converted
  from told order by instrument_id, preference, series_id
)
select p.ts as time, exchange, instrument, converted as rate, p.rate as rate_native, hours as interval_hours,
  (array['assumed', 'inferred', 'declared'])[how + 1] as interval_known, 'predicted' as kind, source, for_time,
  extract(epoch from coalesce(for_time, f.ts) - p.ts)::float8 / 60 as minutes_before, v.settled_rate,
  converted - v.settled_rate as error
from preferred p
left join lateral settled_for(instrument_id, p.ts, for_time, $2, $7) f on true
cross join lateral (
  select case when $3::float8 is null then f.rate * (hours / f.interval_hours) else f.rate * $3 / f.interval_hours end
    as settled_rate
) v

-- name: errors
-- One row a perpetual of an asset, source and span of minutes before settlement ($8 to $9): how far what it told then was
-- from what settled in [$2, $3), per $4 hours. Each source by itself; what settled is of the preferred one. No estimate
-- longer than $11 before is read. Those of which nothing tells the interval have no error: they are only counted.
with teller as materialized (
  select s.id as series_id, i.id as instrument_id, e.slug as exchange, i.symbol as instrument, o.slug as source,
    s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp'
    and ($5::text[] is null or e.slug = any($5))
    and ($6::text is null or coalesce(i.margin, 'stable') = $6)
), settled as (
  select distinct on (t.instrument_id, f.ts) t.instrument_id, f.ts, f.rate, f.interval_hours
  from teller t
  cross join lateral (
    select * from funding_known($10) k where k.series_id = t.series_id and k.ts >= $2 and k.ts < $3 offset 0
  ) f
  order by t.instrument_id, f.ts, t.preference, t.series_id
), compared as (
  select t.exchange, t.instrument, t.source, f.ts, extract(epoch from f.ts - p.ts)::float8 / 60 as minutes, r.*,
    told - paid as error
  from settled f
  join teller t using (instrument_id)
  cross join lateral (
    select * from estimate_known($10, f.ts - $11::interval, f.ts + interval '1 microsecond') k
    where k.series_id = t.series_id and case when k.for_time is null
      then k.ts > f.ts - f.interval_hours * interval '1 hour'
      else date_trunc('minute', k.for_time + interval '30 seconds') = f.ts end
    offset 0
  ) p
  left join lateral interval_at(t.instrument_id, t.series_id, p.interval_hours, p.ts, $10) v on true
  cross join lateral (
    select case when $4::float8 is null then p.rate else p.rate * $4 / v.hours end as told,
      case when $4::float8 is null then f.rate * (v.hours / f.interval_hours) else f.rate * $4 / f.interval_hours end
        as paid
  ) r
  where $7::text is null or t.source = $7
)
select exchange, instrument, source, b.first as minutes_from, b.last as minutes_to, count(error) as samples,
  count(distinct ts) filter (where error is not null) as settlements, avg(error) as mean_error, avg(abs(error)) as mean_absolute_error,
  sqrt(avg(case when abs(error) <= 1e-150 then 0 else error * error end)) as root_mean_square_error,
  max(abs(error)) as max_absolute_error,
  avg((sign(told) = sign(paid))::int)::float8 as sign_right, count(*) - count(error) as without_interval
from compared join unnest($8::float8[], $9::float8[]) as b(first, last) on minutes >= b.first and minutes < b.last
group by exchange, instrument, source, b.first, b.last

-- name: tells
-- Whether a source ($2) has told estimates of an asset's perpetuals.
select exists (
  select from instrument i
  join series s on s.instrument_id = i.id
  join source o on o.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp' and o.slug = $2
    and (exists (select from predicted_funding p where p.series_id = s.id)
      or exists (select from perp_1h h where h.series_id = s.id and h.funding_rate_8h is not null))
)
