"""The ledger of missing rows: which stretch of which series, why, and what is done about it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.db import Database, driver, writing
from app.services.queries import sql

Reason = Literal["outage", "upstream_keeps_no_more", "not_listed", "not_fetched_yet"]
State = Literal["open", "repairing", "repaired", "unfillable"]


@dataclass(frozen=True, slots=True)
class Hole:
    """Rows of a dataset that a series lacks in `[first, last)`. `dataset`: `candles_1m`, `long_short` and so on."""

    series_id: int
    dataset: str
    first: datetime
    last: datetime
    reason: Reason = "outage"


async def note(db: Database, holes: Collection[Hole]) -> None:
    """Enter holes as open gaps; one that begins where a known gap does makes that longer."""
    if not holes:
        return
    columns = ([getattr(hole, name) for hole in holes] for name in ("series_id", "dataset", "first", "last", "reason"))
    async with writing(db) as connection:
        await (await driver(connection)).execute(sql("gaps", "note"), *columns)
