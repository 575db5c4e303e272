"""Reference data: instruments with their dated facts, and series."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app import models
from app.db import Database, driver, writing
from app.records import FundingInterval, Instrument, Kind
from app.services import rollup
from app.services.entity_match import Matcher
from app.services.queries import sql
from app.services.source_assets import lock

EXCHANGE_ITSELF, IMPORT, AGGREGATOR = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SeriesRef:
    """A series to write into: its id, and how many coins one quoted unit of its instrument stands for."""

    id: int
    multiplier: float
    kind: str = "perp"


async def exchange_id(connection: AsyncConnection, slug: str) -> int:
    """The exchange of this slug, made if it is new."""
    await connection.execute(insert(models.Exchange).values(slug=slug, name=slug).on_conflict_do_nothing())
    return (await connection.execute(select(models.Exchange.id).where(models.Exchange.slug == slug))).scalar_one()


async def source_id(connection: AsyncConnection, slug: str) -> int:
    """The source of this slug, made if it is new."""
    await connection.execute(insert(models.Source).values(slug=slug).on_conflict_do_nothing())
    return (await connection.execute(select(models.Source.id).where(models.Source.slug == slug))).scalar_one()


async def put_source(db: Database, slug: str, *, on_request: bool) -> None:
    """Keep a source with how it is heard: always, or `on_request`, in answers that ask for it by name, only."""
    statement = insert(models.Source).values(slug=slug, on_request=on_request)
    upsert = statement.on_conflict_do_update(
        index_elements=["slug"], set_={"on_request": on_request}, where=models.Source.on_request != on_request
    )
    async with writing(db) as connection:
        await connection.execute(upsert)


async def put_instruments(db: Database, source: str, records: Sequence[Instrument | FundingInterval]) -> int:
    """Keep contracts as their exchange lists them now, with a dated fact for everything that changed.

    Returns how many were new. An instrument whose coin cannot be told for sure has no entity.
    """
    listed = [record for record in records if isinstance(record, Instrument)]
    declared = [record for record in records if isinstance(record, FundingInterval)]
    called = {record.symbol: record.upstream_id for record in listed if record.upstream_id}
    async with writing(db) as connection:
        exchange = await exchange_id(connection, source)
        new = await _upsert(connection, exchange, source, listed)
        await _declare(connection, exchange, declared)
        await _date_sides(connection, exchange, source, listed)
        noted = {"exchange": exchange, "source": source, "symbols": [*called], "upstream_ids": [*called.values()]}
        await connection.execute(text(sql("reference", "dated_facts")), noted)
    return new


async def _upsert(connection: AsyncConnection, exchange: int, slug: str, listed: Sequence[Instrument]) -> int:
    if not listed:
        return 0
    copy = await driver(connection)
    await lock(copy)
    matcher = await Matcher.load(connection)
    before = await _entities(connection, exchange)
    rows = [_row(exchange, slug, record, matcher) for record in listed]
    statement = insert(models.Instrument)
    kept = {name: func.coalesce(statement.excluded[name], getattr(models.Instrument, name)) for name in _COALESCED}
    new = {name: statement.excluded[name] for name in _REPLACED}
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["exchange_id", "kind", "symbol"], set_={**new, **kept, "seen_at": func.clock_timestamp()}
        ),
        rows,
    )
    after = await _entities(connection, exchange)
    moved = [key for key, entity in before.items() if after[key] != entity]
    await rollup.moved(copy, moved, {before[key] for key in moved})
    return len(after) - len(before)


async def _entities(connection: AsyncConnection, exchange: int) -> dict[int, int | None]:
    """The contracts of an exchange, and which coin each is of."""
    mine = select(models.Instrument.id, models.Instrument.entity_id).where(models.Instrument.exchange_id == exchange)
    return {row.id: row.entity_id for row in await connection.execute(mine)}


_TERMS = ("expires_at", "strike", "option_type", "price_index", "tick_size")
_REPLACED = ("base", "quote", "margin", "contract_size", "multiplier", "oi_sides", "active", "delisted_at", *_TERMS)
_COALESCED = ("entity_id", "funding_interval_hours", "listed_at")


def _row(exchange: int, slug: str, record: Instrument, matcher: Matcher) -> dict[str, object]:
    entity, multiplier = matcher.of_instrument(slug, record.symbol, record.base, record.underlying)
    return {
        "exchange_id": exchange,
        "symbol": record.symbol,
        "kind": record.kind,
        "entity_id": entity,
        "base": record.base,
        "quote": record.quote,
        "margin": record.margin,
        "contract_size": record.contract_size,
        "multiplier": multiplier,
        "funding_interval_hours": record.funding_interval_hours,
        "oi_sides": record.oi_sides,
        "active": record.active,
        "listed_at": record.listed_at,
        "delisted_at": record.delisted_at,
        **{term: getattr(record, term) for term in _TERMS},
    }


async def _declare(connection: AsyncConnection, exchange: int, declared: Sequence[FundingInterval]) -> None:
    """Intervals an exchange tells apart from its list of contracts; those of contracts we do not know are left."""
    for record in declared:
        await connection.execute(
            update(models.Instrument)
            .where(models.Instrument.exchange_id == exchange, models.Instrument.symbol == record.symbol)
            .where(models.Instrument.kind == "perp")
            .values(funding_interval_hours=record.hours)
        )


async def _date_sides(connection: AsyncConnection, exchange: int, source: str, listed: Sequence[Instrument]) -> None:
    """What is known of how sides were counted is dated by the exchange's documents, not by when we saw it."""
    dated = [record for record in listed if record.oi_sides_since and record.oi_sides_before]
    told = {
        "kinds": [record.kind for record in dated],
        "symbols": [record.symbol for record in dated],
        "since": [record.oi_sides_since for record in dated],
        "before": [record.oi_sides_before for record in dated],
    }
    if dated:
        await connection.execute(
            text(sql("reference", "dated_sides")), {"exchange": exchange, "source": source, **told}
        )


