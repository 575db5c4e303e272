"""Questions about what there is: entities, contracts, sources, metrics, and how good the data is."""

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from perpstore_client.question import Answer, Asking, Words, question
from perpstore_client.times import Moment

Domain = Literal["fundamental", "trading", "derivative", "options"]


class Listed(TypedDict, total=False):
    """How many rows, and in which order."""

    limit: int
    order: Literal["asc", "desc"]


class Stretch(Listed, total=False):
    """A window `[start, end)`."""

    start: Moment
    end: Moment


class Period(Stretch, total=False):
    """The same, as it was known at a time."""

    known_at: Moment


class Over(Period, total=False):
    """A window, or one instant: `at`."""

    at: Moment


class Reference(Asking[Answer]):
    """Each question once, for clients that wait and for those that await. All raise a `PerpstoreError`."""

    def entities(
        self,
        asset: str | None = None,
        *,
        q: str | None = None,
        type: str | None = None,
        sector: str | None = None,
        source: str | None = None,
        **more: Unpack[Listed],
    ) -> Answer:
        """Coins, chains, protocols, shares; or one of them with its ids, contracts and what data it has."""
        return self._ask(question("entities", asset, q=q, type=type, sector=sector, source=source, **more))

    def resolve(self, id: str, *, source: str | None = None) -> Answer:
        """What anybody's id means: every entity it may be, and how many of it one unit stands for."""
        return self._ask(question("resolve", id=id, source=source))

    def instruments(
        self,
        *,
        asset: Words = None,
        exchange: Words = None,
        kind: Words = None,
        active: bool | None = None,
        **more: Unpack[Listed],
    ) -> Answer:
        """Contracts and their facts as of today."""
        return self._ask(question("instruments", asset=asset, exchange=exchange, kind=kind, active=active, **more))

    def instrument(self, exchange: str, symbol: str) -> Answer:
        """One contract."""
        return self._ask(question("instruments", exchange, symbol))

    def funding_intervals(self, exchange: str, symbol: str) -> Answer:
        """The hours between settlements of a contract over its life, and how each is known."""
        return self._ask(question("instruments", exchange, symbol, "funding-intervals"))

    def exchanges(self) -> Answer:
        """Exchanges that are known."""
        return self._ask(question("exchanges"))

    def sources(self) -> Answer:
        """Who tells us, what each is asked for, and its terms."""
        return self._ask(question("sources"))

    def datasets(self) -> Answer:
        """What can be read, with the unit of every field."""
        return self._ask(question("datasets"))

    def metrics_catalog(
        self, *, source: Words = None, domain: Domain | None = None, q: str | None = None, metric: Words = None
    ) -> Answer:
        """Every metric of entities: its name, unit and window."""
        return self._ask(question("metrics-catalog", source=source, domain=domain, q=q, metric=metric))

    def fundamentals(
        self, asset: str, *, metric: Words = None, source: Words = None, exchange: Words = None, **more: Unpack[Over]
    ) -> Answer:
        """Values of an asset's metrics as each source tells them."""
        return self._ask(question("fundamentals", asset, metric=metric, source=source, exchange=exchange, **more))

    def compare(
        self,
        metric: str | Sequence[str],
        *,
        assets: Words = None,
        sources: Words = None,
        interval: Literal["1h", "1d"] | None = None,
        **more: Unpack[Over],
    ) -> Answer:
        """The same metric side by side over sources, with how far they differ."""
        return self._ask(question("compare", metric=metric, assets=assets, sources=sources, interval=interval, **more))

    def freshness(self, *, source: Words = None, dataset: Words = None) -> Answer:
        """How old the newest fact of every dataset of every source is."""
        return self._ask(question("quality", "freshness", source=source, dataset=dataset))

    def coverage(
        self, *, asset: Words = None, exchange: Words = None, dataset: Words = None, **more: Unpack[Stretch]
    ) -> Answer:
        """How many rows a day are stored of those that are expected, of every series."""
        return self._ask(question("quality", "coverage", asset=asset, exchange=exchange, dataset=dataset, **more))

    def gaps(
        self,
        *,
        asset: Words = None,
        exchange: Words = None,
        dataset: Words = None,
        source: Words = None,
        state: Words = None,
        reason: Words = None,
        **more: Unpack[Stretch],
    ) -> Answer:
        """The ledger of what is or was missing, why, and what is done about it."""
        narrow = {"asset": asset, "exchange": exchange, "dataset": dataset, "source": source}
        return self._ask(question("quality", "gaps", state=state, reason=reason, **narrow, **more))

    def disagreements(
        self,
        *,
        asset: Words = None,
        exchange: Words = None,
        dataset: Words = None,
        source: Words = None,
        tolerance: float | None = None,
        **more: Unpack[Period],
    ) -> Answer:
        """Where two sources of one fact differ by more than a relative `tolerance`."""
        narrow = {"asset": asset, "exchange": exchange, "dataset": dataset, "source": source}
        return self._ask(question("quality", "disagreements", tolerance=tolerance, **narrow, **more))

    def rejects(self, *, source: Words = None, dataset: Words = None) -> Answer:
        """Rows that were refused, why and how often."""
        return self._ask(question("quality", "rejects", source=source, dataset=dataset))

    def unmapped(self, *, source: Words = None, id_type: Words = None, q: str | None = None) -> Answer:
        """What sources list and nobody is sure of."""
        return self._ask(question("quality", "unmapped", source=source, id_type=id_type, q=q))
