"""Options in plain Python, to hold the SQL against: Black-76, how they stood at an instant, and what each expiry is.

Everything is read off names and values as they were told; nothing of the service is used.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import erfc, exp, log, pi, sqrt
from typing import NamedTuple

YEAR = timedelta(days=365)
STALE = timedelta(days=1)


class State(NamedTuple):
    """One row of a recording: how an option stood, and since when that was known."""

    instrument: str
    time: datetime
    bid: float | None
    ask: float | None
    mark: float | None
    iv: float | None
    underlying: float
    index: float
    open_interest: float
    volume: float | None
    known_at: datetime | None = None

    @property
    def expiry(self) -> datetime:
        """08:00 UTC of the day in the name."""
        day = datetime.strptime(f"{self.instrument.split('-')[1]} 08 +0000", "%d%b%y %H %z")
        return day.astimezone(UTC)

    @property
    def strike(self) -> float:
        """The number in the name, `d` its decimal point."""
        return float(self.instrument.split("-")[2].replace("d", "."))

    @property
    def is_call(self) -> bool:
        """Whether the name ends in C."""
        return self.instrument.endswith("-C")

    @property
    def option_type(self) -> str:
        """`call` or `put`."""
        return "call" if self.is_call else "put"


class Greeks(NamedTuple):
    """Of one coin of the underlying, in USD; `price` too."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def normal(x: float) -> float:
    """The share of a normal distribution below `x`, exact in both tails."""
    return erfc(-x / sqrt(2)) / 2


def black76(option_type: str, forward: float, strike: float, iv: float, years: float) -> Greeks:
    """An option on a forward without interest; vega and rho of a percentage point, theta of a day or what is left."""
    sign, spread = (1 if option_type == "call" else -1), iv * sqrt(years)
    d1 = log(forward / strike) / spread + spread / 2
    d2 = d1 - spread
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    return Greeks(
        price=sign * (forward * normal(sign * d1) - strike * normal(sign * d2)),
        delta=sign * normal(sign * d1),
        gamma=density / (forward * spread),
        vega=forward * density * sqrt(years) / 100,
        theta=-forward * density * iv / (2 * sqrt(years)) * min(1 / 365, years),
        rho=sign * strike * years * normal(sign * d2) / 100,
    )


def greeks_of(state: State) -> Greeks | None:
    """Of how an option stood, as of then; None without a volatility."""
    if not state.iv:
        return None
    years = (state.expiry - state.time) / YEAR
    return black76(state.option_type, state.underlying, state.strike, state.iv, years)


def chain(states: Iterable[State], at: datetime, known: datetime | None = None) -> dict[str, State]:
    """The last state of each option that lives, of those told at most a day before, and (`known`) known by then."""
    found: dict[str, State] = {}
    for state in sorted(states, key=lambda one: one.time):
        in_time = at - STALE < state.time <= at < state.expiry
        if in_time and (known is None or (state.known_at or state.time) <= known):
            found[state.instrument] = state
    return found


class Expiry(NamedTuple):
    """All options of one expiry together."""

    options: int
    call_open_interest: float
    put_open_interest: float
    put_call_open_interest: float | None
    call_volume: float
    put_volume: float
    put_call_volume: float | None
    atm_iv: float | None
    skew_25d: float | None


def by_expiry(chain: Mapping[str, State]) -> dict[datetime, list[State]]:
    """The options of each expiry."""
    found = defaultdict[datetime, list[State]](list)
    for state in chain.values():
        found[state.expiry].append(state)
    return found


def forwards(options: Sequence[State]) -> set[float]:
    """The underlying prices told last of an expiry: those of one sweep differ by what passed between its rows."""
    newest = max(state.time for state in options)
    return {state.underlying for state in options if state.time == newest}


def expiry(options: Sequence[State], forward: float) -> Expiry:
    """What an expiry is, its forward being one of `forwards`."""
    calls, puts = [o for o in options if o.is_call], [o for o in options if not o.is_call]
    open_interest = [sum(o.open_interest for o in side) for side in (calls, puts)]
    volume = [sum(o.volume or 0 for o in side) for side in (calls, puts)]
    call, put = _quarter(calls, forward, 0.25), _quarter(puts, forward, -0.25)
    return Expiry(
        len(options),
        *open_interest,
        open_interest[1] / open_interest[0] if open_interest[0] else None,
        *volume,
        volume[1] / volume[0] if volume[0] else None,
        between(smile(options).items(), forward),
        None if call is None or put is None else put - call,
    )


def smile(options: Iterable[State]) -> dict[float, float]:
    """The mean volatility of call and put by strike."""
    found = defaultdict[float, list[float]](list)
    for option in options:
        if option.iv:
            found[option.strike].append(option.iv)
    return {strike: sum(ivs) / len(ivs) for strike, ivs in found.items()}


def _quarter(side: Iterable[State], forward: float, delta: float) -> float | None:
    """The volatility at a delta, of the options out of the money."""
    points = [
        (greeks.delta, option.iv or 0)
        for option in side
        if (greeks := greeks_of(option)) and (option.strike - forward) * delta >= 0
    ]
    return between(points, delta)


def between(points: Iterable[tuple[float, float]], x: float) -> float | None:
    """Linear between the two nearest points; None beyond them. Points of equal x are their mean."""
    there: dict[float, list[float]] = {}
    for place, value in points:
        there.setdefault(place, []).append(value)
    low, high = ([p for p in there if p <= x], [p for p in there if p >= x])
    if not low or not high:
        return None
    (x0, y0), (x1, y1) = ((p, sum(there[p]) / len(there[p])) for p in (max(low), min(high)))
    return y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
