"""What is generated is made of names and instants alone."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from app.records import Record
from app.services.demo import minutes, options, perps
from app.services.demo.waves import DAY, grain, walk
from app.services.demo.world import CONTRACTS, Contract

NOON = 1_790_000_000 // DAY * DAY + DAY // 2
CONTRACT = next(one for one in minutes.IN_MINUTES if one.coin.symbol == "SOL")
Make = Callable[[Contract, int, int], Iterable[Record]]


@pytest.mark.parametrize(
    "make",
    [
        *(perps.funding, perps.funding_again, perps.predicted, perps.open_interest, perps.candles),
        *(minutes.minutes, minutes.liquidations),
    ],
)
def test_the_same_instant_says_the_same_whenever_it_is_made(make: Make) -> None:
    """Of two windows that overlap, the later has what the earlier has, and more."""
    first = {repr(one) for one in make(CONTRACT, NOON - 2 * DAY, NOON)}
    later = {repr(one) for one in make(CONTRACT, NOON - DAY, NOON + DAY // 4)}
    shared = {repr(one) for one in make(CONTRACT, NOON - DAY, NOON)}
    assert shared == first & later != set()
    assert first - shared
    assert later - shared


def test_options_say_the_same_whenever_they_are_made() -> None:
    family = options.FAMILIES[0]
    first = {(one.symbol, one.time): one for one in options.states(family, NOON - DAY, NOON)}
    later = {(one.symbol, one.time): one for one in options.states(family, NOON - DAY // 2, NOON + DAY // 2)}
    assert first.keys() & later.keys()
    assert all(first[key] == later[key] for key in first.keys() & later.keys())
    (contract, *_) = [one for one in options.listed(family, NOON, NOON) if one.kind == "option"]
    assert contract.active


def test_hours_are_what_their_minutes_add_up_to() -> None:
    (hour,) = perps.candles(CONTRACT, NOON, NOON + 3600)
    within = [one.values for one in minutes.minutes(CONTRACT, NOON, NOON + 3600)]
    assert len(within) == 60
    assert (hour.open, hour.close) == (within[0]["open"], within[-1]["close"])
    assert (hour.high, hour.low) == (max(v["high"] for v in within), min(v["low"] for v in within))
    assert hour.volume_base == pytest.approx(sum(v["volume_base"] for v in within))


def test_a_long_wick_each_half_day() -> None:
    for contract in minutes.IN_MINUTES:
        told = [one.values for one in minutes.minutes(contract, NOON, NOON + DAY // 2)]
        upper = sum(v["high"] / max(v["open"], v["close"]) > 1.02 for v in told)
        lower = sum(v["low"] / min(v["open"], v["close"]) < 0.98 for v in told)
        assert upper + lower == 1


def test_magnitudes_are_those_of_a_market() -> None:
    seconds = np.arange(NOON - 90 * DAY, NOON, 3600)
    assert np.abs(walk("x", seconds)).max() < 4
    assert 0.48 < grain("x", np.arange(20_000)).mean() < 0.52
    for contract in CONTRACTS:
        paid = np.array([one.rate for one in perps.funding(contract, NOON - 30 * DAY, NOON)])
        eight = paid * 8 / contract.venue.interval_hours
        assert 1e-6 < np.abs(eight).mean() < 5e-4
        assert np.corrcoef(eight[1:], eight[:-1])[0, 1] > 0.5
    assert len({contract.symbol for contract in CONTRACTS}) == len(CONTRACTS)


def test_six_expiries() -> None:
    found = options.expiries(NOON)
    assert found == sorted(set(found))
    assert len(found) == 6
    assert all(expiry.weekday() == 4 and expiry.hour == 8 for expiry in found)
