"""Values of metrics while their entities merge, and imports taken back after that: nothing is lost, nothing stays."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pyarrow as pa
import pytest

from app.db import Database, driver, writing
from app.records import MetricValue
from app.services import batches, entity_edit, entity_merge, merge, metrics
from app.services.batches import Writer
from app.services.entity_edit import SourceId
from app.services.importing import import_rows, options
from app.services.source_assets import entities_of, one_each
from tests.db.facts import DAY, at
from tests.db.metrics import TVL, in_catalogue

KEY = Writer("desk", "api", "a body")
EARLY, LATER = DAY + timedelta(days=10), datetime(2100, 1, 1, tzinfo=UTC)
Told = tuple[float, float, datetime | None]
"""Hours after the start of the test day, value, and when a pull knew it; None: an import tells it."""


async def entity(db: Database, name: str) -> int:
    """An entity that a source calls by the same name."""
    made = await entity_edit.create(db, name, name.capitalize(), name.upper(), "token", None)
    await entity_edit.map_source_id(db, made, SourceId("lister", name, "slug"))
    return made


async def pull(db: Database, entities: Mapping[tuple[str, str], int], told: Mapping[str, float]) -> int:
    """Tell a value of each id; returns how many were inserted."""
    values = [MetricValue(TVL, "slug", name, at(0), value) for name, value in told.items()]
    return (await metrics.put_values(db, "lister", values, entities)).inserted


async def imported(db: Database, told: Sequence[tuple[str, float, float]]) -> int:
    """An import of values: id of the entity, hours after the start of the test day, value. Returns its number."""
    rows = [{"time": at(hour).isoformat(), "asset": name, "metric": "TVL", "value": v} for name, hour, v in told]
    read = replace(options("fundamentals", source="lister"), writer=KEY)
    return (await import_rows(db, "fundamentals", [pa.RecordBatch.from_pylist(rows)], read)).imports[0]


async def values(db: Database) -> list[tuple[object, ...]]:
    """Canonical id and value of every value; None of whom nobody knows."""
    rows = await db.reads.fetch(
        """select e.canonical_id, v.value from metric_value v left join metric_series s on s.id = v.series_id
        left join entity e on e.id = s.entity_id order by 1, 2"""
    )
    return [tuple(row) for row in rows]


async def waiting(db: Database, many: int) -> None:
    """Until so many wait for a lock."""
    here = """select count(*) from pg_locks l join pg_database d on d.oid = l.database
        where not l.granted and d.datname = current_database()"""
    async with asyncio.timeout(10):
        while await db.reads.fetchval(here) < many:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)


async def beside(db: Database, first: Coroutine[Any, Any, object], then: Coroutine[Any, Any, int]) -> int:
    """What `then` returns that has begun while `first` is at work, and has to wait for it."""
    async with asyncio.TaskGroup() as tasks, writing(db) as connection:
        await merge.lock(await driver(connection), "metric_value")
        tasks.create_task(first)
        await waiting(db, 1)
        done = tasks.create_task(then)
        await waiting(db, 2)
    return await done


@pytest.mark.parametrize("stored", [("t-gone", "t-into"), ("t-gone",), ("t-into",), ()])
async def test_values_told_while_their_entity_is_merged(clean_database: Database, stored: tuple[str, ...]) -> None:
    """Into a series that joins another, one that moves, and one that is not there yet."""
    db = clean_database
    gone, into = await entity(db, "t-gone"), await entity(db, "t-into")
    entities = await entities_of(db, "lister")
    await in_catalogue(db, "lister", TVL)
    for name in stored:
        await imported(db, [(name, 8, 1.0)])
    told = pull(db, entities, {"t-gone": 5.0})
    assert await beside(db, entity_merge.merge(db, gone, into), told) == 1
    assert await values(db) == [*(("t-into", 1.0) for _ in stored[:1]), ("t-into", 5.0)]


async def test_values_told_while_their_series_is_taken_back(clean_database: Database) -> None:
    db = clean_database
    await entity(db, "t-only")
    number = await imported(db, [("t-only", 8, 1.0)])
    told = pull(db, await entities_of(db, "lister"), {"t-only": 5.0})
    assert await beside(db, batches.take_back(db, number), told) == 1
    assert await values(db) == [("t-only", 5.0)]


async def test_of_two_ids_that_became_one_entitys_the_shortest_counts(clean_database: Database) -> None:
    db = clean_database
    gone, into = await entity(db, "t-coin-v3"), await entity(db, "t-coin")
    entities = one_each(await entities_of(db, "lister"))
    await entity_merge.merge(db, gone, into)
    assert await pull(db, entities, {"t-coin": 5.0, "t-coin-v3": 7.0}) == 1
    assert await values(db) == [("t-coin", 5.0)]


async def test_values_that_are_not_stored_make_nothing(clean_database: Database) -> None:
    db = clean_database
    await entity(db, "t-only")

    async def fail(_: object, __: object) -> None:
        raise asyncpg.ForeignKeyViolationError

    told = [MetricValue(TVL, "slug", "t-only", at(0), 5.0, "t-nobody-lists")]
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await metrics.put_values(db, "lister", told, await entities_of(db, "lister"), fail)
    for table in ("metric", "metric_series", "metric_value", "exchange where slug = 't-nobody-lists'"):
        assert await db.reads.fetchval(f"select count(*) from {table}") == 0


async def pulled(db: Database, name: str, told: Sequence[Told]) -> None:
    """A new entity with the values of these that pulls told, and when."""
    made = await entity(db, name)
    for hour, value, known in (one for one in told if one[2]):
        await db.reads.execute(
            "insert into metric_series (metric_id, entity_id) select id, $1 from metric on conflict do nothing", made
        )
        await db.reads.execute(
            """insert into metric_value (series_id, ts, value, known_at)
            select id, $2, $3, $4 from metric_series where entity_id = $1""",
            *(made, at(hour), value, known),
        )


async def history(db: Database, name: str) -> list[tuple[object, ...]]:
    """Every version of the values of an entity: when it was known, until when, and who told it."""
    rows = await db.reads.fetch(
        """with mine as (
          select s.id from metric_series s join entity e on e.id = s.entity_id where e.canonical_id = $1
        )
        select ts, value::text as value, known_at, null as until, batch_id, false as repeats from metric_value
        where series_id in (select id from mine)
        union all select ts, said->>'value', known_at, replaced_at, batch_id, repeats from revision
        where fact = 'metric_value' and series_id in (select id from mine)
        order by ts, known_at, until""",
        name,
    )
    return [tuple(row) for row in rows]


SIDES = [
    (((0, 1.0, None), (8, 2.0, None)), ((8, 3.0, None), (16, 4.0, None))),
    (((0, 1.0, EARLY), (8, 2.0, None)), ((8, 3.0, EARLY), (0, 4.0, None))),
    (((0, 1.0, None), (8, 2.0, None)), ((0, 1.0, EARLY), (8, 2.0, EARLY))),
    (((0, 1.0, EARLY), (8, 2.0, EARLY)), ((0, 1.0, None), (8, 2.0, None))),
    (((0, 1.0, LATER), (8, 2.0, LATER)), ((0, 1.0, None), (8, 3.0, None))),
    (((0, 1.0, None),), ((8, 2.0, EARLY),)),
    (((0, 1.0, None), (8, 2.0, None)), ((0, 1.0, None), (8, 3.0, None))),
]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("of_gone", "of_into"), SIDES)
async def test_an_import_taken_back_after_a_merge_never_was(
    clean_database: Database, of_gone: Sequence[Told], of_into: Sequence[Told], together: bool
) -> None:
    """The same pulls merged alike, without imports and with those of both entities."""
    db = clean_database
    await in_catalogue(db, "lister", TVL)
    sides = {"t-plain-gone": of_gone, "t-plain-into": of_into, "t-gone": of_gone, "t-into": of_into}
    for name, told in sides.items():
        await pulled(db, name, told)
    brought = [[(n, hour, v) for hour, v, known in sides[n] if not known] for n in ("t-gone", "t-into")]
    brought = [[*brought[0], *brought[1]]] if together else brought
    numbers = [await imported(db, told) for told in brought if told]
    ids = {name: id for (_, name), id in (await entities_of(db, "lister")).items()}
    await entity_merge.merge(db, ids["t-plain-gone"], ids["t-plain-into"])
    await entity_merge.merge(db, ids["t-gone"], ids["t-into"])
    for number in numbers:
        await batches.take_back(db, number)

    assert await history(db, "t-into") == await history(db, "t-plain-into")
    pulls = {(hour, name.startswith("t-plain")) for name, told in sides.items() for hour, _, known in told if known}
    assert await db.reads.fetchval("select count(*) from metric_value") == len(pulls)
    assert await db.reads.fetchval("select count(*) from metric_series") == 2 * bool(pulls)
    made = "select count(*) from import_made where kind = 'metric_series'"
    assert await db.reads.fetchval(f"{made} and made_id not in (select id from metric_series)") == 0
