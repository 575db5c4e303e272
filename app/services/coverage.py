"""Why a question has no rows, or a mean lacks some: what is known of the asset's perpetuals, and from when to when."""

from datetime import UTC, datetime
from typing import Literal

from app.db import Database
from app.services.perps import Margin, Perps
from app.services.queries import sql

SHOWN = 8
Dataset = Literal[
    "funding", "predicted_funding", "open_interest", "candles", "minutes", "long_short", "taker_volume", "liquidations"
]

MARKET = """
select count(*) > 0 as known, bool_or(l.funding_ts is not null) as told
from instrument i
join exchange e on e.id = i.exchange_id
left join series s on s.instrument_id = i.id
left join latest l on l.series_id = s.id
where i.kind = 'perp' and i.entity_id is not null and ($1::int[] is null or i.entity_id = any($1))
  and ($2::text[] is null or e.slug = any($2)) and ($3::text is null or coalesce(i.margin, 'stable') = $3)
"""


async def exchanges(db: Database, perps: Perps) -> tuple[str, ...]:
    """Where these perpetuals trade: who may stand behind an answer that joins them."""
    narrow = (perps.entity_id, perps.exchanges, perps.margin, perps.source)
    rows = await db.reads.fetch(sql("coverage", "exchanges"), *narrow)
    return tuple(row["slug"] for row in rows)


async def unweighed(db: Database, perps: Perps, start: datetime, end: datetime) -> tuple[str, ...]:
    """A notice of the perpetuals that a mean weighted by open interest cannot count, if there are any."""
    narrow = (perps.entity_id, perps.exchanges, perps.margin, perps.source)
    rows = await db.reads.fetch(sql("coverage", "unweighed"), *narrow, start, end, perps.known_at)
    without = [row["name"] for row in rows if not row["weighed"]]
    if not without:
        return ()
    if len(without) == len(rows):
        return ("no open interest known: weighted=equal takes no weights",)
    more = f" and {len(without) - SHOWN} more" if len(without) > SHOWN else ""
    return (f"no open interest known of: {', '.join(without[:SHOWN])}{more}; not in the mean nor in coverage",)


async def why_empty(db: Database, dataset: Dataset, perps: Perps, start: datetime, end: datetime) -> str:
    """One sentence: no such contract, not fetched yet, or outside of what is stored."""
    if not await db.reads.fetchval(sql("coverage", "instruments"), perps.entity_id, perps.exchanges, perps.margin):
        return "no rows: no perpetual of this asset is known with these filters"
    span = await db.reads.fetchrow(sql("coverage", dataset), perps.entity_id, perps.exchanges, perps.margin)
    if span is None or span["first"] is None:
        return "no rows: not fetched yet"
    first, last = (f"{span[name].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name in ("first", "last"))
    if end <= span["first"]:
        return f"no rows: before our history, which begins {first}"
    if start > span["last"]:
        return f"no rows: nothing newer than {last} is stored"
    if not span.get("told", True):
        return f"no rows: not told in this window, nor of the first and last minutes stored, from {first} to {last}"
    filters = "these filters and known_at" if perps.known_at else "these filters"
    return f"no rows: nothing in this window that {filters} leave; stored from {first} to {last}"


async def why_no_market(
    db: Database,
    entity_ids: tuple[int, ...] | None,
    exchanges: tuple[str, ...] | None,
    margin: Margin | None,
    moment: datetime,
    known_at: datetime | None,
) -> str:
    """The same of the weighted mean of every entity (of these) at an instant: arguments as of `funding.market`."""
    found = await db.reads.fetchrow(MARKET, entity_ids, exchanges, margin)
    if found is None or not found["known"]:
        return "no rows: no perpetual is known with these filters"
    if not found["told"]:
        return "no rows: not fetched yet"
    known = "" if known_at is None else ", as known at known_at"
    return f"no rows: no rate settled in the 30 days before {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}{known}"
