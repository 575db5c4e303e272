"""Positions their exchanges closed."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.candles import PRICE, BucketInterval
from app.api.deps import CommonDep, DatabaseDep, WindowDep, lower
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import MINUTE, STEPS, Asked, AskedDep, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.api.times import Window
from app.db import Database
from app.services import candles, coverage, liquidations
from app.services.queries import Query as Statement

router = APIRouter(route_class=RememberedRoute)

FILLED = "each is the last one of its side told by then, at most 1d old"


class Liquidation(Row):
    """A liquidation, or the sum of those of one side in a bucket."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "instrument", "side", "price", "quantity")

    time: OutTime = column("When it happened, or the start of the bucket.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    side: liquidations.Side = column("Whose position was closed: long or short.")
    price: float = column("Price it was closed at; of a sum, the mean by quantity.", PRICE)
    quantity: float = column("How much was closed.", "coins")
    usd: float = column("Price × quantity.", "USD")
    count: int = column("How many liquidations this is.")
    source: str = column("Who told it; of several, each once.")


@router.get("/liquidations/{asset}", **documented(Liquidation, 404, 409, 410, tag="Positions"))
async def asset_liquidations(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    side: Annotated[liquidations.Side | None, lower, Query(description="Only long or short positions.")] = None,
    interval: BucketInterval = None,
) -> Response:
    """Liquidations of an asset on every exchange, each as told; with `interval`, the sums of each bucket by side.

    With `at`, the last of each contract and side by then; with both, the sums of the last bucket over by then. Where an
    exchange tells only one a second this is a lower bound, and a notice says so.
    """

    async def why() -> str:
        return await why_empty(db, "liquidations", asked, window)

    filled = (FILLED,) if window.at and interval is None else ()
    length = STEPS[interval] if interval else MINUTE
    shown, reason = await kept(db, "liquidation", window, why, length)
    facts = meta(shown, notices=(*await _thinned(db, asked, window), *filled))
    return await render(db, _query(asked, window, side, interval), Liquidation, common, facts, why_empty=reason)


def _query(asked: Asked, window: Window, side: liquidations.Side | None, interval: BucketInterval) -> Statement:
    perps = asked.perps(window)
    if interval is None:
        told = liquidations.told(perps, window.start, window.end, side)
        return told if window.at is None else liquidations.told_by(perps, window.at, side)
    length = STEPS[interval]
    first, last = candles.last_closed(window.at, length) if window.at else (window.start, window.end)
    return liquidations.sums(perps, first, last, side, length)


async def _thinned(db: Database, asked: Asked, window: Window) -> tuple[str, ...]:
    return liquidations.lower_bound({name: name for name in await coverage.exchanges(db, asked.perps(window))})
