"""Editing the master of entities: new ones, corrections, and which ids are which entity's."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import insert, update

from app import models
from app.db import Database, Driver, driver, writing
from app.services import rollup
from app.services.entities import UnknownName
from app.services.queries import sql
from app.services.source_assets import lock

ANY_ID = "id"
"""The kind of an id of a source that has none yet."""


class EntityExists(Exception):
    """There is an entity of that canonical id, or one that took it over."""

    def __init__(self, canonical_id: str) -> None:
        super().__init__(canonical_id)
        self.canonical_id = canonical_id


class SourceIdTaken(Exception):
    """The id is of other entities."""

    def __init__(self, owners: tuple[str, ...]) -> None:
        super().__init__(", ".join(owners))
        self.owners = owners


@dataclass(frozen=True, slots=True)
class SourceId:
    """How a source calls an entity. None is not told: the kind of id, and how many of it the id stands for."""

    source: str
    source_id: str
    source_id_type: str | None = None
    multiplier: float | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """Whether an id is new in the map, and what has to be known of what was done."""

    new: bool
    notices: tuple[str, ...] = ()


async def create(db: Database, canonical_id: str, name: str, symbol: str, type: str, sector: str | None) -> int:
    """A new entity; returns its id. Raises EntityExists."""
    values = {"canonical_id": canonical_id, "name": name, "symbol": symbol, "type": type, "sector": sector}
    async with writing(db) as connection:
        copy = await driver(connection)
        await lock(copy)
        owner = await copy.fetchval(sql("entity_edit", "owner"), canonical_id)
        if owner is not None:
            raise EntityExists(owner)
        made = await connection.execute(insert(models.Entity).values(values).returning(models.Entity.id))
        return made.scalar_one()


async def correct(db: Database, entity: int, changes: Mapping[str, str | None]) -> None:
    """Put columns of an entity right; what is not in `changes` stays. Raises UnknownName of one that is gone."""
    if not changes:
        return
    async with writing(db) as connection:
        wanted = update(models.Entity).where(models.Entity.id == entity).values(dict(changes))
        if not (await connection.execute(wanted)).rowcount:
            raise UnknownName(str(entity), ())


async def sharing(db: Database, entity: int) -> list[str]:
    """Canonical ids of other entities that the symbol or canonical id of this one may mean."""
    return [row["canonical_id"] for row in await db.reads.fetch(sql("entity_edit", "sharing"), entity)]


async def canonical_id(db: Database, entity: int) -> str:
    """The stable id of an entity."""
    return await db.reads.fetchval("select canonical_id from entity where id = $1", entity)


async def map_source_id(db: Database, entity: int, told: SourceId, *, move: bool = False) -> Mapped:
    """Say that what a source or an exchange calls so is this entity. Raises SourceIdTaken unless `move`.

    Things the source lists and contracts of the exchange that go by this id are the entity's from now on, facts of
    contracts included: they follow their contract, and the rollups of all entities concerned are due again. Metric
    values that the source told of the old entity stay with it, which a notice says. A multiplier not told is that of
    the map, else that of the contract, else 1. Raises UnknownName of an entity that is gone.
    """
    async with writing(db) as connection:
        copy = await driver(connection)
        await lock(copy)
        if not await copy.fetchval("select id from entity where id = $1 for key share", entity):
            raise UnknownName(str(entity), ())
        usual = sql("entity_edit", "usual_type")
        id_type = told.source_id_type or await copy.fetchval(usual, told.source, told.source_id) or ANY_ID
        return await _map(copy, entity, (told.source, id_type, told.source_id), told.multiplier, move)


async def _map(copy: Driver, entity: int, key: tuple[str, str, str], multiplier: float | None, move: bool) -> Mapped:
    holders = await copy.fetch(sql("entity_edit", "holders"), *key)
    others = {row["entity_id"]: row["canonical_id"] for row in holders if row["entity_id"] not in (None, entity)}
    if others and not move:
        raise SourceIdTaken(tuple(sorted(others.values())))
    told = next((row["multiplier"] for row in holders if row["multiplier"] is not None), 1.0)
    unit = told if multiplier is None else multiplier
    new = not await _in_map(copy, entity, key, unit)
    await copy.execute(sql("entity_edit", "listed"), *key, entity)
    scaled = await _contracts(copy, entity, key, unit)
    return Mapped(new, (*await _left_behind(copy, key[0], others), *scaled))


async def _in_map(copy: Driver, entity: int, key: tuple[str, str, str], multiplier: float) -> bool:
    """Whether the map had the id already; it has it now, as this entity's."""
    if await copy.fetch(sql("entity_edit", "remap"), *key, entity, multiplier):
        return True
    await copy.execute(
        "insert into entity_source_id (source, source_id_type, source_id, entity_id, multiplier) "
        "values ($1, $2, $3, $4, $5)",
        *(*key, entity, multiplier),
    )
    return False


async def _contracts(copy: Driver, entity: int, key: tuple[str, str, str], multiplier: float) -> list[str]:
    """Contracts of that name are the entity's. Returns notices of facts that were scaled by another multiplier."""
    exchange, _, symbol = key
    moved = await copy.fetch(sql("entity_edit", "contracts"), exchange, symbol, entity, multiplier)
    await rollup.moved(copy, [row["id"] for row in moved], {row["was_of"] for row in moved})
    return [
        f"facts of `{row['symbol']}` stored until now count one unit as {row['was']:g}, not {multiplier:g}"
        for row in moved
        if row["has_series"] and row["was"] != multiplier
    ]


async def _left_behind(copy: Driver, source: str, others: Mapping[int, str]) -> list[str]:
    """Notices of what the entities that had the id keep."""
    keeping = await copy.fetch(sql("entity_edit", "keeping"), source, list(others))
    moved = [f"moved from `{name}`" for name in sorted(others.values())]
    return moved + [f"metric values that {source} told of `{row['canonical_id']}` stay there" for row in keeping]
