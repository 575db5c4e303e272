"""Metrics of entities: the catalogue of what sources tell, and their values.

A metric that nobody knew is in the catalogue with its first value: no restart, no migration.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import asyncpg
import pyarrow as pa
from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert

from app import models
from app.db import Database, Driver, writing
from app.records import Metric, MetricValue
from app.services import store
from app.services.queries import sql
from app.services.source_assets import entities_of, one_each

Key = tuple[str, int, str | None]
"""Name of the metric, id of the entity, exchange (None: of none in particular): what a series of values is of."""


async def put_catalogue(db: Database, source: str, metrics: Iterable[Metric]) -> None:
    """What a source is known to tell: added, or corrected where the catalogue says otherwise; what is right stays."""
    rows = _rows(source, metrics)
    if not rows:
        return
    statement = insert(models.Metric)
    new = {name: statement.excluded[name] for name in rows[0] if name not in ("source", "name")}
    otherwise = or_(*(getattr(models.Metric, name).is_distinct_from(told) for name, told in new.items()))
    upsert = statement.on_conflict_do_update(index_elements=["source", "name"], set_=new, where=otherwise)
    async with writing(db) as connection:
        await connection.execute(upsert, rows)


def _rows(source: str, metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    rows = {metric.name: {"source": source, **asdict(metric)} for metric in metrics}
    for row in rows.values():
        row["column_name"] = row.pop("column")
    return [rows[name] for name in sorted(rows)]


async def names(db: Database, source: str) -> tuple[str, ...]:
    """What the catalogue has of a source."""
    rows = await db.reads.fetch("select name from metric where source = $1 order by name", source)
    return tuple(row["name"] for row in rows)


async def put_values(
    db: Database,
    source: str,
    values: Sequence[MetricValue],
    entities: Mapping[tuple[str, str], int],
    at_the_end: store.AtTheEnd | None = None,
) -> store.Written:
    """Store values of a source; `entities` by kind of id and lower-case id. Raises KeyError where one is missing.

    Where an entity was merged since `entities` were read, values are of whom the source's ids are of by now. Raises
    what the database raises, ForeignKeyViolationError of an entity that is gone among it: then nothing is stored.
    """
    try:
        return await _put(db, source, values, entities, at_the_end)
    except asyncpg.ForeignKeyViolationError:
        now = one_each(await entities_of(db, source))
        known = [value for value in values if (value.id_type, value.id.lower()) in now]
        return await _put(db, source, known, now, at_the_end)


async def _put(
    db: Database,
    source: str,
    values: Sequence[MetricValue],
    entities: Mapping[tuple[str, str], int],
    at_the_end: store.AtTheEnd | None,
) -> store.Written:
    """Which series there are is only certain under the lock of the values: until then each key has a number."""
    keys = [(v.metric.name, entities[v.id_type, v.id.lower()], v.exchange or None) for v in values]
    numbers: dict[Key, int] = {key: number for number, key in enumerate(dict.fromkeys(keys), 1)}
    batch = pa.RecordBatch.from_pydict(
        {
            "series_id": [numbers[key] for key in keys],
            "ts": [value.time for value in values],
            "value": [value.value for value in values],
            "known_at": [None] * len(values),
        },
        store.SCHEMAS["metric_value"],
    )
    metrics = _rows(source, (value.metric for value in values))
    make = partial(_make, source=source, metrics=metrics, keys=list(numbers))
    return await store.put(db, "metric_value", [batch], make=make, at_the_end=at_the_end)


async def _make(copy: Driver, source: str, metrics: Sequence[dict[str, Any]], keys: Sequence[Key]) -> Mapping[int, int]:
    """Metrics, exchanges and series that are not there yet. Returns the series of each key by its place, from 1."""
    columns = [[key[at] for key in keys] for at in range(3)]
    await copy.execute(sql("metrics", "make_metrics"), json.dumps(metrics))
    await copy.execute(sql("importing", "make_exchanges"), sorted({slug for *_, slug in keys if slug}))
    await copy.execute(sql("metrics", "make_series"), source, *columns)
    return {row["number"]: row["id"] for row in await copy.fetch(sql("metrics", "series"), source, *columns)}
