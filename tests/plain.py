"""The weighted mean in plain Python, straight from the domain rules, to hold the SQL against."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import mean, median

REMEMBERED = timedelta(days=30)


@dataclass
class Contract:
    """One perpetual: settlements (time → rate of one interval, hours) and open interest (time → USD)."""

    exchange: str
    settled: dict[datetime, tuple[float, float]] = field(default_factory=dict)
    held: dict[datetime, float] = field(default_factory=dict)
    name: str = ""

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


USUAL = (1.0, 2.0, 4.0, 6.0, 8.0)


def hours_of(times: Sequence[datetime], assumed: float = 8.0) -> list[float]:
    """The interval of each settlement, read off the spacing to the one before (domain rules, section 2)."""
    spacings = [(after - before) / timedelta(hours=1) for before, after in pairwise(times)]
    hours: list[float | None] = [None]
    for place, spacing in enumerate(spacings):
        current, following = hours[-1], next((s for s in spacings[place + 1 :] if s in USUAL), None)
        longer = current is not None and spacing > current and spacing % current == 0
        seen_again = following is not None and (following >= spacing or spacing % following != 0)
        hours.append(spacing if spacing in USUAL and (not longer or seen_again) else current)
    first = next((found for found in hours if found is not None), assumed)
    return [first if found is None else found for found in hours]


def in_force(contracts: Sequence[Contract], moment: datetime, per: float = 8.0) -> list[tuple[str, str, float]]:
    """Exchange, contract and rate of every contract whose last settlement is not older than 1.5 of its intervals."""
    found: list[tuple[str, str, float]] = []
    for contract in contracts:
        settled = contract.last(contract.settled, moment)
        if settled is not None:
            rate, hours = contract.settled[settled]
            if moment - settled <= timedelta(hours=1.5 * hours):
                found.append((contract.exchange, contract.name, rate * per / hours))
    return found


def best_pair(contracts: Sequence[Contract], moment: datetime, per: float = 8.0) -> dict[str, object] | None:
    """The row of `/spreads/{asset}` at one instant: short the highest, long the lowest; ties go to the first name."""
    rates = sorted(in_force(contracts, moment, per))
    if len(rates) < 2:
        return None
    short = max(rates, key=lambda one: one[2])
    long = min((one for one in rates if one is not short), key=lambda one: one[2])
    spread = short[2] - long[2]
    return {
        "short_exchange": short[0],
        "long_exchange": long[0],
        "short_rate": short[2],
        "long_rate": long[2],
        "spread": spread,
        "spread_apr": spread * 8760 / per,
    }
