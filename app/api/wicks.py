"""Wicks: candles that reached far over or under what they opened and closed at."""

from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.api.candles import PRICE, CandleInterval
from app.api.deps import CommonDep, DatabaseDep, WindowDep, lower
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import STEPS, Asked, Asset, Exchanges, MarginParam, SourceParam, found, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.services import candles

router = APIRouter(route_class=RememberedRoute)

Percent = Annotated[float, Query(ge=0, allow_inf_nan=False)]


class Wick(Row):
    """A candle with a long wick: the upper in percent of the higher of open and close, the lower of the lower."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "instrument", "side")

    time: OutTime = column("When the candle opened; it is known when it closes.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    open: float = column("First price.", PRICE)
    high: float = column("Highest price.", PRICE)
    low: float = column("Lowest price.", PRICE)
    close: float = column("Last price.", PRICE)
    side: Literal["upper", "lower"] = column("Which wick: a candle with two of them has two rows.")
    wick_pct: float = column("Its length.", "percent")
    complete: bool = column("Whether every minute (or hour) of the candle is known.")


async def asked(
    db: DatabaseDep, asset: Asset, exchange: Exchanges = None, margin: MarginParam = "all", source: SourceParam = None
) -> Asked:
    """As other routes about perpetuals, but that exchanges are called `exchange` here."""
    return await found(db, asset, exchange, margin, source, parameter="exchange")


@router.get("/wicks/{asset}", **documented(Wick, 404, 409, 410, tag="Candles"))
async def asset_wicks(
    db: DatabaseDep,
    common: CommonDep,
    asked: Annotated[Asked, Depends(asked)],
    window: WindowDep,
    side: Annotated[Literal["upper", "lower"] | None, lower, Query(description="Only this one; default: both.")] = None,
    min_pct: Annotated[Percent, Query(description="Shortest wick told, in percent; one of this length is.")] = 2,
    min_upper_pct: Annotated[Percent | None, Query(description="Of upper wicks; default: min_pct.")] = None,
    min_lower_pct: Annotated[Percent | None, Query(description="Of lower wicks; default: min_pct.")] = None,
    interval: CandleInterval = "1m",
) -> Response:
    """Candles of an asset whose wick is as long as asked or longer; with `at`, of the last one closed by then.

    Upper: 100 · (high − max(open, close)) ÷ max(open, close). Lower: 100 · (min(open, close) − low) ÷ min(open, close).
    """
    perps, length = asked.perps(window), STEPS[interval]
    if window.at is None:
        bars = candles.candles(perps, window.start, window.end, length)
    else:
        bars = candles.closed_by(perps, window.at, length)
    upper = None if side == "lower" else min_pct if min_upper_pct is None else min_upper_pct
    under = None if side == "upper" else min_pct if min_lower_pct is None else min_lower_pct

    async def why() -> str:
        return await why_empty(db, "candles", asked, window)

    shown, reason = await kept(db, candles.made_of(length), window, why, length)
    return await render(db, candles.wicks(bars, upper, under), Wick, common, meta(shown), why_empty=reason)
