"""Two entities that are one: everything of the one becomes the other's, and nothing is lost."""

from dataclasses import dataclass

from app.db import Database, Driver, driver, writing
from app.services import merge as facts
from app.services import rollup
from app.services.entities import UnknownName
from app.services.entity_match import COINS
from app.services.queries import sql
from app.services.source_assets import lock

WRITTEN = tuple(sorted({*rollup.FACTS, "metric_value"}))
STEPS = (
    "keep_names", "pin_contracts", "pin_listed", "source_ids", "source_assets", "instruments", "import_spans",
    "import_made",
)  # fmt: skip


class SameEntity(Exception):
    """An entity cannot be merged into itself."""


class DifferentKinds(Exception):
    """A coin is no share and no index."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How much moved. `metric_values`: into series that were there; `revisions`: of them, what was told otherwise."""

    source_ids: int
    instruments: int
    source_assets: int
    metric_series: int
    metric_values: int
    revisions: int


async def merge(db: Database, gone: int, into: int, *, force: bool = False) -> Moved:
    """Make everything of the entity `gone` the entity `into`'s, and drop it; its names go on to mean `into`.

    A metric both have keeps the values of `into` where both tell one time; the others are kept as earlier versions,
    known until `into` first had a value. Rollups are due again. Raises SameEntity, DifferentKinds (a coin and a share,
    unless `force`), and UnknownName where one is gone; then nothing has changed.
    """
    if gone == into:
        raise SameEntity
    async with writing(db) as connection:
        copy = await driver(connection)
        await _alone(copy, gone, into, force)
        done = {step: await _count(copy, step, gone, into) for step in STEPS}
        values = await copy.fetchrow(sql("entity_merge", "metric_values"), gone, into)
        assert values is not None  # noqa: S101 - counts are always one row
        series = await _count(copy, "joined_series", gone, into) + await _count(copy, "metric_series", gone, into)
        await copy.execute(sql("entity_merge", "rollup_due"), gone, into)
        await _drop(copy, gone)
    return Moved(
        done["source_ids"], done["instruments"], done["source_assets"], series, values["moved"], values["revisions"]
    )


async def _count(copy: Driver, step: str, gone: int, into: int) -> int:
    """Do one step; returns how many rows it changed."""
    return int((await copy.execute(sql("entity_merge", step), gone, into)).split()[-1])


async def _drop(copy: Driver, gone: int) -> None:
    await copy.execute("delete from coin_1h where entity_id = $1", gone)
    await copy.execute("delete from coin_1h_ready where entity_id = $1", gone)
    await copy.execute("delete from entity where id = $1", gone)


async def _alone(copy: Driver, gone: int, into: int, force: bool) -> None:
    """Wait for writers of facts and for the rollups, then keep all of them from both entities until the end."""
    for fact in WRITTEN:
        await facts.lock(copy, fact)
    await lock(copy)
    await copy.execute(
        "select from coin_1h_ready where entity_id = any($1::int[]) order by entity_id for update", [gone, into]
    )
    found = await copy.fetch(
        "select id, type from entity where id = any($1::int[]) order by id for update", [gone, into]
    )
    if len(found) < 2:
        raise UnknownName(str(gone), ())
    kinds = {"coin" if row["type"] in COINS else row["type"] for row in found}
    if len(kinds) > 1 and not force:
        raise DifferentKinds
