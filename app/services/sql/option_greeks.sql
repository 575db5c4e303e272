-- name: greeks
-- One row an option of an asset (or the instrument $8 alone) and instant in [$2, $3): the greeks told then.
select distinct on (i.id, g.ts) g.ts as time, e.slug as exchange, i.symbol as instrument, i.expires_at as expiry, i.strike,
  i.option_type, g.delta, g.gamma, g.vega, g.theta, g.rho, 'told' as model, g.ts as as_of, o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
cross join lateral (
  select * from greeks_known($6) f where f.series_id = s.id and f.ts >= $2 and f.ts < $3 offset 0
) g
where i.entity_id = $1 and i.kind = 'option' and i.expires_at > $2 and ($8::int is null or i.id = $8)
  and ($7::timestamptz is null or i.expires_at >= $7 and i.expires_at < $7::timestamptz + interval '1 day')
  and ($4::text[] is null or e.slug = any($4))
  and case when $5::text is null then not o.on_request else o.slug = $5 end
order by i.id, g.ts, s.preference, s.id

-- name: greeks_by
-- One row an option of an asset (or the instrument $7 alone) that lives at $2: the greeks told last in the day before.
select distinct on (i.id) g.ts as time, e.slug as exchange, i.symbol as instrument, i.expires_at as expiry, i.strike,
  i.option_type, g.delta, g.gamma, g.vega, g.theta, g.rho, 'told' as model, g.ts as as_of, o.slug as source
from instrument i
join exchange e on e.id = i.exchange_id
join series s on s.instrument_id = i.id
join source o on o.id = s.source_id
cross join lateral greeks_newest(s.id, $2, $5) g
where i.entity_id = $1 and i.kind = 'option' and i.expires_at > $2 and ($7::int is null or i.id = $7)
  and ($6::timestamptz is null or i.expires_at >= $6 and i.expires_at < $6::timestamptz + interval '1 day')
  and ($3::text[] is null or e.slug = any($3))
  and case when $4::text is null then not o.on_request else o.slug = $4 end
order by i.id, g.ts desc, s.preference, s.id

-- name: greeks_black76
-- One row an instant from $2 to $3 every $8 and option of an asset (or the one called $9) that lives then: Black-76 of
-- how it stood last in the day before.
select g.ts as time, o.exchange, o.instrument, o.expires_at as expiry, o.strike, o.option_type, b.delta, b.gamma, b.vega,
  b.theta, b.rho, 'black76' as model, o.ts as as_of, o.source
from generate_series($2::timestamptz, $3::timestamptz, $8::interval) g(ts)
cross join lateral option_state($1, g.ts, $4, $5, $6, $7) o
cross join lateral black76(o.option_type, o.underlying_price, o.strike, o.mark_iv, o.years) b
where b.delta is not null and ($9::text is null or o.instrument = $9)
