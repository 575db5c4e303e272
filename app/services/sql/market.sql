-- name: snapshot
-- One row a perpetual: the newest settled rate per $1 hours, with what is predicted next and the open interest beside it.
with one as (
  select distinct on (i.id) i.id, i.entity_id, e.slug as exchange, i.symbol as instrument, o.slug as source, l.*
  from latest l
  join series s on s.id = l.series_id
  join source o on o.id = s.source_id
  join instrument i on i.id = s.instrument_id
  join exchange e on e.id = i.exchange_id
  where i.kind = 'perp' and i.active and i.entity_id is not null
    and ($2::int[] is null or i.entity_id = any($2))
    and ($3::text[] is null or e.slug = any($3))
    and ($4::text is null or coalesce(i.margin, 'stable') = $4)
  order by i.id, (l.funding_ts is null), s.preference, s.id
)
select a.asset, one.exchange, one.instrument, funding_ts as time,
  case when $1::float8 is null then rate else rate * $1 / interval_hours end as rate, interval_hours,
  case when predicted_for > now() then predicted_for
    when funding_ts <= now() and now() <= funding_ts + 1.5 * interval_hours * interval '1 hour' then
      date_bin(interval_hours * interval '1 hour', now(), funding_ts) + interval_hours * interval '1 hour'
  end as next_time,
  case when predicted_for > now() or (predicted_for is null and predicted_ts > now() - interval '1 day') then
    case when $1 is null then predicted_rate
      else predicted_rate * $1 / coalesce(predicted_interval_hours, interval_hours) end
  end as predicted_rate,
  case when oi_ts >= funding_ts - interval '2 hours' then held.usd end as oi_usd,
  extract(epoch from now() - funding_ts)::float8 as age_s, rate as rate_native,
  (array['assumed', 'inferred', 'declared'])[interval_known + 1] as interval_known, source
from one join asset a on a.entity_id = one.entity_id
cross join lateral open_interest_usd(one.series_id, oi_ts, oi_base, oi_usd, null) held
where funding_ts is not null

-- name: snapshot_at
-- One row a perpetual: the rate in force at $5 per $1 hours, with the sample and the open interest known then.
with told as (
  select distinct on (i.id) i.id, i.entity_id, e.slug as exchange, i.symbol as instrument, w.slug as source, f.*,
    p.for_time, p.rate as predicted_rate, p.interval_hours as predicted_interval_hours, held.usd as oi_usd
  from instrument i
  join exchange e on e.id = i.exchange_id
  join series s on s.instrument_id = i.id
  join source w on w.id = s.source_id
  join lateral funding_last(s.id, $5, $6) f on $5 <= f.ts + 1.5 * f.interval_hours * interval '1 hour'
  left join lateral (
    select k.rate, k.interval_hours, k.for_time from predicted_funding_known($6) k
    where k.series_id = s.id and k.ts <= $5 and k.ts > $5 - interval '1 day' order by k.ts desc limit 1
  ) p on p.for_time is null or p.for_time > $5
  left join lateral (
    select k.ts, k.oi_base, k.oi_usd from open_interest_known($6) k
    where k.series_id = s.id and k.ts <= $5 and k.ts >= $5 - interval '2 hours' order by k.ts desc limit 1
  ) o on true
  cross join lateral open_interest_usd(s.id, o.ts, o.oi_base, o.oi_usd, $6) held
  where i.kind = 'perp' and i.entity_id is not null
    and ($2::int[] is null or i.entity_id = any($2))
    and ($3::text[] is null or e.slug = any($3))
    and ($4::text is null or coalesce(i.margin, 'stable') = $4)
  order by i.id, s.preference, s.id
)
select a.asset, exchange, instrument, ts as time,
  case when $1::float8 is null then rate else rate * $1 / interval_hours end as rate, interval_hours,
  coalesce(for_time,
    date_bin(interval_hours * interval '1 hour', $5, ts) + interval_hours * interval '1 hour') as next_time,
  case when $1 is null then predicted_rate else predicted_rate * $1 / coalesce(predicted_interval_hours, interval_hours)
  end as predicted_rate,
  oi_usd, extract(epoch from $5 - ts)::float8 as age_s, rate as rate_native,
  (array['assumed', 'inferred', 'declared'])[interval_known + 1] as interval_known, source
from told join asset a on a.entity_id = told.entity_id
