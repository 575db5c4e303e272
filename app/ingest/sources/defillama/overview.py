"""Fees, revenue and volumes: of all protocols now, and of one protocol or chain day by day."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from app.ingest import spec
from app.ingest.sources.defillama import metrics
from app.ingest.sources.defillama.listing import Id, Kind, Raw, listing
from app.ingest.sources.defillama.naming import Family, Told, numbers_of
from app.ingest.sources.defillama.parents import CHAIN, SLUG, Part, parent_of, read_parts, with_parents
from app.ingest.sources.defillama.reading import API, Point, ask, batch, days, midnight, pieces
from app.ingest.spec import Feed, Json, Request, Rows, Window, Wire

CHAINS_TOO = {"ronin", "stride", "babylon"}  # chains that are told of as if they were protocols
FAMILIES = {family.name: family for family in (*metrics.PROTOCOLS, *metrics.CHAIN_GAS.values())}
FREE = [family.name for family in metrics.PROTOCOLS if not family.needs_key]
KEYED = [family.name for family in metrics.PROTOCOLS if family.needs_key]
OF_CHAINS = ["CHAIN_GAS_FEES", "CHAIN_GAS_REVENUE"]


def parameters(family: Family, *, chart: bool) -> dict[str, object]:
    """What keeps an answer small: the chart only for history, its breakdown never."""
    exclude = {"excludeTotalDataChart": None if chart else "true", "excludeTotalDataChartBreakdown": "true"}
    return {**exclude, "dataType": family.data_type}


NAMED = Kind(CHAIN, "displayName", "displayName")


class Row(Wire):
    """`{"slug":"uniswap-v2","displayName":"Uniswap V2","protocolType":"protocol","total24h":140.5,...}`"""

    slug: Id
    protocolType: str | None = None

    @property
    def is_chain(self) -> bool:
        return self.protocolType == "chain" or self.slug in CHAINS_TOO


class Overview(Wire):
    """`{"total24h":161595.5,"protocols":[...],...}`"""

    protocols: spec.SomeRows


Numbers = Callable[[Raw], Iterable[Told]]


def open_interest(row: Raw) -> Iterator[Told]:
    """Open interest stands where volumes have their total of 24 hours; sums over days of it mean nothing."""
    yield Told(metrics.OPEN_INTEREST, row.get("total24h"), adds=True)
    yield from (told for told in numbers_of(metrics.OPEN_INTERESTS, row) if told.metric.unit == "percent")


def overview(numbers: Numbers, of_chain: Numbers) -> Callable[[Overview, Window], Rows]:
    """Values of protocols by slug, of chains by display name: a chain is a part of no parent."""

    def part(row: Raw) -> Part:
        told = Row.model_validate(row)
        if told.is_chain:
            return Part(CHAIN, NAMED.id_of(row), None, tuple(of_chain(row)))
        return Part(SLUG, told.slug, parent_of(row), tuple(numbers(row)))

    def rows(answer: Overview, window: Window) -> Rows:
        return with_parents(read_parts(answer.protocols, part), midnight(window.start))

    return rows


def now(family: Family, numbers: Numbers | None = None) -> Feed:
    """What all protocols took in or traded, and chains for gas, as of now."""
    request = ask(API, f"/overview/{family.kind}", **parameters(family, chart=False))
    gas = metrics.CHAIN_GAS.get(family.name, family)
    rows = overview(numbers or partial(numbers_of, family), numbers or partial(numbers_of, gas))
    return listing(request, Overview, rows, needs_key=family.needs_key)


class Chart(Wire):
    """`{"totalDataChart":[[1752710400,16946528.5],...],...}`, the last of them of the day that runs"""

    totalDataChart: list[Json]


def summary(window: Window) -> Request:
    """All days of one protocol or chain, which goes by the slug of its display name."""
    [id], [what] = window.subjects, window.columns
    family = FAMILIES[what]
    return ask(API, f"/summary/{family.kind}", slug_of(id), **parameters(family, chart=True))


def slug_of(id: str) -> str:
    """How a display name is spelled in a path: `OP Mainnet` → `op-mainnet`. A slug stays as it is."""
    return id.lower().replace(" ", "-").replace("'", "")


def summary_days(id_type: str) -> Callable[[Chart, Window], Rows]:
    """Sums of whole days."""

    def rows(answer: Chart, window: Window) -> Rows:
        family = FAMILIES[window.columns[0]]
        named = [family.day, *([metrics.EARNINGS] if family is metrics.REVENUE else [])]
        return days(Point, answer.totalDataChart, lambda row: [Told(m, row.amount) for m in named], id_type, window)

    return rows


NOW = (*map(now, metrics.PROTOCOLS), now(metrics.OPEN_INTERESTS, open_interest))
PROTOCOL_DAYS = batch(summary, Chart, summary_days(SLUG), pieces(SLUG, FREE, live=False, keyed=KEYED), history=True)
CHAIN_DAYS = batch(summary, Chart, summary_days(CHAIN), pieces(CHAIN, OF_CHAINS, live=False), history=True)
