"""Perpetuals as an aggregator lists them: which instrument each is, and how it stands with what is stored of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database, writing
from app.records import Product
from app.services.entity_match import Matcher
from app.services.names import base_of, split_multiplier
from app.services.queries import sql
from app.services.reference import AGGREGATOR, SeriesRef, exchange_id, source_id


@dataclass(frozen=True, slots=True)
class Listed:
    """A product with its series: `last` hour stored, the USD of `open_interest` known of it, when its data `begins`."""

    exchange: str
    symbol: str
    coin: str
    entity: int | None
    series: SeriesRef
    begins: datetime | None
    last: datetime | None
    open_interest: float | None


async def put_products(
    db: Database, source: str, products: Sequence[Product], asked: Collection[str] | None = None
) -> int:
    """Keep what a source lists now; what it does not list any more is not active. Returns how many were new.

    `asked`: the exchanges it was asked about; None: all. An instrument that its exchange has listed stays as that told;
    one that nobody knows is made as a perpetual, of the coin its symbol or, failing that, the source's own name of the
    coin is mapped to. Where the source names no coin, it is the only coin of that ticker.
    """
    async with writing(db) as connection:
        matcher = await Matcher.load(connection)
        rows = [_row(source, product, matcher) for product in products]
        slugs = sorted({product.exchange for product in products} | set(asked or ()))
        exchanges = {slug: await exchange_id(connection, slug) for slug in slugs}
        columns = {name: [row[name] for row in rows] for name in _COLUMNS}
        told = {**columns, "exchange": [exchanges[product.exchange] for product in products]}
        await connection.execute(text(sql("products", "make_instruments")), told)
        before = await _count(connection, source)
        of = None if asked is None else [exchanges[slug] for slug in asked]
        await connection.execute(text(sql("products", "keep")), {**told, "source": source, "asked": of})
        await connection.execute(
            text(sql("products", "make_series")),
            {"source": await source_id(connection, source), "slug": source, "preference": AGGREGATOR},
        )
        return await _count(connection, source) - before


_COLUMNS = ("symbol", "entity", "base", "multiplier", "coin", "begins", "active")


def _row(source: str, product: Product, matcher: Matcher) -> dict[str, object]:
    base = product.base or base_of(product.exchange, product.symbol)
    found, multiplier = None, float(split_multiplier(base)[1])
    if known := matcher.by_source_id.get((product.exchange, product.symbol.lower())):
        found, multiplier = known.entity_id, known.multiplier
    elif coin := matcher.by_source_id.get((source, product.coin.lower())):
        found = coin.entity_id
    elif not product.coin:
        found = matcher.of_ticker(base)
    return {
        "symbol": product.symbol,
        "entity": found,
        "base": base,
        "multiplier": multiplier,
        "coin": product.coin,
        "begins": product.begins,
        "active": product.active,
    }


async def _count(connection: AsyncConnection, source: str) -> int:
    found = await connection.execute(text("select count(*) from source_product where source = :s"), {"s": source})
    return found.scalar_one()


async def listed(
    db: Database, source: str, entities: Collection[int] | None = None, exchanges: Collection[str] | None = None
) -> list[Listed]:
    """The active products of a source, those with the most open interest first; of these entities and exchanges."""
    rows = await db.reads.fetch(
        sql("products", "listed"),
        source,
        None if entities is None else list(entities),
        None if exchanges is None else list(exchanges),
    )
    return [
        Listed(
            row["exchange"],
            row["symbol"],
            row["coin"],
            row["entity_id"],
            SeriesRef(row["series_id"], row["multiplier"]),
            row["begins"],
            row["last"],
            row["open_interest"],
        )
        for row in rows
    ]


async def missing(db: Database, source: str, start: datetime, end: datetime) -> dict[tuple[str, str], datetime]:
    """The first hour in `[start, end)` that is not stored of each active product, by exchange and native symbol."""
    rows = await db.reads.fetch(sql("products", "missing"), source, start, end)
    return {(row["exchange"], row["symbol"]): row["first"] for row in rows}
