"""Funding: the market now, an asset over time or at an instant, its weighted mean, and carry."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, InstantDep, PeriodDep, Window, WindowDep, lower
from app.api.errors import bad_value
from app.api.funding_asking import (
    OF_SETTLED,
    PER_HOURS,
    Assets,
    Detail,
    Interval,
    KindParam,
    MaxAge,
    MinCoverage,
    Per,
    Weighted,
    asked_mean,
    only_of_means,
)
from app.api.funding_rows import (
    Carry,
    DetailedFunding,
    LatestFunding,
    MarketFunding,
    MeanFunding,
    Prediction,
    Settlement,
    WeightedFunding,
)
from app.api.kept import kept
from app.api.known import known_exchanges
from app.api.openapi import documented
from app.api.perps import (
    EPOCH,
    STEPS,
    Asked,
    AskedDep,
    Exchanges,
    MarginParam,
    grid,
    joined,
    only,
    why_empty,
)
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.times import stamp
from app.services import coverage, funding, predictions, venues
from app.services.entities import find_assets
from app.services.funding import Mean

router = APIRouter(route_class=RememberedRoute)

OTHERS = (MeanFunding, Prediction, WeightedFunding, DetailedFunding)
NO_SETTLEMENTS = "no rows: {0} tells rates as they stand, not settlements: ask for kind=predicted&source={0}"
ESTIMATES = ("perp_1h", "perp_snapshot", "predicted_funding")


@router.get("/funding", **documented(LatestFunding, 404, 409, tag="Funding", others=(MarketFunding,)))
async def funding_now(
    db: DatabaseDep,
    common: CommonDep,
    moment: InstantDep,
    assets: Assets = None,
    exchanges: Exchanges = None,
    margin: MarginParam = "all",
    per: Per = "8h",
    weighted: Weighted = None,
    max_age: MaxAge = None,
    min_coverage: MinCoverage = None,
) -> Response:
    """The newest settled rate of every perpetual, with what is predicted next; or of every asset their weighted mean.

    With `at`: the rate in force at that instant. A rate is in force for 1.5 of its intervals; without `at` older ones
    are shown too, their age says so. In the order of asset, exchange and instrument: without `at` a page shows what is
    newest when it is asked for, and each perpetual comes once whatever settles between two pages.

    With `weighted`: one row an asset, what `/funding/{asset}` gives with the same `weighted` and this instant as `at`.
    """
    await known_exchanges(db, exchanges)
    margined = None if margin == "all" else margin
    narrow = (await find_assets(db, assets), only(exchanges), margined, PER_HOURS[per])
    if weighted is not None:
        mean = asked_mean(weighted, per, max_age, min_coverage)
        asked = (*narrow[:3], moment.at or moment.now, moment.known_at)

        async def why() -> str:
            return await coverage.why_no_market(db, *asked)

        facts = meta(moment, per=per, kind="settled")
        return await render(db, funding.market(*asked, mean), MarketFunding, common, facts, why_empty=why)
    only_of_means(max_age=max_age, min_coverage=min_coverage)
    if moment.at is None and (moment.known_at is None or moment.pinned):  # what is newest has no history
        query = funding.snapshot(*narrow)
    else:
        query = funding.snapshot_at(*narrow, moment.at or moment.now, moment.known_at)
    return await render(db, query, LatestFunding, common, meta(moment, per=per, kind="settled"))


@router.get("/funding/{asset}", **documented(Settlement, 404, 409, 410, tag="Funding", others=OTHERS))
async def asset_funding(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    per: Per = "8h",
    kind: KindParam = "settled",
    weighted: Weighted = None,
    interval: Interval = None,
    max_age: MaxAge = None,
    min_coverage: MinCoverage = None,
    detail: Detail = None,
) -> Response:
    """Funding of an asset on every exchange: settlements, samples, or one weighted mean.

    `weighted=oi` gives, at every instant of a grid, the mean of the rates in force then, weighted by open interest in
    USD, with the exchanges that are present, stale or missing. With `at`: what was in force at that instant, and
    nothing that happened later. `kind=predicted` gives estimates as they were told, each with what that settlement
    paid once it has; of a source that is not the preferred one only where that told none in the hour before.
    `interval=1d` without `weighted` gives, of each contract, the mean of what settled in each bucket of UTC that begins
    in the window; as candles are, the last is whole, also where it ends after `end`, which `meta.notices` says.
    """
    if weighted is None:
        only_of_means(max_age=max_age, min_coverage=min_coverage, detail=detail)
    if weighted is None and interval is not None:
        return await _means(db, common, asked, window, per, kind, interval)
    if weighted is None:
        return await _rates(db, common, asked, window, per, kind)
    if kind == "predicted":
        raise bad_value("kind", kind, OF_SETTLED)
    mean = asked_mean(weighted, per, max_age, min_coverage)
    mean = replace(mean, step=STEPS[interval or "1h"], contributors=detail is not None, then=window.at is not None)
    return await _mean(db, common, asked, window, per, mean)


async def _rates(
    db: DatabaseDep, common: CommonDep, asked: Asked, window: Window, per: str, kind: Literal["settled", "predicted"]
) -> Response:
    row = Settlement if kind == "settled" else Prediction
    perps, hours = asked.perps(window), PER_HOURS[per]
    told = funding if kind == "settled" else predictions
    without = () if kind == "settled" else await venues.left_out(db, perps)
    if window.at is not None:
        query = told.at(perps, window.at, hours)
    elif kind == "settled":
        query = funding.history(perps, window.start, window.end, hours)
    else:
        newest_first = common.order == "desc"
        query = predictions.history(perps, window.start, window.end, hours, newest_first=newest_first)

    async def why() -> str:
        if kind == "predicted":
            return await why_empty(db, "predicted_funding", asked, window)
        estimates = asked.source and _only_estimates(common.request, asked.source)
        if asked.source and (estimates or await predictions.tells(db, asked.asset.id, asked.source)):
            return NO_SETTLEMENTS.format(asked.source)
        return await why_empty(db, "funding", asked, window)

    shown, reason = await kept(db, "predicted_funding", window, why, None) if kind == "predicted" else (window, why)
    return await render(db, query, row, common, meta(shown, per=per, kind=kind, notices=without), why_empty=reason)


async def _means(
    db: DatabaseDep, common: CommonDep, asked: Asked, window: Window, per: str, kind: str, interval: str
) -> Response:
    hours = PER_HOURS[per]
    if hours is None or kind == "predicted":
        name, value = ("per", per) if hours is None else ("kind", kind)
        raise bad_value(name, value, OF_SETTLED)
    if window.at is not None:
        raise bad_value("interval", interval, "means are of a window: start and end; at an instant a rate is in force")
    query = funding.means(asked.perps(window), window.start, window.end, hours, STEPS[interval])

    async def why() -> str:
        return await why_empty(db, "funding", asked, window)

    facts = meta(window, per=per, kind="settled", notices=_past_end(window, STEPS[interval]))
    return await render(db, query, MeanFunding, common, facts, why_empty=why)


def _past_end(window: Window, step: timedelta) -> tuple[str, ...]:
    """That the last bucket is whole, where it ends after the window does and that is not now."""
    last = EPOCH + -((EPOCH - window.end) // step) * step
    if last == window.end or window.end >= window.now:
        return ()
    return (f"the last bucket is whole: it holds what settled until {stamp(last)}, after `end`",)


def _only_estimates(request: Request, source: str) -> bool:
    """Whether a source is asked for rates, but for none that settled."""
    feeds = [
        feed["dataset"] for told in request.app.state.sources if told["source"] == source for feed in told["schedule"]
    ]
    return "funding" not in feeds and any(feed in ESTIMATES for feed in feeds)


async def _mean(db: DatabaseDep, common: CommonDep, asked: Asked, window: Window, per: str, mean: Mean) -> Response:
    row = DetailedFunding if mean.contributors else WeightedFunding
    instants = grid(window, mean.step, common)
    query = await funding.weighted(db, asked.perps(window), instants.first, instants.last, mean)
    exchanges, notices = await joined(db, asked, window)
    if mean.weight == "oi":
        notices += await coverage.unweighed(db, asked.perps(window), window.start, window.end)
    facts = meta(window, per=per, kind="settled", contributors=exchanges, notices=notices)
    return await render(db, query, row, common, facts)


@router.get("/funding/{asset}/carry", **documented(Carry, 404, 409, tag="Funding"))
async def carry(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: PeriodDep,
    side: Annotated[Literal["long", "short"], lower, Query(description="The position held.")] = "long",
    notional: Annotated[float | None, Query(ge=0, le=1e15, description="Its size in USD.")] = None,
) -> Response:
    """What holding each perpetual over the window paid: the plain sum of the rates that settled in `[start, end)`."""
    query = funding.carry(asked.perps(window), window.start, window.end, short=side == "short", notional=notional)

    async def why() -> str:
        return await why_empty(db, "funding", asked, window)

    return await render(db, query, Carry, common, meta(window, kind="settled"), why_empty=why)
