"""Options of an asset: chain, expiries, surface, term structure and greeks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, InstantDep, Names, Time, WindowDep, lower
from app.api.kept import kept
from app.api.known import known_exchanges, known_source
from app.api.openapi import documented
from app.api.option_rows import SIDE_UNITS, ChainRow, DeltaPoint, ExpiryRow, GreeksRow, StrikePoint, TermRow, TotalsRow
from app.api.perps import STEPS, Asked, Asset, Exchanges, SourceParam, found, grid, only
from app.api.remembered import RememberedRoute
from app.api.render import WhyEmpty, meta, render
from app.api.times import Window
from app.db import Database
from app.services import options
from app.services.entities import find_assets
from app.services.options import Model, Options, Whose

router = APIRouter(route_class=RememberedRoute)

TAG = "Options"
SILENT = "options that nothing was told of in the day before are left out"
Step = Annotated[
    Literal["5m", "15m", "30m", "1h", "4h", "8h", "1d"], lower, Query(description="From one instant to the next.")
]
ModelParam = Annotated[
    Model, lower, Query(description="`told`, or `black76`: computed of mark_iv, on a grid of `interval`.")
]

Assets = Annotated[Names, Query(description="Only these assets; comma list or repeated.")]


@dataclass(frozen=True, slots=True)
class OptionsAsked:
    """The asset a question names and which of its options it is about."""

    asked: Asked
    day: datetime | None

    def options(self, window: Window) -> Options:
        """The same as the services take it."""
        return Options(self.asked.asset.id, self.asked.exchanges, self.asked.source, window.known_at, self.day)


async def options_asked(
    db: DatabaseDep,
    asset: Asset,
    expiry: Annotated[Time | None, Query(description="Only options that expire on this day (UTC).")] = None,
    exchange: Exchanges = None,
    source: SourceParam = None,
) -> OptionsAsked:
    """Find the asset. Raises what becomes 404 with the nearest names, or 409 with the candidates."""
    day = expiry and expiry.replace(hour=0, minute=0, second=0, microsecond=0)
    return OptionsAsked(await found(db, asset, exchange, "all", source, parameter="exchange"), day)


OptionsDep = Annotated[OptionsAsked, Depends(options_asked)]


def _why(db: Database, facts: tuple[str, ...], asked: OptionsAsked, window: Window) -> WhyEmpty:
    return lambda: options.why_empty(db, facts, asked.options(window), window.start, window.end)


@router.get("/options", **documented(TotalsRow, 404, 409, 410, tag=TAG))
async def option_totals(
    db: DatabaseDep,
    common: CommonDep,
    window: InstantDep,
    assets: Assets = None,
    exchange: Exchanges = None,
    source: SourceParam = None,
) -> Response:
    """The assets that have options at an instant (default: now): open interest, volume, put/call ratios of each."""
    await known_exchanges(db, exchange, "exchange")
    await known_source(db, source)
    whose = Whose(await find_assets(db, assets), only(exchange), source, window.known_at)

    async def why() -> str:
        return await options.why_no_totals(db, whose, window.end)

    shown, reason = await kept(db, options.SMILE_OF, window, why, None)
    query = options.totals(whose, window.end)
    return await render(db, query, TotalsRow, common, meta(shown, notices=(SILENT,)), why_empty=reason)


@router.get("/options/{asset}/chain", **documented(ChainRow, 404, 409, 410, tag=TAG))
async def option_chain(db: DatabaseDep, common: CommonDep, asked: OptionsDep, window: InstantDep) -> Response:
    """All options of an asset that live at an instant (default: now), a row for each expiry and strike.

    Each is as of what was told of it last, at most a day before: bid and ask of the newest quote or snapshot; greeks as
    told since that snapshot, else Black-76 of it. Inverse options (prices in coins) and linear ones (USD) are rows of
    their own. In CSV, Parquet and Arrow `call` and `put` are JSON texts.
    """
    shown, reason = await kept(db, options.CHAIN_OF, window, _why(db, options.CHAIN_OF, asked, window), None)
    query = options.chain(asked.options(window), window.end, milliseconds=common.time_format == "ms")
    return await render(db, query, ChainRow, common, meta(shown, units=SIDE_UNITS, notices=(SILENT,)), why_empty=reason)


@router.get("/options/{asset}/expiries", **documented(ExpiryRow, 404, 409, 410, tag=TAG))
async def option_expiries(db: DatabaseDep, common: CommonDep, asked: OptionsDep, window: InstantDep) -> Response:
    """The expiries that options of an asset have at an instant: open interest, put/call ratios, IV and skew of each.

    `atm_iv` lies at the forward, linear in strike between the two strikes around it, of each the mean of call and put.
    A 25-delta IV lies between the two options out of the money whose Black-76 deltas are around it. Where there is
    none on one side, it is null.
    """
    shown, reason = await kept(db, options.SMILE_OF, window, _why(db, options.SMILE_OF, asked, window), None)
    query = options.expiries(asked.options(window), window.end)
    return await render(db, query, ExpiryRow, common, meta(shown, notices=(SILENT,)), why_empty=reason)


@router.get("/options/{asset}/surface", **documented(StrikePoint, 404, 409, 410, tag=TAG, others=(DeltaPoint,)))
async def option_surface(
    db: DatabaseDep,
    common: CommonDep,
    asked: OptionsDep,
    window: InstantDep,
    by: Annotated[
        Literal["strike", "delta"], lower, Query(description="A row a strike, or a bucket of delta.")
    ] = "strike",
) -> Response:
    """Implied volatility at an instant (default: now) by expiry and strike, or by expiry and delta."""
    shown, reason = await kept(db, options.SMILE_OF, window, _why(db, options.SMILE_OF, asked, window), None)
    query = options.surface(asked.options(window), window.end, by)
    row = StrikePoint if by == "strike" else DeltaPoint
    return await render(db, query, row, common, meta(shown, notices=(SILENT,)), why_empty=reason)


@router.get("/options/{asset}/term-structure", **documented(TermRow, 404, 409, 410, tag=TAG))
async def option_term_structure(
    db: DatabaseDep, common: CommonDep, asked: OptionsDep, window: WindowDep, interval: Step = "1h"
) -> Response:
    """IV at the money and 25-delta skew over time, of each expiry and of constant maturities of 7, 30 and 90 days.

    A row is how things stood at `time` itself. Constant maturities lie in variance × time between the expiries around
    them, and are left out beyond the first and last.
    """
    shown, reason = await kept(db, options.SMILE_OF, window, _why(db, options.SMILE_OF, asked, window), None)
    instants = grid(window, STEPS[interval], common, dense=False)
    query = options.term_structure(asked.options(window), instants.first, instants.last, instants.step)
    return await render(db, query, TermRow, common, meta(shown), why_empty=reason)


@router.get("/options/{asset}/greeks", **documented(GreeksRow, 404, 409, 410, tag=TAG))
async def option_greeks(
    db: DatabaseDep,
    common: CommonDep,
    asked: OptionsDep,
    window: WindowDep,
    model: ModelParam = "told",
    interval: Step = "1h",
) -> Response:
    """Greeks of options as they were told; or (`model=black76`) computed of how each stood at every `interval`.

    With `at`, the last of each option that lives then, at most a day old.
    """
    facts = ("greeks",) if model == "told" else options.SMILE_OF
    shown, reason = await kept(db, facts, window, _why(db, facts, asked, window), None)
    which = asked.options(window)
    if model == "black76":
        instants = grid(window, STEPS[interval], common, dense=False)
        query = options.greeks_black76(which, instants.first, instants.last, instants.step)
    elif window.at is None:
        query = options.greeks(which, window.start, window.end)
    else:
        query = options.greeks_by(which, window.at)
    return await render(db, query, GreeksRow, common, meta(shown), why_empty=reason)
