"""Questions about how good the data is: sources, freshness, coverage, gaps, disagreements, rejects."""

from typing import Unpack

from perpstore_client.question import Answer, Asking, Words, question
from perpstore_client.reference import Listed, Period, Stretch


class Quality(Asking[Answer]):
    """Each question once, for clients that wait and for those that await. All raise a `PerpstoreError`."""

    def source_states(self, *, source: Words = None, **more: Unpack[Listed]) -> Answer:
        """How each source stands, why, and what to do about it."""
        return self._ask(question("quality", "sources", source=source, **more))

    def freshness(self, *, source: Words = None, dataset: Words = None, **more: Unpack[Listed]) -> Answer:
        """How old the newest fact of every dataset of every source is."""
        return self._ask(question("quality", "freshness", source=source, dataset=dataset, **more))

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

    def gaps_summary(
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
        """How much is or was missing, by state and reason."""
        narrow = {"asset": asset, "exchange": exchange, "dataset": dataset, "source": source}
        return self._ask(question("quality", "gaps", "summary", state=state, reason=reason, **narrow, **more))

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

    def rejects(self, *, source: Words = None, dataset: Words = None, **more: Unpack[Listed]) -> Answer:
        """Rows that were refused, why and how often."""
        return self._ask(question("quality", "rejects", source=source, dataset=dataset, **more))

    def unmapped(
        self, *, source: Words = None, id_type: Words = None, q: str | None = None, **more: Unpack[Listed]
    ) -> Answer:
        """What sources list and nobody is sure of."""
        return self._ask(question("quality", "unmapped", source=source, id_type=id_type, q=q, **more))
