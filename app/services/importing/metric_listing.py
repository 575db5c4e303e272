"""The catalogue of metrics against the database: read once, looked up in memory, and what is new written at the end."""

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from app.db import Database, driver, writing
from app.services.importing.book import Named, Refusal
from app.services.importing.identity import Directory
from app.services.importing.making import Making
from app.services.importing.metric_book import Known, Measured, MetricBook
from app.services.queries import sql

Place = tuple[int, float] | Refusal
CATALOGUE = "select source, name, canonical, unit, signed, id as key from metric order by id"


async def places(db: Database, directory: Directory, named: Sequence[Named]) -> list[Place]:
    """For the words of each row the series of its values, or why it is refused."""
    if not directory.metrics.known:
        directory.metrics = await _load(db)
    placed = [_place(directory, words) for words in named]
    unknown = {id(found): found for found in placed if isinstance(found, Measured) and found.series is None}
    await _find(db, list(unknown.values()))
    await _reserve(db, directory, [found for found in unknown.values() if found.series is None])
    return [found if isinstance(found, Refusal) else (found.series or 0, 1.0) for found in placed]


async def _load(db: Database) -> MetricBook:
    book = MetricBook()
    for row in await db.reads.fetch(CATALOGUE):
        book.add(Known(**dict(row)))
    return book


def _place(directory: Directory, named: Named) -> Measured | Refusal:
    try:
        return directory.measure(named)
    except Refusal as refusal:
        return refusal


async def _find(db: Database, wanted: Sequence[Measured]) -> None:
    """The series that are stored."""
    stored = {(m.metric.key, m.entity, m.exchange): m for m in wanted if m.metric.key is not None and m.entity >= 0}
    if not stored:
        return
    async with writing(db) as connection:
        rows = await (await driver(connection)).fetch(sql("importing", "metric_series"), *_columns(stored, 3))
    for row in rows:
        stored[row["metric_id"], row["entity_id"], row["exchange"]].series = row["id"]


async def _reserve(db: Database, directory: Directory, missing: Sequence[Measured]) -> None:
    """Ids for series that are not there: taken from the sequence now, used when the values are stored."""
    if not missing:
        return
    async with writing(db) as connection:
        ids = await (await driver(connection)).fetch(sql("importing", "reserve_metric_series"), len(missing))
    for row, measured in zip(ids, missing, strict=True):
        measured.series = row["id"]
    directory.metrics.new_series.extend(missing)


async def make(making: Making, directory: Directory) -> Mapping[int, int]:
    """Write what is new, in the caller's transaction; entities and exchanges are there by now.

    Returns reserved series that another writer made meanwhile.
    """
    new = ((m.source, m.name, m.canonical, m.unit, m.signed) for m in directory.metrics.new)
    await making.made("metric", "make_metrics", *_columns(new, 5))
    series = directory.metrics.new_series
    rows = [(m.series, m.metric.source, m.metric.name, *directory.stored(m.entity), m.exchange) for m in series]
    await making.made("metric_series", "make_metric_series", *_columns(rows, 6))
    taken: list[asyncpg.Record] = await making.copy.fetch(sql("importing", "metric_series_taken"), *_columns(rows, 6))
    return {row["reserved"]: row["id"] for row in taken}


def _columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as one list a column, for `unnest`."""
    listed = list(rows)
    return [[row[at] for row in listed] for at in range(width)]
