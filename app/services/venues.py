"""Exchanges as an aggregator lists them: what it calls them, and which perpetual it means by a symbol there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert

from app.db import Database, writing
from app.models import SourceExchange
from app.records import Venue
from app.services.perps import Perps
from app.services.queries import sql
from app.services.reference import AGGREGATOR, SeriesRef, exchange_id, source_id

SHOWN = 8


async def put_venues(db: Database, source: str, venues: Sequence[Venue]) -> None:
    """Keep the exchanges a source lists now, under the names it has for them now."""
    statement = insert(SourceExchange)
    new = {name: statement.excluded[name] for name in ("name", "exchange_id")}
    async with writing(db) as connection:
        for venue in sorted(venues, key=lambda venue: venue.id):
            exchange = await exchange_id(connection, venue.exchange)
            row = {"source": source, "id": venue.id, "name": venue.name, "exchange_id": exchange}
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["source", "id"], set_={**new, "seen_at": func.clock_timestamp()}
                ),
                row,
            )


async def due(db: Database, source: str, before: datetime) -> list[Venue]:
    """The exchanges whose perpetuals were last listed at `before` or earlier, those never listed first."""
    return [Venue(**dict(row)) for row in await db.reads.fetch(sql("venues", "due"), source, before)]


async def was_listed(db: Database, source: str, venue: str, at: datetime) -> None:
    """The perpetuals of an exchange, by its id at the source, were listed then."""
    mine = (SourceExchange.source == source) & (SourceExchange.id == venue)
    async with writing(db) as connection:
        await connection.execute(update(SourceExchange).where(mine).values(listed_at=at))


async def series_of(db: Database, source: str, told: Iterable[tuple[str, str]]) -> dict[str, SeriesRef]:
    """The series of each perpetual a source tells of, by `name of the exchange there:symbol`; made where missing.

    What is not listed (by its exchange or, of exchanges that nobody asks themselves, by the source) has none.
    """
    each = sorted(set(told))
    names = {"venue": [venue for venue, _ in each], "symbol": [symbol for _, symbol in each]}
    async with writing(db) as connection:
        mine = {**names, "slug": source, "source": await source_id(connection, source)}
        await connection.execute(text(sql("venues", "make_series")), {**mine, "preference": AGGREGATOR})
        found = await connection.execute(text(sql("venues", "series")), mine)
        return {name: SeriesRef(key, multiplier) for name, key, multiplier in found}


async def left_out(db: Database, perps: Perps) -> tuple[str, ...]:
    """A notice of what an answer without `source` leaves out of these perpetuals, if there is any."""
    if perps.source is not None:
        return ()
    row = await db.reads.fetchrow(sql("venues", "left_out"), perps.entity_id, perps.exchanges, perps.margin)
    if row is None or not row["perpetuals"]:
        return ()
    alone: list[str] = row["alone"] or []
    more = f" and {len(alone) - SHOWN} more" if len(alone) > SHOWN else ""
    only = f", the only source of {', '.join(alone[:SHOWN])}{more}" if alone else ""
    sources: list[str] = row["sources"]
    ask = " or ".join(f"source={source}" for source in sources)
    given = "gives" if len(sources) == 1 else "give"
    return (f"left out: {row['perpetuals']} perpetuals as told by {', '.join(sources)}{only}; {ask} {given} them",)
