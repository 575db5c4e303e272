"""How many accounts are long for each that is short."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.candles import BucketInterval
from app.api.deps import CommonDep, DatabaseDep, WindowDep
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import MINUTE, STEPS, AskedDep, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.services import candles, long_short

router = APIRouter(route_class=RememberedRoute)

FILLED = "each ratio is the last one told by then, at most 1d old"


class LongShort(Row):
    """Accounts that are long and short in one perpetual, as its exchange counts them."""

    time: OutTime = column("The minute it was told of, or the start of the bucket whose last ratio it is.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    long_short_ratio: float = column("Accounts long ÷ accounts short.", "ratio")
    long_share: float = column("Accounts long, of all that hold a position.", "fraction")
    short_share: float = column("Accounts short, of all that hold a position.", "fraction")
    source: str = column("Who told it.")


@router.get("/long-short/{asset}", **documented(LongShort, 404, 409, 410, tag="Positions"))
async def asset_long_short(
    db: DatabaseDep, common: CommonDep, asked: AskedDep, window: WindowDep, interval: BucketInterval = None
) -> Response:
    """Long/short account ratio of an asset on every exchange, as told; with `interval`, the last of each bucket.

    With `at`, the last one told of a minute that was over by then; with both, that of the last bucket over by then.
    """
    perps, length = asked.perps(window), STEPS[interval] if interval else MINUTE
    filled = window.at is not None and interval is None
    if window.at is None:
        query = long_short.buckets(perps, window.start, window.end, length)
    elif interval is None:
        query = long_short.told_by(perps, window.at)
    else:
        query = long_short.buckets(perps, *candles.last_closed(window.at, length), length)

    async def why() -> str:
        return await why_empty(db, "long_short", asked, window)

    shown, reason = await kept(db, "perp_1m", window, why, length)
    facts = meta(shown, notices=(FILLED,) if filled else ())
    return await render(db, query, LongShort, common, facts, why_empty=reason)
