"""Questions about what there is: entities, contracts, sources, metrics."""

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

    def resolve(self, id: str, *, source: str | None = None, **more: Unpack[Listed]) -> Answer:
        """What anybody's id means: every entity it may be, and how many of it one unit stands for."""
        return self._ask(question("resolve", id=id, source=source, **more))

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

    def instrument(self, exchange: str, symbol: str, **more: Unpack[Listed]) -> Answer:
        """One contract."""
        return self._ask(question("instruments", exchange, symbol, **more))

    def funding_intervals(
        self,
        exchange: str,
        symbol: str,
        *,
        at: Moment | None = None,
        known_at: Moment | None = None,
        **more: Unpack[Listed],
    ) -> Answer:
        """The hours between settlements of a contract over its life, or at an instant, and how each is known."""
        return self._ask(
            question("instruments", exchange, symbol, "funding-intervals", at=at, known_at=known_at, **more)
        )

    def facts(self, exchange: str, symbol: str, **more: Unpack[Listed]) -> Answer:
        """What was true of a contract, and when we learned it."""
        return self._ask(question("instruments", exchange, symbol, "facts", **more))

    def exchanges(self, **more: Unpack[Listed]) -> Answer:
        """Exchanges that are known."""
        return self._ask(question("exchanges", **more))

    def sources(self, **more: Unpack[Listed]) -> Answer:
        """Who tells us, what each is asked for, and its terms."""
        return self._ask(question("sources", **more))

    def datasets(self, **more: Unpack[Listed]) -> Answer:
        """What can be read, with the unit of every field."""
        return self._ask(question("datasets", **more))

    def metrics_catalog(
        self,
        *,
        source: Words = None,
        domain: Domain | None = None,
        q: str | None = None,
        metric: Words = None,
        **more: Unpack[Listed],
    ) -> Answer:
        """Every metric of entities: its name, unit and window."""
        return self._ask(question("metrics-catalog", source=source, domain=domain, q=q, metric=metric, **more))

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
