"""The directory against the database: what is stored is read once an exchange, what is new is written at the end."""

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from app.db import Database, Driver, driver, writing
from app.locks import MAKING_LOCK
from app.services.entity_match import Matcher
from app.services.importing import metric_listing
from app.services.importing.book import Book, Contract, Named, Refusal
from app.services.importing.identity import Directory
from app.services.importing.making import Making
from app.services.queries import sql
from app.services.reference import AGGREGATOR, EXCHANGE_ITSELF, IMPORT

Place = tuple[int, float] | Refusal
TERMS = ("quote", "margin", "expires_at", "strike", "option_type", "price_index")


async def load(db: Database, kinds: Sequence[str], *, create_assets: bool) -> Directory:
    """A directory of contracts of these kinds that knows all entities, and no exchange yet."""
    async with writing(db) as connection:
        return Directory(await Matcher.load(connection), create_assets, kinds)


async def places(db: Database, directory: Directory, named: Sequence[Named]) -> list[Place]:
    """For the words of each row its series and unit, or why it is refused.

    Rows that name their instrument are placed first, so that `asset` alone means the same whichever row comes first.
    """
    await _open_books(db, directory, {words.exchange for words in named} - directory.books.keys() - {""})
    if any(words.metric for words in named):
        return await metric_listing.places(db, directory, named)
    order = sorted(range(len(named)), key=lambda at: not named[at].instrument)
    placed = {at: _place(directory, named[at]) for at in order}
    good = [(found[0], named[at].source) for at, found in placed.items() if not isinstance(found, Refusal)]
    await _reserve(db, directory, good)
    return [_series(placed[at], named[at].source) for at in range(len(named))]


def _place(directory: Directory, named: Named) -> tuple[Contract, float] | Refusal:
    try:
        return directory.place(named)
    except Refusal as refusal:
        return refusal


def _series(found: tuple[Contract, float] | Refusal, source: str) -> Place:
    return found if isinstance(found, Refusal) else (found[0].series[source], found[1])


async def _open_books(db: Database, directory: Directory, exchanges: Iterable[str]) -> None:
    wanted = sorted(exchanges)
    if not wanted:
        return
    async with writing(db) as connection:
        copy = await driver(connection)
        stored = {row["slug"] for row in await copy.fetch(sql("importing", "exchanges"), wanted)}
        contracts = await copy.fetch(sql("importing", "contracts"), wanted, directory.kinds)
        series = await copy.fetch(sql("importing", "series"), wanted, directory.kinds)
    for exchange in wanted:
        directory.books[exchange] = Book(exchange, exchange in stored)
    by_key = {row["key"]: Contract(**dict(row)) for row in contracts}
    for row in series:
        by_key[row["instrument_id"]].series[row["source"]] = row["id"]
    for contract in by_key.values():
        directory.books[contract.exchange].add(contract)


async def _reserve(db: Database, directory: Directory, wanted: Iterable[tuple[Contract, str]]) -> None:
    """Ids for series that are not there: taken from the sequence now, used when the facts are stored."""
    missing = {(id(c), source): (c, source) for c, source in wanted if source not in c.series}
    if not missing:
        return
    async with writing(db) as connection:
        ids = await (await driver(connection)).fetch(sql("importing", "reserve"), len(missing))
    for row, (contract, source) in zip(ids, missing.values(), strict=True):
        contract.series[source] = row["id"]
        directory.new_series.append((row["id"], contract, source))


async def make(copy: Driver, directory: Directory, batch: int | None = None) -> Mapping[int, int]:
    """Write what is new, in the caller's transaction. Returns reserved series that another writer made meanwhile.

    Safe to repeat: what is there already stays. One import makes at a time. `batch`: the import, which is to be told
    what it made.
    """
    metrics = directory.metrics
    if not (directory.new_series or directory.adopted or metrics.new or metrics.new_series):
        return {}
    await copy.execute("select pg_advisory_xact_lock($1)", MAKING_LOCK)
    making = Making(copy, batch)
    new = [contract for _, contract, _ in directory.new_series]
    sources = {source for *_, source in directory.new_series} | {metric.source for metric in metrics.new}
    await making.made("exchange", "make_exchanges", sorted(directory.new_exchanges()))
    await making.made("source", "make_sources", sorted(sources))
    await making.made("entity", "make_entities", *_columns(directory.new_names(), 2))
    if metrics.new or metrics.new_series:
        return await metric_listing.make(making, directory)
    await _make_contracts(making, directory, [contract for contract in new if contract.key is None])
    return await _make_series(making, directory)


async def _make_contracts(making: Making, directory: Directory, new: Iterable[Contract]) -> None:
    rows = [(c.exchange, c.symbol, c.kind, *directory.stored(c.entity), c.base, c.multiplier, *_terms(c)) for c in new]
    await making.made("instrument", "make_contracts", *_columns(rows, 7 + len(TERMS)))
    adopted = [(c.key, *directory.stored(c.entity)) for c in directory.adopted if c.key is not None]
    if adopted:
        await making.made("adoption", "adopt", *_columns(adopted, 3))
        await making.copy.execute(sql("importing", "adopted_due"), [key for key, *_ in adopted])


def _terms(contract: Contract) -> list[object]:
    return [contract.terms and getattr(contract.terms, name) for name in TERMS]


async def _make_series(making: Making, directory: Directory) -> Mapping[int, int]:
    rows = [(key, c.exchange, c.symbol, c.kind, source) for key, c, source in directory.new_series]
    ranks = [_preference(source, contract) for _, contract, source in directory.new_series]
    await making.made("series", "make_series", *_columns(rows, 5), ranks)
    found: list[asyncpg.Record] = await making.copy.fetch(sql("importing", "series_taken"), *_columns(rows, 5))
    return {row["reserved"]: row["id"] for row in found}


def _preference(source: str, contract: Contract) -> int:
    if source == contract.exchange:
        return EXCHANGE_ITSELF
    return IMPORT if source == "import" else AGGREGATOR


def _columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as one list a column, for `unnest`."""
    listed = list(rows)
    return [[row[at] for row in listed] for at in range(width)]
