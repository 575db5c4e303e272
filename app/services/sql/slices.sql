-- name: contracts
-- One row a series of the contract that is meant by each asset ($1, null: all) on each exchange of $2, and with $6 on any
-- other that has candles of minutes: of its perpetuals ($3: of this margin, $4: of this symbol) one with such candles
-- before others, then by its symbol. $7: on these exchanges only. `place`: of the sources that tell of it ($5: only this
-- one), the preferred one first.
with perp as (
  select i.id, i.entity_id, i.symbol, e.slug as exchange, exists (
    select from series s join latest l on l.series_id = s.id
    where s.instrument_id = i.id and l.minute_ts is not null) as has_candles
  from instrument i join exchange e on e.id = i.exchange_id
  where i.kind = 'perp' and i.entity_id is not null and ($1::int[] is null or i.entity_id = any($1))
    and (e.slug = any($2::text[]) or $6::boolean)
    and ($3::text is null or coalesce(i.margin, 'stable') = $3)
    and ($4::text is null or lower(i.symbol) = lower($4))
    and ($7::text[] is null or e.slug = any($7))
), main as (
  select distinct on (entity_id, exchange) * from perp
  where exchange = any($2) or has_candles
  order by entity_id, exchange, has_candles desc, contract_order(symbol) collate "C"
)
select s.id as series_id, a.asset, m.exchange, m.symbol as instrument,
  row_number() over (partition by m.id order by s.preference, s.id)::int as place
from main m
join asset a on a.entity_id = m.entity_id
join series s on s.instrument_id = m.id
join source o on o.id = s.source_id
where case when $5::text is null then not o.on_request else o.slug = $5 end
order by m.id, place

-- name: newest
-- The last minute of which anything is stored.
select max(ts) from perp_1m

-- name: symbols
-- The symbols of an asset's perpetuals.
select distinct symbol collate "C" as symbol from instrument where entity_id = $1 and kind = 'perp' order by 1
