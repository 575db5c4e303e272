"""Funding at any instant of the past, in memory: what was in force then, and nothing later."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from perpstore_client.client import PerpstoreClient
from perpstore_client.contracts import Known, meant
from perpstore_client.settlements import Read, Series, Settled, Wanted, from_folder, from_server
from perpstore_client.steps import Steps, combined, first, in_force
from perpstore_client.times import HOUR_US, Moment, many_microseconds, microseconds, rfc_3339

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Times = Iterable[Moment] | NDArray[Any]

LOOK_BACK = 14 * 24 * HOUR_US
"""What settled so long before the first instant may still be in force, or tell the interval of what is."""


class NotLoaded(LookupError):
    """Asked about a time or a name that `load` was not asked for, or about a name that nobody knows."""


class BestSpread(NamedTuple):
    """Short the perpetual with the highest rate, long the one with the lowest; `spread` is per 8 h, never negative."""

    short_exchange: str
    long_exchange: str
    spread: float


class Backtest:
    """Rates per 8 h as fractions, of a server or of the files of `perpstore export funding --parquet`.

    A rate is in force from its settlement (which counts) for 1.5 of its intervals, and these are as the settlements by
    then tell, whatever was learned of them later. Where an exchange has several contracts of an asset, its main one
    among those with a rate in force is meant: the one in USDT before that in USDC before all others, the shortest
    symbol first. Wherever an exchange is named, `exchange:symbol` names one contract. Of several sources it is the one
    that the server prefers, as files state too: by default the exchange itself, then imports, then others.

    Times are datetimes (also those of pandas and numpy), epoch seconds or milliseconds, or RFC 3339; without an offset
    they are UTC. Names are taken in any case.
    """

    def __init__(self, origin: "PerpstoreClient[Any] | str | PathLike[str]") -> None:
        self._origin = origin if isinstance(origin, PerpstoreClient) else Path(origin)
        self._begin(1, 0, None, Read({}, Known(frozenset(), {}), {}))

    def _begin(self, start: int, end: int, exchanges: tuple[str, ...] | None, read: Read) -> None:
        self._start, self._end, self._exchanges = start, end, exchanges
        self._settled = {asset.lower(): found for asset, found in read.settled.items()}
        self._sources = read.sources
        self._known = read.known.exchanges
        self._contracts = {asset.lower(): names for asset, names in read.known.contracts.items()}
        self._rates: dict[tuple[str, str], Steps[float]] = {}
        self._arrays: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._best: dict[str, Steps[BestSpread]] = {}

    def load(
        self,
        start: Moment,
        end: Moment,
        assets: str | Sequence[str] | None = None,
        exchanges: str | Sequence[str] | None = None,
    ) -> Self:
        """Read what answers about `start` to `end`, both included, need; None: of all assets, all exchanges.

        Replaces what was loaded before. Raises a `PerpstoreError` (a name that is not known, a server that does not
        answer), FileNotFoundError for a folder without files, ValueError for an end before the start.
        """
        first_us, last_us = microseconds(start), microseconds(end)
        if last_us < first_us:
            raise ValueError("start has to be before end")
        names, slugs = _words(assets), _words(exchanges)
        lowered = None if slugs is None else tuple(dict.fromkeys(_exchange(slug) for slug in slugs))
        wanted = Wanted(max(0, first_us - LOOK_BACK), last_us, lowered)
        origin = self._origin
        is_client = isinstance(origin, PerpstoreClient)
        read = from_server(origin, names, wanted) if is_client else from_folder(origin, names, wanted)
        self._begin(first_us, last_us, lowered, read)
        return self

    def funding_rate(self, ts: Moment, exchange: str, asset: str) -> float | None:
        """The rate per 8 h in force at `ts`; None where there is none. Raises NotLoaded, ValueError, TypeError."""
        steps = self._rates.get((exchange, asset)) or self._rated(exchange, asset)
        us = microseconds(ts)
        if not self._start <= us <= self._end:
            raise self._outside(us)
        return steps.values[bisect_right(steps.starts, us)]

    def spread(self, ts: Moment, a: str, b: str, asset: str) -> float | None:
        """The rate of exchange `a` less that of `b`, per 8 h, which may be negative; None where one has none."""
        one, other = self.funding_rate(ts, a, asset), self.funding_rate(ts, b, asset)
        return None if one is None or other is None else one - other

    def best_spread(self, ts: Moment, asset: str) -> BestSpread | None:
        """The widest pair of perpetuals at `ts`, whatever their contracts; None with fewer than two rates in force.

        Of several with the same rate it is the first by name of exchange, then of contract.
        """
        steps = self._best.get(asset) or self._widest(asset)
        us = microseconds(ts)
        if not self._start <= us <= self._end:
            raise self._outside(us)
        return steps.values[bisect_right(steps.starts, us)]

    def funding_rates(self, times: "Times", exchange: str, asset: str) -> "NDArray[np.float64]":
        """The rates in force at many instants, in their order; NaN where there is none."""
        import numpy as np

        starts, values = self._arrays.get((exchange, asset)) or self._array(exchange, asset)
        at = many_microseconds(times)
        outside = at[(at < self._start) | (at > self._end)]
        if outside.size:
            raise self._outside(int(outside[0]))
        return values[np.searchsorted(starts, at, side="right")]

    def spreads(self, times: "Times", a: str, b: str, asset: str) -> "NDArray[np.float64]":
        """`spread` at many instants, in their order; NaN where one of the two has no rate."""
        at = [*times] if not hasattr(times, "dtype") else times
        return self.funding_rates(at, a, asset) - self.funding_rates(at, b, asset)

    def _outside(self, us: int) -> NotLoaded:
        first, last = rfc_3339(self._start), rfc_3339(self._end)
        return NotLoaded(f"{rfc_3339(us)} is not in what was loaded: {first} to {last}")

    def _of(self, asset: str) -> Settled:
        if self._end < self._start:
            raise NotLoaded("nothing is loaded yet: load(start, end, assets, exchanges)")
        found = self._settled.get(asset.lower())
        if found is None:
            raise NotLoaded(f"{asset} was not loaded; there are {', '.join(self._settled) or 'none'}")
        return found

    def _rated(self, exchange: str, asset: str) -> Steps[float]:
        """The rate of an exchange's main contract or of the one named, remembered under the names it was asked by."""
        settled, word = self._of(asset), exchange.lower()
        self._check(exchange, asset)
        meant_by = (one for one in settled if word in (one.exchange, _name(one).lower()))
        series = sorted(meant_by, key=lambda one: (*_rank(one), *self._preference(one)))
        steps = self._rates[exchange, asset] = _preferred(settled, series)
        return steps

    def _preference(self, series: Series) -> tuple[int, int, str]:
        """The place of its source; of one whose place was not told the exchange itself, then imports, then others."""
        order = [*self._sources.get(series.exchange, ())]
        place = order.index(series.source) if series.source in order else len(order)
        return place, 0 if series.source == series.exchange else 1 if series.source == "import" else 2, series.source

    def _check(self, exchange: str, asset: str) -> None:
        """Raise NotLoaded for an exchange, or a contract of one, that was not loaded or that nobody knows."""
        slug, contracts = _exchange(exchange), self._contracts.get(asset.lower(), frozenset())
        if self._exchanges is not None and slug not in self._exchanges:
            raise NotLoaded(f"{exchange} was not loaded; there are {', '.join(self._exchanges)}")
        if slug not in self._known:
            raise NotLoaded(f"No exchange {slug}{meant(slug, self._known)}")
        if ":" in exchange and exchange.lower() not in map(str.lower, contracts):
            raise NotLoaded(f"No perpetual {exchange} of {asset}{meant(exchange, contracts)}")

    def _array(self, exchange: str, asset: str) -> tuple[Any, Any]:
        import numpy as np

        steps = self._rates.get((exchange, asset)) or self._rated(exchange, asset)
        arrays = np.array(steps.starts, np.int64), np.array(steps.values, np.float64)
        self._arrays[exchange, asset] = arrays
        return arrays

    def _widest(self, asset: str) -> Steps[BestSpread]:
        settled = self._of(asset)
        series = sorted(settled, key=lambda one: (one.exchange, one.instrument, *self._preference(one)))
        contracts = [list(several) for _, several in groupby(series, key=lambda one: one[:2])]
        names = [several[0].exchange for several in contracts]
        rates = [_preferred(settled, several) for several in contracts]
        steps = self._best[asset] = combined(rates, lambda now: _widest_of(names, now))
        return steps


