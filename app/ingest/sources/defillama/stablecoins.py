"""Stablecoins: supply and price of all now, supply of one day by day.

Amounts stand under the name of the peg, but have been multiplied by the price: they are US dollars whatever it says.
"""

from collections.abc import Iterator

from app.ingest import spec
from app.ingest.sources.defillama import metrics
from app.ingest.sources.defillama.listing import Kind, Raw, listing, things
from app.ingest.sources.defillama.naming import Told
from app.ingest.sources.defillama.reading import STABLECOINS, Dated, ask, batch, days, only, pieces
from app.ingest.spec import Json, Request, Rows, Window, Wire

STABLECOIN = Kind("stablecoin_id", "id", "name", "symbol", "gecko_id")
SUPPLIES = {
    "circulating": metrics.STABLECOIN_SUPPLY,
    "circulatingPrevDay": metrics.STABLECOIN_SUPPLY_PREV_DAY,
    "circulatingPrevWeek": metrics.STABLECOIN_SUPPLY_PREV_WEEK,
    "circulatingPrevMonth": metrics.STABLECOIN_SUPPLY_PREV_MONTH,
}


class Stablecoins(Wire):
    """`{"peggedAssets":[...]}`"""

    peggedAssets: spec.SomeRows


def _numbers(row: Raw) -> Iterator[Told]:
    """`{"id":"50","circulating":{"peggedEUR":12.5},"circulatingPrevDay":{"peggedEUR":12.25},"price":1.05,...}`"""
    yield from (Told(metric, only(row.get(key))) for key, metric in SUPPLIES.items())
    yield Told(metrics.STABLECOIN_PRICE, row.get("price"))


def stablecoins(answer: Stablecoins, window: Window) -> Rows:
    """What there is, and how much of it now."""
    return things(STABLECOIN, answer.peggedAssets, _numbers, window)


class Supply(Dated):
    """`{"date":"1609372800","totalCirculating":{"peggedEUR":11.5},"totalCirculatingUSD":{"peggedEUR":12.5},...}`"""

    totalCirculatingUSD: Json = None


def _charts(window: Window) -> Request:
    return ask(STABLECOINS, "/stablecoincharts/all", stablecoin=window.subjects[0])


def supplies(answer: list[Json], window: Window) -> Rows:
    """Supply in US dollars day by day, so that it fits that of now."""

    def numbers(row: Supply) -> list[Told]:
        return [Told(metrics.STABLECOIN_SUPPLY, only(row.totalCirculatingUSD))]

    return days(Supply, answer, numbers, STABLECOIN.id_type, window)


NOW = listing(ask(STABLECOINS, "/stablecoins", includePrices="true"), Stablecoins, stablecoins)
DAYS = batch(_charts, list[Json], supplies, pieces(STABLECOIN.id_type, ["STABLECOIN_SUPPLY"], live=False), history=True)