async def instruments(
    db: Database, exchange: str, kinds: Collection[Kind] = ("perp", "future"), *, expired: bool = True
) -> dict[str, Instrument]:
    """The contracts known of an exchange, by native symbol, those with the most open interest first.

    Those that have expired and are not listed any more are left out unless they are wanted.
    """
    rows = await db.reads.fetch(sql("reference", "instruments_of"), exchange, list(kinds), expired)
    return {row["symbol"]: Instrument(**dict(row)) for row in rows}


async def symbols_of(db: Database, exchange: str, entities: Collection[int]) -> set[str]:
    """Native symbols of the contracts of these entities on an exchange."""
    rows = await db.reads.fetch(
        """select i.symbol from instrument i join exchange x on x.id = i.exchange_id
        where x.slug = $1 and i.entity_id = any($2::int[])""",
        exchange,
        list(entities),
    )
    return {row["symbol"] for row in rows}


async def series_of(
    db: Database, source: str, exchange: str, kinds: Collection[Kind] = ("perp",), *, expired: bool = True
) -> dict[str, SeriesRef]:
    """The series of every instrument of these kinds of an exchange as told by a source, by native symbol.

    They are made where they are missing. `expired`: also of those that have expired and are not listed any more.
    """
    async with writing(db) as connection:
        teller = await source_id(connection, source)
        preference = EXCHANGE_ITSELF if source == exchange else AGGREGATOR
        asked = {"source": teller, "exchange": exchange, "kinds": list(kinds), "expired": expired}
        await connection.execute(text(sql("reference", "make_series")), {**asked, "preference": preference})
        found = await connection.execute(text(sql("reference", "series_of")), asked)
        return {symbol: SeriesRef(key, multiplier, kind) for symbol, key, multiplier, kind in found}


async def prefer(db: Database, order: Sequence[str]) -> None:
    """Rank the sources of one fact: `exchange` (the exchange itself), `import` and source ids, the first preferred."""
    ranks: Mapping[str, int] = {word: rank for rank, word in enumerate(order)}
    async with writing(db) as connection:
        ranked = await connection.execute(
            text(sql("reference", "rank_series")),
            {"words": list(ranks), "ranks": list(ranks.values()), "last": len(ranks)},
        )
        if ranked.rowcount:
            await connection.execute(text("update coin_1h_ready set ready_to = first_ts - interval '1 hour'"))
