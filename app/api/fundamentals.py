"""Metrics of entities: what there is, the values of one asset, and the same metric as several sources tell it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Name, Names, Slugs, Window, WindowDep, lower
from app.api.fundamentals_rows import Compared, Fundamental, MetricRow
from app.api.known import known_exchanges, known_metrics, known_sources
from app.api.openapi import documented
from app.api.perps import STEPS, Asset
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.words import Text, split
from app.db import Database
from app.services import fundamentals
from app.services.entities import find_asset, find_assets
from app.services.fundamentals import Comparison, Values

router = APIRouter(route_class=RememberedRoute)
TAG = "Fundamentals"
DAYS = fundamentals.LOOK_BACK.days
LAST = "each value is the last whose window was over at `at`; a daily one less than a day old as known then"
OVER = f"{LAST}; `age_s` is how long before; an hour is at most {DAYS} days old"
RECENT = f"{LAST}; none is over {DAYS} days old"

Metrics = Annotated[Names, Query(description="Only these metrics, by their own or canonical name; list or repeated.")]
Wanted = Annotated[Annotated[list[Name], Field(min_length=1, max_length=50)], BeforeValidator(split)]
WantedParam = Annotated[Wanted, Query(description="Metrics by canonical name (or any source's); list or repeated.")]
Sources = Annotated[Slugs, Query(description="Only what these sources tell; comma list or repeated.")]
ExchangesParam = Annotated[Slugs, Query(description="Only values told of these exchanges; comma list or repeated.")]
AssetsParam = Annotated[Names, Query(description="Only these assets; default: all that several sources tell of.")]
Domain = Literal["fundamental", "trading", "derivative", "options"]
Domains = Annotated[list[Annotated[Domain, lower]] | None, BeforeValidator(split)]
DomainsParam = Annotated[Domains, Query(description="Only these domains; comma list or repeated.")]
Interval = Annotated[Literal["1h", "1d"], lower, Query(description="Length of the buckets that are compared.")]


def folded(words: list[str]) -> list[str]:
    """Names as statements compare them."""
    return [word.lower() for word in words]


@router.get("/metrics-catalog", **documented(MetricRow, tag="Reference"))
async def list_metrics(
    db: DatabaseDep,
    common: CommonDep,
    source: Sources = None,
    domain: DomainsParam = None,
    q: Annotated[Text | None, Query(description="Part of a name or of what it means, in any case.")] = None,
    metric: Metrics = None,
) -> Response:
    """Every metric that sources tell of entities: name, unit, the window a value stands for, and how much is stored."""
    await known_sources(db, source, "source")
    await known_metrics(db, metric)
    return await render(
        db, fundamentals.catalogue(source, domain, q, metric and folded(metric)), MetricRow, common, meta()
    )


@router.get("/fundamentals/{asset}", **documented(Fundamental, 404, 409, tag=TAG))
async def asset_fundamentals(
    db: DatabaseDep,
    common: CommonDep,
    asset: Asset,
    window: WindowDep,
    metric: Metrics = None,
    source: Sources = None,
    exchange: ExchangesParam = None,
) -> Response:
    """Values of an asset's metrics, daily and hourly, as each source tells them.

    Where a source tells a metric of each perpetual, there is a row for each. With `at`: the last value of each whose
    window was over by then; a daily one less than a day old as it was known at `at`.
    """
    entity = await find_asset(db, asset)
    await known_metrics(db, metric)
    await known_sources(db, source, "source")
    await known_exchanges(db, exchange, "exchange")
    values = Values(entity.id, metric and folded(metric), source, exchange, window.known_at)
    if window.at is None:
        query, notices = fundamentals.history(values, window.start, window.end), ()
    else:
        query, notices = fundamentals.at(values, window.at), (OVER,)

    async def why() -> str:
        return await fundamentals.why_empty(db, values, window.end)

    return await render(db, query, Fundamental, common, meta(window, notices=notices), why_empty=why)


@router.get("/compare", **documented(Compared, 404, 409, tag=TAG))
async def compare(
    db: DatabaseDep,
    common: CommonDep,
    window: WindowDep,
    metric: WantedParam,
    assets: AssetsParam = None,
    sources: Sources = None,
    interval: Interval = "1d",
) -> Response:
    """The same metric of assets as several sources tell it, with the median over sources and how far each is from it.

    Only values of one unit and one window are compared. Of each source the last value in a bucket counts. What adds
    up (open interest, volumes) is summed first, over exchanges whose values are at most 2 hours older than the newest:
    `stale` names the others. What does not add up is shown by exchange, and not compared.
    """
    comparison = await _comparison(db, window, metric, assets, sources)
    notices = await fundamentals.terms(db, comparison.metrics, sources)
    if window.at is None:
        query = fundamentals.compare(comparison, window.start, window.end, STEPS[interval])
    else:
        query, notices = fundamentals.compare_at(comparison, window.at), [*notices, RECENT]

    async def why() -> str:
        return f"no rows: none of these sources tells {', '.join(comparison.metrics)} of these assets in this window"

    return await render(db, query, Compared, common, meta(window, notices=notices), why_empty=why)


async def _comparison(
    db: Database, window: Window, metric: list[str], assets: list[str] | None, sources: list[str] | None
) -> Comparison:
    await known_metrics(db, metric)
    await known_sources(db, sources, "sources")
    metrics = await fundamentals.canonical(db, folded(metric))
    return Comparison(metrics, await find_assets(db, assets), sources, window.known_at)
