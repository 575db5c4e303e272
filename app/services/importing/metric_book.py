"""The catalogue of metrics as rows name them, and the series of values that rows are of."""

import re
from dataclasses import dataclass, field

from app.services.importing.book import Named, Refusal, check_slug, check_word

METRIC = re.compile(r"[^\x00-\x1f\x7f,]{1,128}")


@dataclass(slots=True)
class Known:
    """A metric of a source, stored or to be made (`key` None); `is_new` also where its unit was not told before."""

    source: str
    name: str
    canonical: str
    unit: str
    signed: bool
    key: int | None = None
    is_new: bool = False


@dataclass(slots=True)
class Measured:
    """Values of one metric of an entity (below 0: to be made) on an exchange (empty: on none in particular)."""

    metric: Known
    entity: int
    exchange: str
    series: int | None = None


@dataclass(slots=True)
class MetricBook:
    """The metrics of all sources, by source and name in any case, and the series rows of this import are of."""

    known: dict[tuple[str, str], Known] = field(default_factory=dict[tuple[str, str], Known])
    measured: dict[tuple[str, str, int, str], Measured] = field(
        default_factory=dict[tuple[str, str, int, str], Measured]
    )
    new_series: list[Measured] = field(default_factory=list[Measured])

    @property
    def new(self) -> list[Known]:
        """Metrics to be written."""
        return [metric for metric in self.known.values() if metric.is_new]

    def add(self, metric: Known) -> Known:
        """Keep a metric."""
        return self.known.setdefault((metric.source, metric.name.lower()), metric)

    def find(self, named: Named) -> Known:
        """The metric a row means, made where its source has none of that name. Raises Refusal."""
        metric = self.known.get((named.source, named.metric.lower()))
        if metric is None:
            canonical = self._canonical(named.metric)
            signed = self._signed(canonical)
            metric = self.add(Known(named.source, named.metric, canonical, named.unit, signed, is_new=True))
        if named.negative and not metric.signed:
            raise Refusal("negative", f"`{metric.name}` of {metric.source} is never negative")
        if named.unit and not metric.unit:
            metric.unit, metric.is_new = named.unit, True
        if named.unit and named.unit.lower() != metric.unit.lower():
            reason = f"`{metric.name}` of {metric.source} is in {metric.unit}, not in `{named.unit}`"
            raise Refusal("unit_mismatch", reason)
        return metric

    def _canonical(self, name: str) -> str:
        """What all sources that have a metric of this name mean by it, else the name itself."""
        meant = {metric.canonical for metric in self.known.values() if metric.name.lower() == name.lower()}
        return meant.pop() if len(meant) == 1 else name.upper()

    def _signed(self, canonical: str) -> bool:
        """Whether it may be negative: as those say who tell the same, else it may."""
        alike = [metric.signed for metric in self.known.values() if metric.canonical.lower() == canonical.lower()]
        return any(alike) or not alike

    def series(self, metric: Known, entity: int, exchange: str) -> Measured:
        """The series of a metric of an entity."""
        key = (metric.source, metric.name.lower(), entity, exchange)
        return self.measured.setdefault(key, Measured(metric, entity, exchange))


def check_metric_words(named: Named) -> None:
    """Raises Refusal for words that can be no name; `exchange` may be missing."""
    if named.exchange:
        check_slug("bad_exchange", named.exchange)
    check_slug("bad_source", named.source)
    check_word("bad_asset", named.asset)
    check_word("bad_unit", named.unit)
    if not METRIC.fullmatch(named.metric):
        raise Refusal("bad_metric", f"`{named.metric[:80]}` is longer than 128 characters, or has commas or controls")
