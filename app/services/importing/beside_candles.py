"""What takers' volumes that are brought say beside the candles that are stored: both tell `buy_volume_base`."""

from app.db import Driver
from app.services.merge import STAGE

BESIDE = """
select count(distinct (s.series_id, s.ts)) filter (where s.buy_volume_base <> f.buy_volume_base) as replaced,
  count(distinct (s.series_id, s.ts)) filter (
    where coalesce(s.buy_volume_base, 0) + coalesce(s.sell_volume_base, 0) > f.volume_base * 1.01) as over
from stage s join {fact} f using (series_id, ts)
where f.close is not null and f.ts between (select min(ts) from stage) and (select max(ts) from stage)
"""
"""Rows of one hundredth too much are let pass: digits are cut off here and there."""


async def notices(copy: Driver, fact: str) -> list[str]:
    """What the sender should know of the staged rows, before they are written."""
    await copy.execute(f"analyze {STAGE}")
    (found,) = await copy.fetch(BESIDE.format(fact=fact))
    told = {
        "told another `buy_volume_base`: that of these rows replaces it": found["replaced"],
        "told less `volume_base` than takers bought and sold by these rows: are they in coins?": found["over"],
    }
    return [f"{count:,} {'candle' if count == 1 else 'candles'} {what}" for what, count in told.items() if count]
