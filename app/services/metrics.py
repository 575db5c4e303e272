"""Metrics of entities: the catalogue of what sources tell, and their values.

A metric that nobody knew is in the catalogue with its first value: no restart, no migration.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app import models
from app.db import Database, Driver, driver, writing
from app.records import Metric, MetricValue
from app.services import store
from app.services.queries import sql

Key = tuple[int, int, int | None]
"""Metric, entity and exchange (None: of no exchange in particular), by id: what a series of values is of."""


async def put_catalogue(db: Database, source: str, metrics: Iterable[Metric]) -> None:
    """What a source is known to tell: added, or corrected where the catalogue says otherwise."""
    rows = _rows(source, metrics)
    if not rows:
        return
    statement = insert(models.Metric)
    new = {name: statement.excluded[name] for name in rows[0] if name not in ("source", "name")}
    async with writing(db) as connection:
        await connection.execute(statement.on_conflict_do_update(index_elements=["source", "name"], set_=new), rows)


def _rows(source: str, metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    rows = {metric.name: {"source": source, **asdict(metric)} for metric in metrics}
    for row in rows.values():
        row["column_name"] = row.pop("column")
    return [rows[name] for name in sorted(rows)]


async def metric_ids(connection: AsyncConnection, source: str, metrics: Collection[Metric]) -> dict[str, int]:
    """The ids of metrics by name; those not in the catalogue yet are added as they come."""
    if metrics:
        await connection.execute(insert(models.Metric).on_conflict_do_nothing(), _rows(source, metrics))
    told = {metric.name for metric in metrics}
    found = await connection.execute(
        select(models.Metric.name, models.Metric.id).where(models.Metric.source == source, models.Metric.name.in_(told))
    )
    return {row.name: row.id for row in found}


async def names(db: Database, source: str) -> tuple[str, ...]:
    """What the catalogue has of a source."""
    rows = await db.reads.fetch("select name from metric where source = $1 order by name", source)
    return tuple(row["name"] for row in rows)


async def series_ids(copy: Driver, keys: Collection[Key]) -> dict[Key, int]:
    """The series of these keys, made where they are missing."""
    columns = [[key[at] for key in keys] for at in range(3)]
    await copy.execute(sql("metrics", "make_series"), *columns)
    rows = await copy.fetch(sql("metrics", "series"), *columns)
    return {(row["metric_id"], row["entity_id"], row["exchange_id"]): row["id"] for row in rows}


async def put_values(
    db: Database,
    source: str,
    values: Sequence[MetricValue],
    entities: Mapping[tuple[str, str], int],
    at_the_end: store.AtTheEnd | None = None,
) -> store.Written:
    """Store values of a source; `entities` by kind of id and lower-case id. Raises KeyError where one is missing."""
    async with writing(db) as connection:
        ids = await metric_ids(connection, source, {value.metric.name: value.metric for value in values}.values())
        exchanges = await _exchanges(connection, {value.exchange for value in values if value.exchange})
        keys: list[Key] = [
            (
                ids[value.metric.name],
                entities[value.id_type, value.id.lower()],
                exchanges[value.exchange] if value.exchange else None,
            )
            for value in values
        ]
        series = await series_ids(await driver(connection), set(keys))
    batch = pa.RecordBatch.from_pydict(
        {
            "series_id": [series[key] for key in keys],
            "ts": [value.time for value in values],
            "value": [value.value for value in values],
            "known_at": [None] * len(values),
        },
        store.SCHEMAS["metric_value"],
    )
    return await store.put(db, "metric_value", [batch], at_the_end=at_the_end)


async def _exchanges(connection: AsyncConnection, slugs: Collection[str]) -> dict[str, int]:
    if not slugs:
        return {}
    made = [{"slug": slug, "name": slug} for slug in sorted(slugs)]
    await connection.execute(insert(models.Exchange).on_conflict_do_nothing(), made)
    found = await connection.execute(
        select(models.Exchange.slug, models.Exchange.id).where(models.Exchange.slug.in_(slugs))
    )
    return {row.slug: row.id for row in found}
