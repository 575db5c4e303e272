"""Chains: those there are with what is locked on them now, and what is paid and traded on one, now and day by day."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from app.ingest import spec
from app.ingest.sources.defillama import metrics
from app.ingest.sources.defillama.listing import Kind, Raw, listing, things
from app.ingest.sources.defillama.naming import Told, numbers_of
from app.ingest.sources.defillama.overview import Chart, parameters
from app.ingest.sources.defillama.parents import CHAIN
from app.ingest.sources.defillama.reading import API, Dated, Point, ask, batch, days, midnight, pieces, values
from app.ingest.spec import Json, Request, Rows, Window

FAMILIES = {family.name: family for family in metrics.CHAINS}
FREE = [family.name for family in metrics.CHAINS if not family.needs_key]
KEYED = [family.name for family in metrics.CHAINS if family.needs_key]


CHAIN_LISTED = Kind(CHAIN, "name", "name", "tokenSymbol", "gecko_id")


def _tvl(row: Raw) -> Iterator[Told]:
    """`{"name":"OP Mainnet","tvl":1.5,"tokenSymbol":"OP","gecko_id":"optimism","chainId":10,...}`"""
    yield Told(metrics.CHAIN_TVL, row.get("tvl"))


def chains(answer: list[Json], window: Window) -> Rows:
    """What there is, by display name, and what is locked on it now."""
    return things(CHAIN_LISTED, answer, _tvl, window)


class Locked(Dated):
    """`{"date":1530230400,"tvl":20541.5}`"""

    tvl: Json = None


def _chain_tvl(window: Window) -> Request:
    return ask(API, "/v2/historicalChainTvl", *window.subjects)


def chain_tvl(answer: list[Json], window: Window) -> Rows:
    """What was locked on a chain at 00:00 of each day."""
    return days(Locked, answer, lambda row: [Told(metrics.CHAIN_TVL, row.tvl)], CHAIN, window)


def _overview(window: Window) -> Request:
    [chain], [what] = window.subjects, window.columns
    family = FAMILIES[what]
    return ask(API, f"/overview/{family.kind}", chain, **parameters(family, chart=False))


def _with_totals(answer: Raw) -> Raw:
    if not {"total24h", "protocols"} & set(answer):
        raise ValueError("totals, or the protocols they are made of, expected")
    return answer


Totals = Annotated[Raw, AfterValidator(_with_totals)]
"""`{"chain":"Arc","total24h":161595.5,"total7d":1238759.5,"change_1d":-32,"protocols":[...],...}`"""


def overview(answer: Raw, window: Window) -> Rows:
    """Totals of a chain now."""
    [chain], [what] = window.subjects, window.columns
    return values(numbers_of(FAMILIES[what], answer), CHAIN, chain, midnight(window.start))


def _overview_days(window: Window) -> Request:
    [chain], [what] = window.subjects, window.columns
    family = FAMILIES[what]
    return ask(API, f"/overview/{family.kind}", chain, **parameters(family, chart=True))


def overview_days(answer: Chart, window: Window) -> Rows:
    """Totals of a chain day by day."""
    metric = FAMILIES[window.columns[0]].day
    return days(Point, answer.totalDataChart, lambda row: [Told(metric, row.amount)], CHAIN, window)


CHAINS = listing(ask(API, "/v2/chains"), spec.SomeRows, chains)
CHAIN_TVL = batch(_chain_tvl, list[Json], chain_tvl, pieces(CHAIN, ["CHAIN_TVL"], live=False), history=True)
NOW = batch(_overview, Totals, overview, pieces(CHAIN, FREE, live=True, keyed=KEYED), history=False)
DAYS = batch(_overview_days, Chart, overview_days, pieces(CHAIN, FREE, live=False, keyed=KEYED), history=True)
