-- name: series
-- One row a series of the perpetuals that each exchange ($1), entity ($2) and (where it is not null) symbol ($3) name
-- together, `asked` from 1: the main contract first, of its sources ($4: only this one) the preferred one.
select asked.n::int as asked, s.id as series_id
from unnest($1::text[], $2::int[], $3::text[]) with ordinality as asked(exchange, entity_id, symbol, n)
join exchange e on e.slug = asked.exchange
join instrument i on i.exchange_id = e.id and i.entity_id = asked.entity_id and i.kind = 'perp'
  and (asked.symbol is null or lower(i.symbol) = lower(asked.symbol))
left join (select s.id, s.instrument_id, s.preference, o.slug as source from series s join source o on o.id = s.source_id) s
  on s.instrument_id = i.id and ($4::text is null or s.source = $4)
order by asked.n, contract_order(i.symbol) collate "C", s.preference, s.id

-- name: settled
-- One row a settlement of a span: of series $1 from $2 to $3 (epoch microseconds) as known at $4, with the three last
-- before, which tell of the intervals in it. Spans are numbered $5 + 1, $5 + 3 … `declared`: NaN where nothing was.
select (2 * span.n - 1 + $5::int)::int as span, f.ts, f.rate,
  case when f.interval_known = 2 then f.interval_hours else 'NaN' end as declared
from unnest($1::int[], $2::bigint[], $3::bigint[]) with ordinality as span(series_id, first_us, last_us, n),
lateral (
  select to_timestamp(0) + first_us * interval '1 microsecond' as first,
    to_timestamp(0) + last_us * interval '1 microsecond' as last
) t,
lateral (
  select l.ts, l.rate, l.interval_hours, l.interval_known from funding_newest(span.series_id, t.first, $4, 3) l
  union all
  select k.ts, k.rate, k.interval_hours, k.interval_known from funding_known($4) k
  where k.series_id = span.series_id and k.ts > t.first and k.ts <= t.last
) f

-- name: intervals
-- One row each of series $1 and instants $2 (epoch microseconds), in order: the interval of the last settlement by then,
-- as known at $3.
select f.interval_hours
from unnest($1::int[], $2::bigint[]) with ordinality as asked(series_id, us, n)
left join lateral funding_last(asked.series_id, to_timestamp(0) + us * interval '1 microsecond', $3) f on true
order by asked.n
