"""What routes about perpetuals share: which asset, which of its contracts, and the grid a series is asked on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Path, Query

from app.api.deps import DatabaseDep, Name, Slug, Slugs, Window, lower
from app.api.known import known_exchanges, known_source
from app.api.paging import Common
from app.api.words import DURATION_PATTERN
from app.db import Database
from app.services import coverage
from app.services.entities import Entity, find_asset
from app.services.perps import Perps

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
MINUTE = timedelta(minutes=1)
STEPS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": 60 * MINUTE,
    "4h": 240 * MINUTE,
    "8h": 480 * MINUTE,
    "1d": 1440 * MINUTE,
}

Asset = Annotated[Name, Path(description="Canonical id, symbol or any source's id of an entity, in any case.")]
Exchanges = Annotated[Slugs, Query(description="Only these exchanges; comma list or repeated.")]
MarginParam = Annotated[
    Literal["stable", "coin", "all"], lower, Query(description="Only stable- or only coin-margined contracts.")
]
SourceParam = Annotated[Slug | None, Query(description="Only what this source tells; default: the preferred one.")]
Duration = Annotated[str, Query(pattern=DURATION_PATTERN)]
"""A length of time in words such as 30m or 2h; a bare number is seconds."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Asked:
    """The asset a question names and which of its perpetuals it is about (`known_at` comes with the window)."""

    asset: Entity
    exchanges: tuple[str, ...] | None
    margin: Literal["stable", "coin"] | None
    source: str | None

    def perps(self, window: Window) -> Perps:
        """The same as the services take it."""
        return Perps(self.asset.id, self.exchanges, self.margin, self.source, window.known_at)


def only(names: list[str] | None) -> tuple[str, ...] | None:
    """A list of names as statements take it; None does not narrow."""
    return tuple(names) if names else None


async def asked(
    db: DatabaseDep, asset: Asset, exchanges: Exchanges = None, margin: MarginParam = "all", source: SourceParam = None
) -> Asked:
    """Find the asset. Raises what becomes 404 with the nearest names, or 409 with the candidates."""
    return await found(db, asset, exchanges, margin, source)


async def found(
    db: Database,
    asset: str,
    exchanges: list[str] | None,
    margin: Literal["stable", "coin", "all"],
    source: str | None,
    *,
    parameter: str = "exchanges",
) -> Asked:
    """The same, where exchanges are named by another parameter."""
    entity = await find_asset(db, asset)
    await known_exchanges(db, exchanges, parameter)
    await known_source(db, source)
    return Asked(entity, only(exchanges), None if margin == "all" else margin, source)


AskedDep = Annotated[Asked, Depends(asked)]


def duration(text: str) -> timedelta:
    """`2h` → two hours; ten years at the most."""
    unit = UNITS.get(text[-1], "seconds")
    return min(timedelta(**{unit: int(text.rstrip("smhd"))}), LONGEST)


@dataclass(frozen=True, slots=True)
class Grid:
    """The instants of a page: from `first` to `last` every `step`, none where `last` lies before `first`."""

    first: datetime
    last: datetime
    step: timedelta


def grid(window: Window, step: timedelta, common: Common, *, dense: bool = True) -> Grid:
    """The instants aligned to UTC midnight within the window, or the one asked for.

    Where there is exactly one row an instant (`dense`), a page of JSON needs no more of them than it has rows (and
    one, to see whether there is a next page).
    """
    if window.at is not None:
        return Grid(window.at, window.at, step)
    first = EPOCH + -((EPOCH - window.start) // step) * step
    last = EPOCH + -((EPOCH - window.end) // step) * step - step
    if not dense or common.form not in ("json", "columns"):
        return Grid(first, last, step)
    return _page(Grid(first, last, step), common)


def _page(whole: Grid, common: Common) -> Grid:
    span = (common.limit + 1) * whole.step
    reached = common.cursor.key[0] if common.cursor else None
    at = None if not isinstance(reached, int) else EPOCH + timedelta(microseconds=reached)
    if common.order == "asc":
        first = max(whole.first, at or whole.first)
        return Grid(first, min(whole.last, first + span), whole.step)
    last = min(whole.last, at or whole.last)
    return Grid(max(whole.first, last - span), last, whole.step)


async def joined(db: Database, asked: Asked, window: Window) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Exchanges an answer over all of them may be made of; and a notice where there are none."""
    found = await coverage.exchanges(db, asked.perps(window))
    return found, (() if found else ("no perpetual of this asset is known with these filters",))


async def why_empty(db: Database, dataset: coverage.Dataset, asked: Asked, window: Window) -> str:
    """Why there are no rows: said in the answer, since an empty list alone says nothing."""
    return await coverage.why_empty(db, dataset, asked.perps(window), window.start, window.end)
