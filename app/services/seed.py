"""The seed in the package: entities with their aliases, and exchanges."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app import models
from app.db import Database, writing
from app.services.entity_match import OLD_ID, OURS

SEED = Path(__file__).parents[1] / "data"


def _rows(name: str) -> list[dict[str, str]]:
    with (SEED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def put_seed(db: Database) -> None:
    """Add the entities, aliases and exchanges of the package that are not there yet; what is there stays as it is."""
    async with writing(db) as connection:
        await _seed_exchanges(connection)
        await _seed_entities(connection)


async def _seed_exchanges(connection: AsyncConnection) -> None:
    known = set((await connection.execute(select(models.Exchange.slug))).scalars())
    missing = [
        {**row, "funding_interval_hours": float(row["funding_interval_hours"]), "docs_url": row["docs_url"] or None}
        for row in _rows("exchanges")
        if row["slug"] not in known
    ]
    await _insert(connection, models.Exchange, missing)


async def _seed_entities(connection: AsyncConnection) -> None:
    known = await _entity_ids(connection)
    missing = [
        {**row, "sector": row["sector"] or None} for row in _rows("entities") if row["canonical_id"] not in known
    ]
    await _insert(connection, models.Entity, missing)
    await _seed_aliases(connection, await _entity_ids(connection))


async def _entity_ids(connection: AsyncConnection) -> dict[str, int]:
    """Entities by canonical id; of one that was merged into another, that other."""
    alias, entity = models.EntitySourceId, models.Entity
    old = select(alias.source_id, alias.entity_id).where(alias.source == OURS, alias.source_id_type == OLD_ID)
    merged, found = await connection.execute(old), await connection.execute(select(entity.canonical_id, entity.id))
    return {row.source_id: row.entity_id for row in merged} | {row.canonical_id: row.id for row in found}


async def _seed_aliases(connection: AsyncConnection, ids: Mapping[str, int]) -> None:
    alias = models.EntitySourceId
    found = await connection.execute(select(alias.source, alias.source_id_type, alias.source_id))
    known = {(row.source, row.source_id_type, row.source_id) for row in found}
    missing = [
        {
            "entity_id": ids[row["canonical_id"]],
            "source": row["source"],
            "source_id": row["source_id"],
            "source_id_type": row["source_id_type"],
            "multiplier": float(row["multiplier"]),
        }
        for row in _rows("source_ids")
        if (row["source"], row["source_id_type"], row["source_id"]) not in known
    ]
    await _insert(connection, alias, missing)


async def _insert(connection: AsyncConnection, model: type[models.Base], rows: Sequence[Mapping[str, object]]) -> None:
    """Rows that were missing a moment ago; another process may have been quicker."""
    if rows:
        await connection.execute(insert(model).on_conflict_do_nothing(), rows)
