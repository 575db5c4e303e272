"""The weighted mean in plain Python, straight from the domain rules, to hold the SQL against."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import mean, median

REMEMBERED = timedelta(days=30)


@dataclass
class Contract:
    """One perpetual: settlements (time → rate of one interval, hours) and open interest (time → USD)."""

    exchange: str
    settled: dict[datetime, tuple[float, float]] = field(default_factory=dict)
    held: dict[datetime, float] = field(default_factory=dict)

    def last(self, facts: Mapping[datetime, object], moment: datetime) -> datetime | None:
        times = self._sorted(facts)
        place = bisect_right(times, moment)
        return times[place - 1] if place else None

    def _sorted(self, facts: Mapping[datetime, object]) -> list[datetime]:
        cache = self.__dict__.setdefault("_cache", {})
        key = (id(facts), len(facts))
        if key not in cache:
            cache[key] = sorted(facts)
        return cache[key]


def weighted(
    contracts: Sequence[Contract],
    moment: datetime,
    *,
    per: float = 8.0,
    max_age: timedelta = timedelta(hours=2),
    equal: bool = False,
) -> dict[str, object]:
    """The row of `/funding/{asset}?weighted=oi` at one instant."""
    rates: list[tuple[float, float]] = []
    total = 0.0
    present, stale, missing = set[str](), set[str](), set[str]()
    for contract in contracts:
        settled = contract.last(contract.settled, moment)
        if settled is None or moment - settled > REMEMBERED:
            continue
        rate, hours = contract.settled[settled]
        held = contract.last(contract.held, moment)
        weight = 1.0 if equal else None if held is None else contract.held[held]
        total += weight or 0.0
        if moment - settled > timedelta(hours=1.5 * hours):
            missing.add(contract.exchange)
        elif weight is None or (not equal and held is not None and moment - held > max_age):
            stale.add(contract.exchange)
        else:
            present.add(contract.exchange)
            rates.append((rate * per / hours, weight))
    values = [rate for rate, _ in rates]
    weights = sum(weight for _, weight in rates)
    return {
        "rate": sum(r * w for r, w in rates) / weights if weights else None,
        "mean": mean(values) if values else None,
        "median": median(values) if values else None,
        "min": min(values, default=None),
        "max": max(values, default=None),
        "instruments": len(values),
        "coverage": weights / total if total else None,
        "present": sorted(present),
        "stale": sorted(stale),
        "missing": sorted(missing),
    }
