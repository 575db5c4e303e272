"""Price indexes, volatility indexes, and what contracts on them were delivered at."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Window, WindowDep
from app.api.kept import kept
from app.api.openapi import documented
from app.api.options import TAG
from app.api.paging import Common
from app.api.perps import Asked, Asset, Exchanges, SourceParam, found
from app.api.remembered import RememberedRoute
from app.api.render import WhyEmpty, meta, render
from app.api.schemas import OutTime, Row, column
from app.db import Database
from app.services import indexes
from app.services.indexes import Indexes

router = APIRouter(route_class=RememberedRoute)

FRACTION = "fraction per year"


class IndexRow(Row):
    """The value of a price index at an instant, or its candle."""

    time: OutTime = column("The instant; of a candle, when it opened.")
    exchange: str = column("Whose index it is.")
    instrument: str = column("What it is called there.")
    price: float = column("Value; of a candle, the last.", "USD")
    open: float | None = column("First value; null: a value, no candle.", "USD")
    high: float | None = column("Highest value.", "USD")
    low: float | None = column("Lowest value.", "USD")
    source: str = column("Who told it.")


class VolatilityIndexRow(Row):
    """The value of a volatility index at an instant, or its candle."""

    time: OutTime = column("The instant; of a candle, when it opened.")
    exchange: str = column("Whose index it is.")
    instrument: str = column("What it is called there.")
    price: float = column("Value; of a candle, the last.", FRACTION)
    open: float | None = column("First value; null: a value, no candle.", FRACTION)
    high: float | None = column("Highest value.", FRACTION)
    low: float | None = column("Lowest value.", FRACTION)
    source: str = column("Who told it.")


class DeliveryRow(Row):
    """What contracts on an index were delivered at."""

    time: OutTime = column("When they expired.")
    exchange: str = column("Whose index it is.")
    instrument: str = column("The index.")
    price: float = column("The delivery price.", "USD")
    source: str = column("Who told it.")


def _indexes(asked: Asked, window: Window) -> Indexes:
    return Indexes(asked.asset.id, asked.exchanges, asked.source, window.known_at)


def _why(db: Database, fact: str, asked: Asked, window: Window) -> WhyEmpty:
    return lambda: indexes.why_empty(db, fact, _indexes(asked, window), window.start, window.end)


async def _prices(db: Database, common: Common, asked: Asked, window: Window, *, volatility: bool) -> Response:
    fact, which = "index_price", _indexes(asked, window)
    shown, reason = await kept(db, fact, window, _why(db, fact, asked, window), None)
    query = indexes.prices(which, window.start, window.end, volatility=volatility)
    if window.at is not None:
        query = indexes.price_by(which, window.at, volatility=volatility)
    row = VolatilityIndexRow if volatility else IndexRow
    return await render(db, query, row, common, meta(shown), why_empty=reason)


@router.get("/index/{asset}", **documented(IndexRow, 404, 409, 410, tag=TAG))
async def asset_index(
    db: DatabaseDep,
    common: CommonDep,
    asset: Asset,
    window: WindowDep,
    exchange: Exchanges = None,
    source: SourceParam = None,
) -> Response:
    """Price indexes of an asset; with `at`, the value of each then, at most a day old.

    With `at`, a candle counts once the next has begun: no value that was not known yet is used.
    """
    asked = await found(db, asset, exchange, "all", source, parameter="exchange")
    return await _prices(db, common, asked, window, volatility=False)


@router.get("/volatility-index/{asset}", **documented(VolatilityIndexRow, 404, 409, 410, tag=TAG))
async def asset_volatility_index(
    db: DatabaseDep,
    common: CommonDep,
    asset: Asset,
    window: WindowDep,
    exchange: Exchanges = None,
    source: SourceParam = None,
) -> Response:
    """Volatility indexes of an asset (DVOL) as fractions: 47.5 % is 0.475; with `at`, as of then."""
    asked = await found(db, asset, exchange, "all", source, parameter="exchange")
    return await _prices(db, common, asked, window, volatility=True)


@router.get("/options/{asset}/deliveries", **documented(DeliveryRow, 404, 409, tag=TAG))
async def option_deliveries(
    db: DatabaseDep,
    common: CommonDep,
    asset: Asset,
    window: WindowDep,
    exchange: Exchanges = None,
    source: SourceParam = None,
) -> Response:
    """What the options and futures of an asset were delivered at, by expiry; with `at`, the last by then."""
    asked = await found(db, asset, exchange, "all", source, parameter="exchange")
    which = _indexes(asked, window)
    query = indexes.deliveries(which, window.start, window.end)
    if window.at is not None:
        query = indexes.delivery_by(which, window.at)
    facts = meta(window)
    return await render(db, query, DeliveryRow, common, facts, why_empty=_why(db, "delivery_price", asked, window))
