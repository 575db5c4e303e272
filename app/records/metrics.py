"""Open-ended facts of entities: what a metric is, one value of it, and things as a source lists them."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.records.checks import BadRecord, check_time

Domain = Literal["fundamental", "trading", "derivative", "options"]
Granularity = Literal["hourly", "daily"]

LARGEST_VALUE = 1e27


@dataclass(frozen=True, slots=True)
class Metric:
    """What a source calls one of its numbers, and what that means.

    `canonical` is the name sources share. `covers` is the window one value stands for: `instant`, `1h`, `24h`, `7d`,
    `30d`, `1y`, `day` (one UTC day), `quarter` (a fiscal one), `all` (since the beginning). Only a `signed` metric may
    be negative. `column` names the column of the hourly table that holds it, None for values of their own.
    """

    name: str
    canonical: str
    unit: str
    domain: Domain
    granularity: Granularity
    covers: str
    signed: bool = False
    column: str | None = None
    about: str = ""

    @property
    def symbol(self) -> str:
        """What its source calls it."""
        return self.name


@dataclass(frozen=True, slots=True)
class SourceAsset:
    """A thing as a source lists it: what kind of id it goes by there, the id, and by what else it may be recognised."""

    id_type: str
    id: str
    name: str
    ticker: str | None = None
    coingecko_id: str | None = None

    def __post_init__(self) -> None:
        if not (self.id_type and self.id and self.name):
            raise BadRecord("no_id", f"a thing listed as {self.id!r}, named {self.name!r}")

    @property
    def symbol(self) -> str:
        """What its source calls it."""
        return self.id


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One value of a metric for the thing that its source calls `id`, at (or for the window from) `time`."""

    metric: Metric
    id_type: str
    id: str
    time: datetime
    value: float
    exchange: str | None = None

    def __post_init__(self) -> None:
        check_time(self.time)
        name, value = self.metric.name, self.value
        if not math.isfinite(value):
            raise BadRecord("not_finite", f"{name} is {value}")
        if value < 0 and not self.metric.signed:
            raise BadRecord("negative", f"{name} is {value}")
        if abs(value) > LARGEST_VALUE:
            raise BadRecord("quantity_out_of_range", f"{name} is {value}")

    @property
    def symbol(self) -> str:
        """Whose it is, as its source calls it."""
        return self.id
