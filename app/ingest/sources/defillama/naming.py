"""How DefiLlama's numbers are called.

Most come in families: fees, revenue, volumes, each with the same fields in every row. A field's name follows from its
key by one rule, so a field that is new upstream is a metric here at once: `total24h` of the fees is `FEES_24H`,
`total14dto7d` of the DEX volumes `DEX_VOLUME_14D_TO_7D`, `change_7dover7d` `DEX_CHANGE_7D_OVER_7D`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from app.ingest.spec import Json
from app.records import Domain, Metric

FIELD = re.compile(r"(total|average|monthlyAverage|annualized|change_)(\w*\d\w*|AllTime)")
JOINTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=\d)|(?<=\d[a-z])(?=to|over)")
SPAN = re.compile(r"\d+[hdmy]")
SPANS = {"1h": "1h", "1d": "24h", "1m": "30d"}
FIELDS = (
    "total24h",
    "total48hto24h",
    "total7d",
    "total14dto7d",
    "total30d",
    "total60dto30d",
    "total1y",
    "totalAllTime",
    "total7DaysAgo",
    "total30DaysAgo",
    "average1y",
    "monthlyAverage1y",
    "annualized1y",
    "change_1d",
    "change_7d",
    "change_1m",
    "change_7dover7d",
    "change_30dover30d",
)
"""The fields of a family's rows as they were in autumn 2026."""


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers of one kind: where they stand (`kind`, `data_type`), and how the metrics made of them are called.

    `changes` begins the names of changes in percent. `also` is a second name of the sum of 24 hours.
    """

    name: str
    kind: str
    domain: Domain
    about: str
    data_type: str | None = None
    changes: str = ""
    canonical: str = ""
    also: Metric | None = None
    signed: bool = False
    needs_key: bool = False

    @property
    def day(self) -> Metric:
        """Its sum of one UTC day, as history tells it."""
        shared = self.canonical or self.name
        return Metric(self.name, shared, "USD", self.domain, "daily", "day", self.signed, about=self.about)


def suffix(key: str) -> str:
    """What a field adds to the name of its family: `total48hto24h` → `48H_TO_24H`."""
    return JOINTS.sub("_", key.removeprefix("total")).upper()


def covers(key: str) -> str:
    """The window one value of a field stands for, by the last span its key names."""
    if key.endswith("AllTime"):
        return "all"
    if key.endswith("DaysAgo"):
        return "day"
    spans: list[str] = SPAN.findall(key)
    return SPANS.get(spans[-1], spans[-1]) if spans else "instant"


@cache
def field_of(family: Family, key: str) -> Metric | None:
    """The metric that a field of a family's row is; None: no number of the family."""
    if not FIELD.fullmatch(key):
        return None
    changes, shared = key.startswith("change_"), family.canonical or family.name
    name = f"{family.changes or family.name if changes else family.name}_{suffix(key)}"
    return Metric(
        name,
        shared if key == "total24h" else f"{shared}_{suffix(key)}",
        "percent" if changes else "USD",
        family.domain,
        "daily",
        covers(key),
        changes or family.signed,
        about=f"{family.about} Upstream: {key}.",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One raw number of a row. `adds`: those of the parts of a thing add up to that of the whole."""

    metric: Metric
    raw: Json
    adds: bool = False


def numbers_of(family: Family, row: Mapping[str, Json]) -> Iterable[Told]:
    """All numbers of a family in one row."""
    for key, raw in row.items():
        if metric := field_of(family, key):
            yield Told(metric, raw, key.startswith("total"))
        if key == "total24h" and family.also:
            yield Told(family.also, raw, adds=True)


def known(family: Family) -> tuple[Metric, ...]:
    """The metrics of a family that are told today."""
    fields = (field_of(family, key) for key in FIELDS)
    return (family.day, *(metric for metric in fields if metric), *([family.also] if family.also else []))
