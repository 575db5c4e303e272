"""What is missing: the ledger of gaps, and how much of what is expected is stored."""

from datetime import timedelta
from functools import partial
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Names, Slugs, lower
from app.api.errors import bad_value
from app.api.known import known_exchanges, known_sources
from app.api.openapi import documented
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.api.times import Time, Window, period, stamp, utc_now
from app.api.words import split
from app.db import Database
from app.services import expected, gaps
from app.services.entities import find_assets
from app.services.queries import Query as Listing

router = APIRouter()
TAG = "Quality"
DEFAULT_DAYS, MOST_DAYS = timedelta(days=30), timedelta(days=400)

States = Annotated[list[Annotated[gaps.State, lower]] | None, BeforeValidator(split)]
Reasons = Annotated[list[Annotated[gaps.Reason, lower]] | None, BeforeValidator(split)]
GapDatasets = Annotated[list[Annotated[gaps.Dataset, lower]] | None, BeforeValidator(split)]
Datasets = Annotated[list[Annotated[expected.Dataset, lower]] | None, BeforeValidator(split)]
AssetsParam = Annotated[Names, Query(description="Only of these assets; comma list or repeated.")]
ExchangesParam = Annotated[Slugs, Query(description="Only of these exchanges; comma list or repeated.")]
DatasetQuery = Query(description="Only these datasets; comma list or repeated.")


