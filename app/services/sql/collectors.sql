-- name: contracts
-- One row a perpetual of an exchange ($1) whose minutes are collected: those of the $2 assets (0: all) with the most open
-- interest over all exchanges, main contracts first. Whose samples were stored since $3 is collected already, and stays
-- until others have clearly more.
with contract as (
  select i.id, i.entity_id, i.exchange_id, i.symbol, i.margin, max(l.oi_usd) as oi_usd,
    bool_or(exists (
      select from perp_1m m
      where m.series_id = s.id and m.ts >= $3 and num_nonnulls(m.oi_base, m.predicted_rate, m.mark_price) > 0
    )) as is_collected,
    row_number() over (partition by i.exchange_id, i.entity_id order by contract_order(i.symbol) collate "C") as place
  from instrument i
  left join series s on s.instrument_id = i.id
  left join latest l on l.series_id = s.id
  where i.kind = 'perp' and i.active
  group by i.id
), asset as (
  select entity_id, row_number() over (
    order by sum(oi_usd) * case when bool_or(is_collected) then 1.2 else 1 end desc nulls last, entity_id) as place
  from contract where entity_id is not null group by entity_id
)
select c.symbol
from contract c join exchange e on e.id = c.exchange_id left join asset a using (entity_id)
where e.slug = $1 and c.margin is not null and ($2::int = 0 or a.place <= $2)
order by case when c.entity_id is null then 2 when c.place = 1 then 0 else 1 end, a.place, c.symbol collate "C"

-- name: options
-- One row an option of an exchange ($1) on a coin ($2) that lives on after $3: volume of 24 hours and open interest, in
-- coins, as its chain told them last since $4; null where it did not.
select i.symbol, c.volume_24h, c.open_interest
from instrument i
join exchange e on e.id = i.exchange_id
left join source o on o.slug = e.slug
left join series s on s.instrument_id = i.id and s.source_id = o.id
left join lateral (
  select m.volume_24h, m.open_interest from option_1m m
  where m.series_id = s.id and m.ts >= $4 and m.ts <= $3 and num_nonnulls(m.volume_24h, m.open_interest) > 0
  order by m.ts desc limit 1
) c on true
where e.slug = $1 and i.kind = 'option' and i.active and upper(i.base) = $2 and i.expires_at > $3
