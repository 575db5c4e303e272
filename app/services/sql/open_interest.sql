-- name: history
-- One row a sample in [$2, $3) of each perpetual of an asset, from the preferred source that tells of it.
with told as (
  select s.id as series_id, o.ts as time, e.slug as exchange, i.symbol as instrument, o.oi_base, o.oi_usd,
    row_number() over (partition by i.id, o.ts order by s.preference, s.id) as place
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source t on t.id = s.source_id,
  lateral (select * from open_interest_known($7) k where k.series_id = s.id and k.ts >= $2 and k.ts < $3 offset 0) o
  where i.entity_id = $1 and i.kind = 'perp'
    and ($4::text[] is null or e.slug = any($4))
    and ($5::text is null or coalesce(i.margin, 'stable') = $5)
    and case when $6::text is null then not t.on_request else t.slug = $6 end
)
select time, exchange, instrument, oi_base, held.usd as oi_usd
from told, open_interest_usd(series_id, time, oi_base, oi_usd, $7) held
where place = 1

-- name: grid
-- One row an instant from $2 to $3 every $8 and perpetual: the last sample at or before it, not older than $9.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, i.symbol as instrument, e.slug as exchange, s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source t on t.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp'
    and ($4::text[] is null or e.slug = any($4))
    and ($5::text is null or coalesce(i.margin, 'stable') = $5)
    and case when $6::text is null then not t.on_request else t.slug = $6 end
), held as (
  select *, lead(cell) over (partition by series_id order by cell) as next_cell
  from (
    select distinct on (m.series_id, cell) m.*, o.ts, o.oi_base, o.oi_usd,
      greatest($2, date_bin($8, o.ts - interval '1 microsecond', $2) + $8) as cell
    from member m join open_interest_known($7) o on o.series_id = m.series_id
    where o.ts >= $2 - $9::interval and o.ts <= $3
    order by m.series_id, cell, o.ts desc
  ) newest, open_interest_usd(series_id, ts, oi_base, oi_usd, $7)
)
select distinct on (g.ts, instrument_id) g.ts as time, exchange, instrument, oi_base, usd as oi_usd
from held, generate_series(cell, least($3, next_cell - $8, held.ts + $9), $8) as g(ts)
order by g.ts, instrument_id, preference, series_id

-- name: total
-- One row an instant from $2 to $3 every $8: the sum over perpetuals, and which exchanges are in it or silent.
with member as materialized (
  select s.id as series_id, i.id as instrument_id, e.slug as exchange, s.preference
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source t on t.id = s.source_id
  where i.entity_id = $1 and i.kind = 'perp'
    and ($4::text[] is null or e.slug = any($4))
    and ($5::text is null or coalesce(i.margin, 'stable') = $5)
    and case when $6::text is null then not t.on_request else t.slug = $6 end
), held as (
  select *, lead(cell) over (partition by series_id order by cell) as next_cell
  from (
    select distinct on (m.series_id, cell) m.*, o.ts, o.oi_base, o.oi_usd,
      greatest($2, date_bin($8, o.ts - interval '1 microsecond', $2) + $8) as cell
    from member m join open_interest_known($7) o on o.series_id = m.series_id
    where o.ts >= $2 - interval '30 days' and o.ts <= $3
    order by m.series_id, cell, o.ts desc
  ) newest, open_interest_usd(series_id, ts, oi_base, oi_usd, $7)
), state as (
  select distinct on (g.ts, instrument_id) g.ts, exchange, oi_base, usd as oi_usd, g.ts - held.ts <= $9::interval as fresh
  from held, generate_series(cell, least($3, next_cell - $8, held.ts + interval '30 days'), $8) as g(ts)
  order by g.ts, instrument_id, fresh desc, preference, series_id
)
select g.ts as time, null::text as exchange, null::text as instrument,
  case when count(oi_base) filter (where fresh) = count(*) filter (where fresh) then sum(oi_base) filter (where fresh)
  end as oi_base,
  case when count(oi_usd) filter (where fresh) = count(*) filter (where fresh) then sum(oi_usd) filter (where fresh)
  end as oi_usd,
  count(*) filter (where fresh) as instruments,
  coalesce(array_agg(distinct exchange) filter (where fresh), '{}') as present,
  coalesce(array_agg(distinct exchange) filter (where not fresh), '{}') as missing
from generate_series($2::timestamptz, $3::timestamptz, $8::interval) as g(ts) left join state on state.ts = g.ts
group by g.ts
