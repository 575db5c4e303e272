"""Where the records of a dataset go: read from what is listed and what that is mapped to."""

from collections.abc import Iterable, Mapping

from app.db import Database
from app.ingest.keep import Places
from app.ingest.spec import Source
from app.records import Instrument, Kind
from app.services import products, reference, source_assets
from app.services.products import Listed


async def of_contracts(
    db: Database, source: Source, dataset: str | None = None, *, expired: bool = True
) -> tuple[Mapping[str, Instrument], Places]:
    """The contracts of an exchange, and the series of those that a dataset is of (None: of all it tells).

    Who has expired and is gone is only among them if it is wanted.
    """
    known = await listed(db, source, dataset, expired=expired)
    return known, Places(await reference.series_of(db, source.id, source.id, source.kinds(dataset), expired=expired))


async def listed(
    db: Database, source: Source, dataset: str | None = None, *, expired: bool = False
) -> Mapping[str, Instrument]:
    """The contracts of an exchange that a dataset is of (None: anything it tells), by native symbol; futures anyway."""
    kinds: set[Kind] = {"perp", "future", *source.kinds(dataset)}
    return await reference.instruments(db, source.id, kinds, expired=expired)


async def of_entities(db: Database, source: str) -> Places:
    """Which entity each thing is that a source tells of."""
    return Places(entities=source_assets.one_each(await source_assets.entities_of(db, source)))


async def of_hours(db: Database, source: str, listed: Iterable[Listed] | None = None) -> Places:
    """The series of every perpetual a source lists, and the entities of its coins for columns nobody expected."""
    known = await products.listed(db, source) if listed is None else listed
    hours = {(one.exchange, one.symbol): one.series for one in known}
    return Places(hours=hours, entities=(await of_entities(db, source)).entities)
