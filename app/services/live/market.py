"""Which perpetuals there are, the rates in force, and the best pair of each asset, in memory."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

IN_FORCE_SECONDS = 1.5 * 3600
"""How long a rate is in force, for each hour of its interval."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Rate:
    """A settlement: when (epoch seconds), the fraction paid, and the hours it was for."""

    at: float
    rate: float
    hours: float

    @property
    def per_8h(self) -> float:
        """The same for eight hours."""
        return self.rate * 8 / self.hours

    @property
    def until(self) -> float:
        """The last moment at which it is in force."""
        return self.at + IN_FORCE_SECONDS * self.hours


@dataclass(frozen=True, slots=True)
class Contract:
    """A perpetual as one source tells of it.

    `active`: it is traded still, so it may be a leg of a pair. `generated`: it is made up to try things out with.
    """

    series_id: int
    instrument_id: int
    entity_id: int
    active: bool
    asset: str
    exchange: str
    instrument: str
    source: str
    generated: bool


Leg = tuple[Contract, Rate]
Pair = tuple[Leg, Leg]
"""What to be short of, and what to be long of."""


def best_pair(legs: Sequence[Leg]) -> Pair | None:
    """The highest rate against the lowest of another contract; ties go to the first. None of fewer than two."""
    if len(legs) < 2:
        return None
    short = max(legs, key=lambda leg: leg[1].per_8h)
    long = min((leg for leg in legs if leg is not short), key=lambda leg: leg[1].per_8h)
    return short, long


def _said(pair: Pair | None) -> Sequence[object]:
    """What a pair is told to be: the same rate settled once more is no other one."""
    return [(leg.entity_id, leg.asset, leg.exchange, leg.instrument, rate.per_8h) for leg, rate in pair or ()]


@dataclass(slots=True)
class Market:
    """The contracts by series, the newest rate of each, and the best pair of each asset with the time it came to be."""

    contracts: dict[int, Contract] = field(default_factory=dict[int, Contract])
    rates: dict[int, Rate] = field(default_factory=dict[int, Rate])
    pairs: dict[int, tuple[str, str, Pair | None]] = field(default_factory=dict[int, tuple[str, str, Pair | None]])
    _perpetuals: Mapping[int, Sequence[Sequence[int]]] = field(default_factory=dict[int, Sequence[Sequence[int]]])
    _until: dict[int, float] = field(default_factory=dict[int, float])

    def load(self, rows: Iterable[asyncpg.Record]) -> None:
        """Take the contracts and rates there are, by exchange, contract and preference, for those known so far."""
        entities: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.contracts, self.rates = {}, {}
        for row in rows:
            contract = Contract(*(row[name] for name in Contract.__slots__))
            self.contracts[contract.series_id] = contract
            if contract.active:
                entities[contract.entity_id][contract.instrument_id].append(contract.series_id)
            if row["settled_at"] is not None:
                self.rates[contract.series_id] = Rate(row["settled_at"], row["rate"], row["interval_hours"])
        self._perpetuals = {entity: list(perpetuals.values()) for entity, perpetuals in entities.items()}

    def settle(self, series_id: int, rate: Rate) -> None:
        """A settlement became known. One that is older than what is known changes nothing."""
        known = self.rates.get(series_id)
        if known is None or known.at <= rate.at:
            self.rates[series_id] = rate

    def entities(self) -> Collection[int]:
        """All there are."""
        return self._perpetuals.keys() | self.pairs.keys()

    def expired(self, now: float) -> list[int]:
        """Entities of whose rates one is not in force any more since they were last compared."""
        return [entity for entity, until in self._until.items() if until < now]

    def compare(self, entities: Iterable[int], now: float, time: str) -> list[int]:
        """Find the best pairs anew; which of these entities have another one now, `time` being when that came to be."""
        return [entity for entity in entities if self._compare(entity, now, time)]

    def _compare(self, entity: int, now: float, time: str) -> bool:
        legs = [leg for series in self._perpetuals.get(entity, ()) if (leg := self._in_force(series, now))]
        self._until[entity] = min((rate.until for _, rate in legs), default=NEVER)
        pair = best_pair(legs)
        asset, _, before = self.pairs.get(entity, ("", "", None))
        if _said(pair) == _said(before):
            return False
        self.pairs[entity] = (pair[0][0].asset if pair else asset, time, pair)
        return True

    def _in_force(self, series: Sequence[int], now: float) -> Leg | None:
        """Of several sources the first that has a rate in force."""
        told = ((self.contracts[one], self.rates[one]) for one in series if one in self.rates)
        return next((leg for leg in told if now <= leg[1].until), None)
