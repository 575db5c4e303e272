"""How far what was told of settlements to come was from what was paid."""

from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, PeriodDep
from app.api.funding_asking import PER_HOURS, Per
from app.api.funding_rows import PredictionError
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import AskedDep, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.words import split
from app.services import predictions

router = APIRouter(route_class=RememberedRoute)

EDGES = (0.0, 5.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0)
Minutes = Annotated[float, Field(ge=0, le=1440)]


def _ascending(edges: list[float] | None) -> list[float] | None:
    if edges is not None and not (len(edges) > 1 and all(first < last for first, last in pairwise(edges))):
        raise ValueError("ascending minutes expected, two or more")
    return edges


BucketsParam = Annotated[
    Annotated[list[Minutes], Field(max_length=100)] | None,
    BeforeValidator(split),
    AfterValidator(_ascending),
    Query(
        description="Edges of the spans, in ascending minutes before settlement; default 0,5,15,30,60,120,240,480. "
        "The lower edge of a span belongs to it, the upper does not."
    ),
]


@router.get("/funding/{asset}/prediction-error", **documented(PredictionError, 404, 409, 410, tag="Funding"))
async def prediction_error(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: PeriodDep,
    per: Per = "8h",
    buckets: BucketsParam = None,
) -> Response:
    """How far estimates were from what was paid at the settlements in `[start, end)`, by minutes before settlement.

    Each source by itself; what was paid is as the preferred source of that settlement tells it. An estimate that does
    not say what it is for counts for the settlement whose interval it was told in. One of which nothing tells of what
    interval it was has no error and is counted by itself, in `without_interval`. With `known_at`: estimates and
    settlements as they were stored by then.
    """
    edges = tuple(buckets) if buckets else EDGES
    query = predictions.errors(asked.perps(window), window.start, window.end, PER_HOURS[per], edges)

    async def why() -> str:
        return await why_empty(db, "predicted_funding", asked, window)

    shown, reason = await kept(db, "predicted_funding", window, why, None)
    return await render(db, query, PredictionError, common, meta(shown, per=per, kind="predicted"), why_empty=reason)
