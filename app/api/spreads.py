"""Spreads between perpetuals of one asset: ranked after fees, and over time."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Window, WindowDep, lower
from app.api.errors import bad_value
from app.api.funding_asking import Per
from app.api.openapi import documented
from app.api.paging import Common
from app.api.perps import STEPS, AskedDep, grid, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.spreads_asking import (
    LegParam,
    Market,
    MarketDep,
    MinSpread,
    MomentOrWindowDep,
    PairsParam,
    TermsDep,
    answerable,
    basis,
    named,
    of_a_ranking,
)
from app.api.spreads_rows import AssetSpread, RankedSpread, Spread
from app.db import Database
from app.services import spreads
from app.services.spreads import Contracts, Terms

router = APIRouter(route_class=RememberedRoute)

Interval = Annotated[Literal["5m", "15m", "30m", "1h", "4h", "8h", "1d"], lower, Query(description="Grid of instants.")]


@router.get("/spreads", **documented(RankedSpread, 404, 409, tag="Spreads", others=[AssetSpread]))
async def ranked_spreads(
    db: DatabaseDep,
    common: CommonDep,
    window: MomentOrWindowDep,
    market: MarketDep,
    terms: TermsDep,
    interval: Interval = "1h",
) -> Response:
    """The best pair of every asset, now or `at` an instant, ranked by what it pays after fees.

    With `start` or `end`: instead the widest pair of every asset at each instant of a grid, where its spread is
    `min_spread` or more.
    """
    if {"start", "end"}.intersection(common.request.query_params):
        of_a_ranking(common.request)
        return await _everywhere(db, common, window, market, interval)
    if "interval" in common.request.query_params:
        raise bad_value("interval", interval, "a ranking is of one instant; a grid takes start, end and min_spread")
    return await _ranking(db, common, window, market, terms)


async def _ranking(db: Database, common: Common, window: Window, market: Market, terms: Terms) -> Response:
    now = not {"at", "known_at"}.intersection(common.request.query_params)
    query = spreads.ranking(market.contracts, window.start, terms, trading=now)

    async def why() -> str:
        unknown = " (contracts without known open interest are not among them)" if terms.min_oi_usd else ""
        return f"no rows: no asset has two rates in force that these filters leave{unknown}"

    facts = meta(window, per=market.per, kind="settled", notices=_told(terms, market))
    return await render(db, query, RankedSpread, replace(common, order="asc"), facts, why_empty=why)


def _told(terms: Terms, market: Market) -> tuple[str, ...]:
    return (
        f"net of opening and closing both legs, held {terms.horizon_hours:g} hours",
        terms.fees.told(market.contracts.exchanges),
        f"persistence and realised_spread look back {terms.lookback_hours} hours",
        f"capacity_usd is {terms.capacity_share:g} of the smaller leg's open interest",
    )


async def _everywhere(db: Database, common: Common, window: Window, market: Market, interval: str) -> Response:
    least = market.min_spread
    if least is None or least <= 0:
        raise bad_value("min_spread", least, "all assets over a window take a min_spread above 0, or there is no bound")
    instants = grid(window, STEPS[interval], common, dense=False)
    await answerable(db, market.contracts, instants)
    query = spreads.over_time(
        market.contracts, instants.first, instants.last, instants.step, market.per_hours, "best", least
    )

    async def why() -> str:
        return f"no rows: nowhere in this window are two rates of an asset {least:g} apart"

    facts = meta(window, per=market.per, kind="settled")
    return await render(db, query, AssetSpread, common, facts, why_empty=why)


@router.get("/spreads/{asset}", **documented(Spread, 404, 409, tag="Spreads"))
async def asset_spreads(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    pairs: PairsParam = None,
    short: LegParam = None,
    long: LegParam = None,
    interval: Interval = "1h",
    per: Per = "8h",
    min_spread: MinSpread = None,
) -> Response:
    """Spreads of an asset at every instant of a grid, or `at` one: short the higher rate in force, long the lower.

    `pairs=best`: the highest rate and the lowest. `pairs=all`: every pair of its perpetuals. `short=` and `long=`:
    that difference, whatever its sign. Instants with fewer than two rates in force have no row.
    """
    hours = basis(per)
    legs = await named(db, asked, pairs, short, long)
    instants = grid(window, STEPS[interval], common, dense=False)
    contracts = Contracts.of(asked.perps(window))
    over, chosen = (instants.first, instants.last, instants.step), legs or pairs or "best"
    if min_spread is not None or common.form not in ("json", "columns"):
        await answerable(db, contracts, instants, chosen)
    query = spreads.over_time(contracts, *over, hours, chosen, min_spread, then=window.at is not None)

    async def why() -> str:
        found = await why_empty(db, "funding", asked, window)
        return f"{found}; a row takes two rates in force{'' if min_spread is None else f', {min_spread:g} apart'}"

    return await render(db, query, Spread, common, meta(window, per=per, kind="settled"), why_empty=why)
