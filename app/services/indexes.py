"""Reading price indexes, volatility indexes and the prices contracts on them were delivered at."""

from dataclasses import dataclass
from datetime import datetime

from app.db import Database
from app.services.options import nothing_of
from app.services.queries import Query, sql

OF_ASSET = """
select i.id from instrument i join exchange e on e.id = i.exchange_id
where i.entity_id = $1 and i.kind = 'index' and ($2::text[] is null or e.slug = any($2)) limit 20
"""


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes of an entity, or fewer. None does not narrow."""

    entity_id: int
    exchanges: tuple[str, ...] | None = None
    source: str | None = None
    known_at: datetime | None = None

    @property
    def narrow(self) -> tuple[object, ...]:
        """As all statements take it."""
        return self.exchanges, self.source, self.known_at


def prices(indexes: Indexes, start: datetime, end: datetime, *, volatility: bool) -> Query:
    """Values and candles in `[start, end)` of price indexes, or of volatility indexes."""
    arguments = (indexes.entity_id, start, end, *indexes.narrow, volatility)
    return Query(sql("indexes", "prices"), arguments, start=1, end=2)


def price_by(indexes: Indexes, moment: datetime, *, volatility: bool) -> Query:
    """The value of each index at an instant, at most a day old."""
    return Query(sql("indexes", "price_by"), (indexes.entity_id, moment, *indexes.narrow, volatility))


def deliveries(indexes: Indexes, start: datetime, end: datetime) -> Query:
    """Delivery prices of expiries in `[start, end)`."""
    return Query(sql("indexes", "deliveries"), (indexes.entity_id, start, end, *indexes.narrow), start=1, end=2)


def delivery_by(indexes: Indexes, moment: datetime) -> Query:
    """The last delivery price of each index by an instant."""
    return Query(sql("indexes", "delivery_by"), (indexes.entity_id, moment, *indexes.narrow))


async def why_empty(db: Database, fact: str, indexes: Indexes, start: datetime, end: datetime) -> str:
    """One sentence: no such index, not fetched yet, or outside of what is stored."""
    found = [row["id"] for row in await db.reads.fetch(OF_ASSET, indexes.entity_id, indexes.exchanges)]
    if not found:
        return "no rows: no index of this asset is known with these filters"
    return await nothing_of(db, (fact,), found, start, end)
