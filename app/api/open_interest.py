"""Open interest: samples as told, the state on a grid, or the sum over exchanges."""

from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, WindowDep, lower
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import STEPS, AskedDep, Duration, duration, grid, joined, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.services import open_interest, venues

router = APIRouter(route_class=RememberedRoute)

FILLED = "each value is the last sample at or before `time`, at most {} old"
COINS, USD = "coins, one side", "USD, one side"


class OpenInterest(Row):
    """One-sided open interest of one perpetual."""

    time: OutTime = column("The instant: of the sample, or of the grid.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    oi_base: float | None = column("In coins, multiplier applied; null: not told.", COINS)
    oi_usd: float | None = column("In USD, as told or its coins at the last hourly close; null: not known.", USD)


class OpenInterestSum(Row):
    """The sum over the perpetuals whose open interest is known then."""

    keys: ClassVar[tuple[str, ...]] = ("time",)

    time: OutTime = column("The instant.")
    exchange: None = column("Always null: the sum is over exchanges.")
    instrument: None = column("Always null: the sum is over instruments.")
    oi_base: float | None = column("In coins; null where one of them does not tell it.", COINS)
    oi_usd: float | None = column("In USD; null where that of one of them is not known.", USD)
    instruments: int = column("How many instruments are in the sum.")
    present: list[str] = column("Exchanges in the sum.")
    missing: list[str] = column("Exchanges with nothing newer than max_age, though known in the 30 days before.")


IntervalParam = Annotated[
    Literal["1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d"] | None,
    lower,
    Query(description="Give the state on this grid; default: samples as they were told (a sum: 1h)."),
]


@router.get(
    "/open-interest/{asset}", **documented(OpenInterest, 404, 409, 410, tag="Open interest", others=[OpenInterestSum])
)
async def asset_open_interest(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    interval: IntervalParam = None,
    aggregate: Annotated[Literal["none", "sum"], lower, Query(description="sum: over all perpetuals.")] = "none",
    max_age: Annotated[
        Duration, Query(description="Oldest sample that counts on a grid: 90s, 30m, 2h, 1d, or seconds.")
    ] = "2h",
) -> Response:
    """Open interest of an asset in coins and USD, one-sided; as told where `oi_sides` of the contract is null."""
    perps, oldest = asked.perps(window), duration(max_age)
    without = await venues.left_out(db, perps)
    instants = grid(window, STEPS[interval or "1h"], common, dense=aggregate == "sum")
    if aggregate == "sum":
        query = open_interest.total(perps, instants.first, instants.last, instants.step, oldest)
        exchanges, notices = await joined(db, asked, window)
        shown, gone = await kept(db, "open_interest", window, None, None)
        if gone and not await open_interest.is_told(db, perps, window.start - oldest, window.end):
            await gone()
        facts = meta(shown, contributors=exchanges, notices=(*notices, *without, FILLED.format(max_age)))
        return await render(db, query, OpenInterestSum, common, facts)
    if interval is None and window.at is None:
        query = open_interest.history(perps, window.start, window.end)
    else:
        query = open_interest.grid(perps, instants.first, instants.last, instants.step, oldest)

    async def why() -> str:
        return await why_empty(db, "open_interest", asked, window)

    filled = () if interval is None and window.at is None else (FILLED.format(max_age),)
    shown, reason = await kept(db, "open_interest", window, why, None)
    return await render(db, query, OpenInterest, common, meta(shown, notices=(*without, *filled)), why_empty=reason)
