"""Datasets whose fields only the database knows: the columns that users added to minutes."""

from dataclasses import replace

from app.db import Database, driver, writing
from app.services import merge
from app.services.importing.datasets import Dataset, Field, Kind
from app.services.importing.options import Options, check_names, dataset_named

OWN = Field(Kind.NUMBER, "Of a perpspec of your own: any number. One with `_base` in its name counts coins.")


async def dataset_of(db: Database, name: str, options: Options) -> Dataset:
    """The dataset of this name with all fields it has now. Raises BadOption where `options` name others."""
    dataset = dataset_named(name)
    if not dataset.open:
        return dataset
    async with writing(db) as connection:
        added = await merge.added(await driver(connection))
    dataset = replace(dataset, fields={**dataset.fields, **dict.fromkeys(added, OWN)})
    check_names(dataset, options)
    return dataset