class Gap(Row):
    """A stretch in which rows of a dataset are missing, why, and what is done about it."""

    keys: ClassVar[tuple[str, ...]] = ("from", "id")

    series: str = column("`exchange:instrument:dataset:source`.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    asset: str | None = column("What the contract is on; null: not known for sure.")
    source: str = column("Who was to tell it.")
    dataset: gaps.Dataset = column(
        "Which dataset. quotes, trades, book: ticks; all others but candles_1m and liquidations fields of minutes."
    )
    from_: OutTime = column("First instant of what is missing.", alias="from")
    to: OutTime = column("End of it, exclusive.")
    minutes: float = column("How long that is.", "minutes")
    reason: gaps.Reason = column("outage, upstream_keeps_no_more, not_listed or not_fetched_yet.")
    state: gaps.State = column("open: to be asked for; repairing; repaired: it is stored now; unfillable: given up.")
    attempts: int = column("How often it was asked for.")
    next_try_at: OutTime | None = column("When it is asked for again, at the earliest; null: it is not open.")
    noticed_at: OutTime = column("When it was entered.")
    settled_at: OutTime | None = column("When it was repaired or given up; null: neither.")
    detail: str | None = column("What there is to add, as why the last attempt failed; null: nothing.")
    id: int = column("Number of the entry.")


class GapSum(Row):
    """How much of the ledger stands so, for one reason."""

    keys: ClassVar[tuple[str, ...]] = ("state", "reason")

    state: gaps.State = column("open: to be asked for; repairing; repaired: it is stored now; unfillable: given up.")
    reason: gaps.Reason = column("outage, upstream_keeps_no_more, not_listed or not_fetched_yet.")
    gaps: int = column("How many gaps.")
    minutes: float = column("How long they are together.", "minutes")
    next_try_at: OutTime | None = column("When the first of them is asked for again; null: none is open.")


class Coverage(Row):
    """How much of what is expected of one dataset of one series in a UTC day is stored."""

    keys: ClassVar[tuple[str, ...]] = ("day", "exchange", "instrument", "source", "dataset")

    day: OutTime = column("Start of the UTC day.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    asset: str | None = column("What the contract is on; null: not known for sure.")
    source: str = column("Who told us.")
    dataset: expected.Dataset = column("Which dataset; but for funding and candles those of the minute rows.")
    expected: int = column("How many rows there should be.", "rows")
    stored: int = column("How many of them are stored.", "rows")
    coverage: float = column("stored ÷ expected.", "fraction")


async def _listed(
    db: DatabaseDep,
    asset: AssetsParam = None,
    exchange: ExchangesParam = None,
    dataset: Annotated[GapDatasets, DatasetQuery] = None,
    source: Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")] = None,
    state: Annotated[States, Query(description="Only those that stand so; comma list or repeated.")] = None,
    reason: Annotated[Reasons, Query(description="Only those for these reasons; comma list or repeated.")] = None,
    start: Annotated[Time | None, Query(description="Only what reaches beyond this time.")] = None,
    end: Annotated[Time | None, Query(description="Only what begins before this time.")] = None,
) -> Listing:
    """The gaps that are asked about."""
    await known_exchanges(db, exchange, "exchange")
    await known_sources(db, source, "source")
    if start and end and start >= end:
        raise bad_value("start", stamp(start), "start has to be before end", code="bad_window")
    return gaps.listing(
        entities=await find_assets(db, asset),
        exchanges=exchange,
        datasets=dataset,
        sources=source,
        states=state,
        reasons=reason,
        start=start,
        end=end,
    )


Listed = Annotated[Listing, Depends(_listed)]


async def _why(db: Database) -> str:
    if await gaps.any_noted(db):
        return "no rows: no gap in the ledger is left by these filters"
    return "no rows: the ledger is empty, no gap was found yet"


@router.get("/quality/gaps", **documented(Gap, 404, 409, tag=TAG))
async def list_gaps(db: DatabaseDep, common: CommonDep, listed: Listed) -> Response:
    """The ledger of gaps: every stretch of minutes or ticks that is or was missing, and what is done about it.

    What is open is asked for again over REST: at once, then after 1, 4, 16 … minutes, every 6 hours at the least.
    """
    return await render(db, listed, Gap, common, meta(), why_empty=partial(_why, db))


@router.get("/quality/gaps/summary", **documented(GapSum, 404, 409, tag=TAG))
async def sum_gaps(db: DatabaseDep, common: CommonDep, listed: Listed) -> Response:
    """How many gaps stand how, and why: of those the same filters list."""
    return await render(db, gaps.summed(listed), GapSum, common, meta(), why_empty=partial(_why, db))


def _days(
    common: CommonDep,
    start: Annotated[Time | None, Query(description="First instant. Default: 30 days before the end.")] = None,
    end: Annotated[Time | None, Query(description="End, exclusive. Default: now; at most 400 days later.")] = None,
) -> Window:
    """The days asked about, in full minutes."""
    last = min(end or utc_now(), utc_now()).replace(second=0, microsecond=0)
    found = period(common, start or last - DEFAULT_DAYS, end or last)
    if found.end - found.start > MOST_DAYS:
        raise bad_value("start", stamp(found.start), f"at most {MOST_DAYS.days} days at once", code="bad_window")
    return found


@router.get("/quality/coverage", **documented(Coverage, 404, 409, tag=TAG))
async def list_coverage(
    request: Request,
    db: DatabaseDep,
    common: CommonDep,
    window: Annotated[Window, Depends(_days)],
    asset: AssetsParam = None,
    exchange: ExchangesParam = None,
    dataset: Annotated[Datasets, DatasetQuery] = None,
) -> Response:
    """How many rows a day are stored of those that are expected, of every series.

    Candles are expected from the first that is stored on: of contracts that trade and sources that are pulled until
    now, of others until the last. Settled funding by the interval in force. What else a minute holds is expected
    between the first and the last that is stored in the window: every minute, `long_short` every 5.
    """
    await known_exchanges(db, exchange, "exchange")
    series = await expected.series_of(db, await find_assets(db, asset), exchange)
    pulled = [source["source"] for source in request.app.state.sources if source["pulled"]]
    scope = expected.Scope(window.start, window.end, pulled, series, dataset)

    async def why() -> str:
        return "no rows: nothing is stored of which rows are expected in this window, with these filters"

    return await render(db, expected.coverage(scope), Coverage, common, meta(window), why_empty=why)
