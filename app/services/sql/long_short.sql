-- name: buckets
-- One row a bucket of $4 that begins in [$2, $3) and perpetual of an asset: the last ratio told in it.
select distinct on (i.id, b.time) b.time, e.slug as exchange, i.symbol as instrument, c.long_short_ratio,
  c.long_short_ratio / (1 + c.long_short_ratio) as long_share, 1 / (1 + c.long_short_ratio) as short_share,
  o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join perp_1m_known($8) c on c.series_id = s.id
cross join lateral (select date_bin($4::interval, c.ts, '2000-01-01Z') as time) b
where i.entity_id = $1 and i.kind = 'perp' and c.long_short_ratio is not null
  and c.ts >= $2 and c.ts < date_bin($4, $3::timestamptz - interval '1 microsecond', '2000-01-01Z') + $4
  and b.time >= $2::timestamptz
  and ($5::text[] is null or e.slug = any($5))
  and ($6::text is null or coalesce(i.margin, 'stable') = $6)
  and ($7::text is null or o.slug = $7)
order by i.id, b.time, c.ts desc, s.preference, s.id

-- name: newest
-- One row a perpetual of an asset: the last ratio told of a minute in [$2, $3].
select distinct on (i.id) c.ts as time, e.slug as exchange, i.symbol as instrument, c.long_short_ratio,
  c.long_short_ratio / (1 + c.long_short_ratio) as long_share, 1 / (1 + c.long_short_ratio) as short_share,
  o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
join perp_1m_known($7) c on c.series_id = s.id
where i.entity_id = $1 and i.kind = 'perp' and c.long_short_ratio is not null and c.ts >= $2 and c.ts <= $3
  and ($4::text[] is null or e.slug = any($4))
  and ($5::text is null or coalesce(i.margin, 'stable') = $5)
  and ($6::text is null or o.slug = $6)
order by i.id, c.ts desc, s.preference, s.id
