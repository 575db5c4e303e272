"""What takers bought and sold."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.candles import CandleInterval
from app.api.deps import CommonDep, DatabaseDep, WindowDep
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import STEPS, AskedDep, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.services import candles, taker_volume

router = APIRouter(route_class=RememberedRoute)


class TakerVolume(Row):
    """Volume of one perpetual over one interval, by which side took."""

    time: OutTime = column("When the interval began; its volume is known when it ends.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    buy_volume_base: float | None = column("Bought by takers; null: not told for every part of it.", "coins")
    sell_volume_base: float | None = column("Sold by takers, as told or what is left of all volume.", "coins")
    buy_sell_ratio: float | None = column("Bought ÷ sold; null where nothing was sold.", "ratio")
    complete: bool = column("Whether every minute (or hour) of it is known.")
    source: str = column("Who told it; of several, each once.")


@router.get("/taker-volume/{asset}", **documented(TakerVolume, 404, 409, 410, tag="Positions"))
async def asset_taker_volume(
    db: DatabaseDep, common: CommonDep, asked: AskedDep, window: WindowDep, interval: CandleInterval = "1m"
) -> Response:
    """What takers bought and sold of an asset on every exchange; with `at`, in the last interval over by then.

    Longer intervals are sums of the hours or minutes there are: with parts missing they say `complete: false`.
    """
    perps, length = asked.perps(window), STEPS[interval]
    first, last = candles.last_closed(window.at, length) if window.at else (window.start, window.end)

    async def why() -> str:
        return await why_empty(db, "taker_volume", asked, window)

    query = taker_volume.buckets(perps, first, last, length)
    shown, reason = await kept(db, candles.made_of(length), window, why, length)
    return await render(db, query, TakerVolume, common, meta(shown), why_empty=reason)
