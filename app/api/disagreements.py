"""Two sources of one fact that differ."""

from collections.abc import Container
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Query
from pydantic import BeforeValidator
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Names, PeriodDep, Slugs, lower
from app.api.known import known_exchanges, known_sources
from app.api.openapi import documented
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.api.words import split
from app.db import Database
from app.services import disagreements
from app.services.disagreements import TOLERANCES, Dataset, Scope, Tolerance
from app.services.entities import find_assets

router = APIRouter(route_class=RememberedRoute)

UNIT = "as `unit` says"
Datasets = Annotated[list[Annotated[Dataset, lower]] | None, BeforeValidator(split)]


class Disagreement(Row):
    """Two values of one fact of one contract that differ by more than the tolerance."""

    keys: ClassVar[tuple[str, ...]] = ("time", "dataset", "exchange", "instrument", "field", "source", "other_source")

    time: OutTime = column("When it settled, the hour opened, or the other source took its sample.")
    dataset: Literal["funding", "predicted", "open-interest", "candles"] = column("Which dataset.")
    asset: str | None = column("What the contract is on; null: not known for sure.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    field: str = column("Which field: rate, oi_usd, oi_base or close.")
    source: str = column("The source that is preferred of the two: answers are from it.")
    value: float = column("What it says.", UNIT)
    other_source: str = column("The other source.")
    other_value: float = column("What that says.", UNIT)
    difference: float = column("other_value − value.", UNIT)
    relative_difference: float = column("|difference| ÷ the greater of |value| and |other_value|.", "fraction, 0 to 2")
    unit: str = column("Unit of the values.")
    tolerance: float = column("Relative difference beyond which this dataset is listed.", "fraction")


@router.get("/quality/disagreements", **documented(Disagreement, 404, 409, tag="Quality"))
async def list_disagreements(
    db: DatabaseDep,
    common: CommonDep,
    window: PeriodDep,
    dataset: Annotated[Datasets, Query(description="Only these datasets; comma list or repeated.")] = None,
    asset: Annotated[Names, Query(description="Only of these assets; comma list or repeated.")] = None,
    exchange: Annotated[Slugs, Query(description="Only of these exchanges; comma list or repeated.")] = None,
    source: Annotated[Slugs, Query(description="Only where either source is one of these.")] = None,
    tolerance: Annotated[
        float | None,
        Query(ge=0, le=2, description="Relative difference beyond which to list, instead of the defaults."),
    ] = None,
) -> Response:
    """Where two sources of one fact differ by more than a tolerance: of funding and estimates per 8 hours.

    Settlements and closes of hours are compared at the same time. Of estimates and open interest the last sample of
    the other source in each hour is held against the nearest of the preferred one, at most 10 minutes from it; a
    notice says how many estimates cannot be compared, since nothing told of which interval they were.
    """
    await known_exchanges(db, exchange, "exchange")
    await known_sources(db, source, "source")
    tolerances: dict[Dataset, Tolerance] = {name: _allowed(name, tolerance) for name in dataset or TOLERANCES}
    entities = await find_assets(db, asset)
    scope = Scope(window.start, window.end, entities, exchange, source, window.known_at)
    notices = [_stated(tolerances), *await _left_out(db, scope, tolerances)]
    query = disagreements.disagreements(tolerances, scope)
    return await render(db, query, Disagreement, common, meta(window, notices=notices))


def _allowed(dataset: Dataset, asked: float | None) -> Tolerance:
    return TOLERANCES[dataset] if asked is None else Tolerance(asked)


async def _left_out(db: Database, scope: Scope, datasets: Container[Dataset]) -> list[str]:
    count = await disagreements.without_interval(db, scope) if "predicted" in datasets else 0
    return [f"{count} estimates are not compared: nothing told of which interval they were"] if count else []


def _stated(tolerances: dict[Dataset, Tolerance]) -> str:
    """The tolerances in words."""
    each = (
        f"{name} {allowed.relative:g}" + (f" and {allowed.least:g} per 8 hours" if allowed.least else "")
        for name, allowed in tolerances.items()
    )
    return f"listed beyond a relative difference of: {', '.join(each)}"
