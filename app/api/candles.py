"""Candles of perpetuals."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, WindowDep, lower
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import STEPS, AskedDep, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.services import candles

router = APIRouter(route_class=RememberedRoute)

PRICE = "quote currency a coin"
Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]
CandleInterval = Annotated[Interval, lower, Query(description="Length of an interval.")]
BucketInterval = Annotated[Interval | None, lower, Query(description="Length of a bucket; default: as it was told.")]


class Candle(Row):
    """Prices and volumes of one perpetual over one interval."""

    time: OutTime = column("When it opened; it is known when it closes.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    open: float = column("First price.", PRICE)
    high: float = column("Highest price.", PRICE)
    low: float = column("Lowest price.", PRICE)
    close: float = column("Last price.", PRICE)
    volume_base: float | None = column("Traded; null: not told for every part of it.", "coins")
    volume_usd: float | None = column("Traded; null: not told for every part of it.", "USD")
    buy_volume_base: float | None = column("Of it bought by takers; null: not told.", "coins")
    trades: int | None = column("How many trades; null: not told.")
    complete: bool = column("Whether every minute (or hour) of it is known.")


@router.get("/candles/{asset}", **documented(Candle, 404, 409, 410, tag="Candles"))
async def asset_candles(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    interval: CandleInterval = "1m",
) -> Response:
    """Candles of an asset on every exchange that open in the window; with `at`, the last one closed by then.

    Longer ones are made of the hours or minutes there are: with parts missing they say `complete: false`, and where
    there is nothing there is no row.
    """
    perps, length = asked.perps(window), STEPS[interval]

    async def why() -> str | None:
        return await why_empty(db, "candles", asked, window)

    shown, reason = await kept(db, candles.made_of(length), window, why, length)
    if window.at is None:
        query = candles.candles(perps, window.start, window.end, length)
    else:
        query = candles.closed_by(perps, window.at, length)
    return await render(db, query, Candle, common, meta(shown), why_empty=reason)
