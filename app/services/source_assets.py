"""Things as sources list them: what each is, and what a source calls the entities we know."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from app.db import Database, Driver, driver, writing
from app.locks import ENTITY_LOCK
from app.records import SourceAsset
from app.services.queries import sql
from app.services.source_match import Catalogue, Key, Known


@dataclass(frozen=True, slots=True)
class Listed:
    """How many things of a list are of an entity, and of how many nobody is sure."""

    mapped: int
    unmapped: int


async def lock(copy: Driver) -> None:
    """One at a time, until its transaction ends, says which ids are which entity's."""
    await copy.execute("select pg_advisory_xact_lock($1)", ENTITY_LOCK)


async def put_source_assets(db: Database, source: str, assets: Sequence[SourceAsset]) -> Listed:
    """Keep what a source lists now (its whole list in one call), each thing with its entity or with why it has none.

    The map (`entity_source_id`) decides first, then a name that only one entity of a fitting type has, then a
    CoinGecko id. Of a thing listed twice the later row counts.
    """
    listed = list({(asset.id_type, asset.id): asset for asset in assets}.values())
    async with writing(db) as connection:
        copy = await driver(connection)
        await lock(copy)
        found = (await _catalogue(copy, source, {(a.id_type, a.id) for a in listed})).matches(listed)
        rows = [
            (a.id_type, a.id, a.name, a.ticker, a.coingecko_id, m.entity_id, m.found_by, m.reason)
            for a, m in zip(listed, found, strict=True)
        ]
        await copy.execute(sql("source_assets", "put"), source, *([row[at] for row in rows] for at in range(8)))
    mapped = sum(match.entity_id is not None for match in found)
    return Listed(mapped, len(listed) - mapped)


async def _catalogue(copy: Driver, source: str, listed: Collection[tuple[str, str]]) -> Catalogue:
    """All entities and this source's ids. What only names told of the things now listed is found out anew."""
    entities = [_known(row) for row in await copy.fetch(sql("source_assets", "known"))]
    ids = await copy.fetch(sql("source_assets", "ids"), source, None)
    standing = [row for row in ids if row["mapped"] or (row["id_type"], row["id"]) not in listed]
    mapped: dict[Key, int] = {(row["id_type"], row["id"].lower()): row["entity_id"] for row in ids if row["mapped"]}
    taken = {(row["id_type"], row["entity_id"]): row["id"] for row in standing}
    return Catalogue.of(entities, mapped, taken)


def _known(row: asyncpg.Record) -> Known:
    names, gecko = frozenset[str](row["names"]), frozenset[str](row["coingecko_ids"])
    return Known(row["id"], row["canonical_id"], row["type"], names, gecko)


async def ids_of(db: Database, source: str, entities: Collection[int] | None = None) -> dict[str, tuple[str, ...]]:
    """What a source calls the entities it is known to have (or those of `entities`): kind of id → ids, sorted.

    Each id once, as the source lists it where it does; ids that differ only in case are one.
    """
    wanted = None if entities is None else list(entities)
    spelled: dict[str, dict[str, str]] = defaultdict(dict)
    for row in await db.reads.fetch(sql("source_assets", "ids"), source, wanted):
        spelled[row["id_type"]].setdefault(row["id"].lower(), row["id"])
    return {id_type: tuple(sorted(ids.values())) for id_type, ids in spelled.items()}


async def entities_of(db: Database, source: str) -> dict[Key, int]:
    """Whose a source's ids are: (kind of id, id in lower case) → entity. The map counts before what was recognised."""
    rows = await db.reads.fetch(sql("source_assets", "ids"), source, None)
    return {(row["id_type"], row["id"].lower()): row["entity_id"] for row in rows}


def one_each(entities: Mapping[Key, int]) -> dict[Key, int]:
    """Of several ids of one kind that one entity has, the shortest: `aave`, of which `aave-v3` is a version.

    A value of each would be several values of one fact, each replacing the one before.
    """
    best: dict[tuple[str, int], str] = {}
    for (id_type, name), entity in entities.items():
        known = best.get((id_type, entity))
        if known is None or (len(name), name) < (len(known), known):
            best[id_type, entity] = name
    return {(id_type, name): entity for (id_type, entity), name in best.items()}
