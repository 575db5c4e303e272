"""Which facts there are of how many days, dataset by dataset."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.records import Record
from app.services.demo import minutes, options, perps
from app.services.demo.waves import DAY as DAY
from app.services.demo.world import CONTRACTS, SECOND_SOURCE, SOURCE, VENUES, Contract
from app.services.reference import SeriesRef

DAYS, PREDICTED_DAYS, OPTION_DAYS, MINUTE_DAYS = 30, 3, 4, 2

Series = Mapping[str, SeriesRef]
"""By symbol: no two of the generated exchanges spell one alike."""
Make = Callable[[Contract, int, int], Iterable[Record]]


@dataclass(frozen=True, slots=True)
class Tellers:
    """The series of each of the two sources."""

    first: Series
    second: Series


@dataclass(frozen=True, slots=True)
class Part:
    """Facts of one dataset as one source tells them."""

    dataset: str
    records: Iterable[Record]
    series: Series
    source: str = SOURCE


def parts(tellers: Tellers, end: int) -> Iterator[Part]:
    """Everything there is of the days before `end`, in seconds since 1970."""
    yield from _of_hours(tellers, end)
    start, series = end - MINUTE_DAYS * DAY, tellers.first
    yield Part("candles_1m", _of(minutes.IN_MINUTES, minutes.minutes, start, end), series)
    yield Part("liquidations", _of(minutes.IN_MINUTES, minutes.liquidations, start, end), series)
    for family in options.FAMILIES:
        yield Part("option_chain", options.states(family, end - OPTION_DAYS * DAY, end), series)
        yield Part("index_price", options.indexes(family, end - DAYS * DAY, end), series)
        yield Part("index_price", options.indexes_now(family, end), series)


def _of_hours(tellers: Tellers, end: int) -> Iterator[Part]:
    start, series = end - DAYS * DAY, tellers.first
    yield Part("funding", _of(CONTRACTS, perps.funding, start, end), series)
    told_twice = [contract for contract in CONTRACTS if contract.venue is VENUES[0]]
    again = _of(told_twice, perps.funding_again, start, end)
    yield Part("funding", again, tellers.second, source=SECOND_SOURCE)
    yield Part("open_interest", _of(CONTRACTS, perps.open_interest, start, end), series)
    yield Part("predicted_funding", _of(CONTRACTS, perps.predicted, end - PREDICTED_DAYS * DAY, end), series)
    yield Part("candles_1h", _of(CONTRACTS, perps.candles, start, end), series)


def _of(contracts: Iterable[Contract], make: Make, start: int, end: int) -> Iterator[Record]:
    return (record for contract in contracts for record in make(contract, start, end))