def _words(told: str | Sequence[str] | None) -> list[str] | None:
    return None if told is None else told.split(",") if isinstance(told, str) else list(told)


def _exchange(word: str) -> str:
    """Of `exchange` or `exchange:symbol`."""
    return word.partition(":")[0].lower()


def _name(series: Series) -> str:
    return f"{series.exchange}:{series.instrument}"


def _rank(series: Series) -> tuple[int, int, str]:
    """The main contract first: by its symbol alone."""
    symbol = series.instrument
    quote = 0 if "USDT" in symbol.upper() else 1 if "USDC" in symbol.upper() else 2
    return quote, len(symbol), symbol


def _preferred(settled: Settled, series: Sequence[Series]) -> Steps[float]:
    """The rate of the first of these series that has one in force."""
    return combined([in_force(settled[one]) for one in series], first)


def _widest_of(names: Sequence[str], rates: Sequence[float | None]) -> BestSpread | None:
    there = [(place, rate) for place, rate in enumerate(rates) if rate is not None]
    if len(there) < 2:
        return None
    high, low = max(rate for _, rate in there), min(rate for _, rate in there)
    if high == low:
        return BestSpread(names[there[0][0]], names[there[1][0]], high - low)
    short = next(place for place, rate in there if rate == high)
    long = next(place for place, rate in there if rate == low)
    return BestSpread(names[short], names[long], high - low)
