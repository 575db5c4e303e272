"""Parameters of the funding routes, and which of them go together."""

from typing import Annotated, Literal

from fastapi import Query

from app.api.deps import Names, lower
from app.api.errors import bad_value
from app.api.perps import Duration, duration
from app.services.funding import Mean, Weight

OF_SETTLED = "a mean is of settled rates on one basis: per=1h, 8h or 1y and kind=settled"
PER_HOURS = {"native": None, "1h": 1.0, "8h": 8.0, "1y": 8760.0}

Per = Annotated[
    Literal["native", "1h", "8h", "1y"], lower, Query(description="What rates are per; native: one interval, as paid.")
]
KindParam = Annotated[
    Literal["settled", "predicted"], lower, Query(description="What was paid, or samples of what will be.")
]
Weighted = Annotated[
    Literal["oi", "volume", "equal"] | None, lower, Query(description="Give the mean over exchanges, weighted by this.")
]
Interval = Annotated[
    Literal["5m", "15m", "30m", "1h", "4h", "8h", "1d"] | None,
    lower,
    Query(description="Grid of the weighted mean (default 1h); without it, give each contract's mean of such buckets."),
]
MaxAge = Annotated[
    Duration | None,
    Query(description="Oldest weight that counts, with `weighted`: 90s, 30m, 2h (default), 1d, or seconds."),
]
MinCoverage = Annotated[
    float | None,
    Query(ge=0, le=1, description="Coverage below which the weighted rate is null, with `weighted`; default 0."),
]
Detail = Annotated[Literal["contributors"] | None, lower, Query(description="Name every perpetual behind the mean.")]
Assets = Annotated[Names, Query(description="Only these assets; comma list or repeated.")]


def only_of_means(**told: object) -> None:
    """Raises what becomes 400 where a parameter of weighted means was told and none is asked for."""
    for name, value in told.items():
        if value is not None:
            raise bad_value(name, value, "belongs to a weighted mean: weighted=oi, volume or equal")


def asked_mean(weighted: Weight, per: str, max_age: str | None, min_coverage: float | None) -> Mean:
    """The mean at one instant. Raises what becomes 400 where rates are as paid, each of an interval of its own."""
    hours = PER_HOURS[per]
    if hours is None:
        raise bad_value("per", per, OF_SETTLED)
    return Mean(weighted, hours, max_age=duration(max_age or "2h"), min_coverage=min_coverage or 0.0, then=True)
