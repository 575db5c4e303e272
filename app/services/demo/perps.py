"""Records of perpetuals: settled and predicted funding, open interest, candles of hours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from app.records import Candle, FundingRate, OpenInterest, PredictedFunding
from app.services.demo import bars
from app.services.demo.bars import HOUR
from app.services.demo.waves import DAY, Numbers, Seconds, sway, walk
from app.services.demo.world import SILENT, Contract, price

SILENT_FOR = 2 * DAY
LARGEST = 0.0075
"""No exchange pays more for 8 hours."""
OFF = 0.04
"""How far the second source is off where it is wrong: a share of the rate."""


def instant(seconds: int | np.int64) -> datetime:
    """The time of so many seconds since 1970."""
    return datetime.fromtimestamp(int(seconds), UTC)


def grid(start: int, end: int, step: int) -> Seconds:
    """The multiples of `step` in `[start, end]`."""
    return np.arange(-(-start // step) * step, end + 1, step)


def told_until(contract: Contract, until: int) -> int:
    """Until when its exchange told of a contract."""
    return until - SILENT_FOR if (contract.venue.slug, contract.coin.symbol) == SILENT else until


def rate(contract: Contract, at: Seconds) -> Numbers:
    """What is paid for one interval that ends then: of its coin, a little of its exchange's own."""
    own = 4e-5 * walk(f"{contract.name} funding", at)
    eight = contract.coin.lean + contract.venue.lean + 1.1e-4 * walk(f"{contract.coin.symbol} funding", at) + own
    return np.round(np.clip(eight, -LARGEST, LARGEST) * contract.venue.interval_hours / 8, 8)


def funding(contract: Contract, start: int, until: int) -> Iterator[FundingRate]:
    """Settlements."""
    at = grid(start, told_until(contract, until), contract.venue.interval_hours * HOUR)
    for second, paid in zip(at, rate(contract, at).tolist(), strict=True):
        yield FundingRate(contract.symbol, instant(second), paid)


def funding_again(contract: Contract, start: int, until: int) -> Iterator[FundingRate]:
    """The same as a second source tells it: every third is wrong."""
    interval = contract.venue.interval_hours * HOUR
    for one in funding(contract, start, until):
        wrong = one.time.timestamp() // interval % 3 == 1
        yield FundingRate(one.symbol, one.time, round(one.rate * (1 + OFF) + 2e-6, 8)) if wrong else one


def estimate(contract: Contract, at: Seconds) -> tuple[Numbers, Seconds]:
    """What is expected at these instants to be paid next, and when: the nearer, the surer."""
    interval = contract.venue.interval_hours * HOUR
    due = (at // interval + 1) * interval
    doubt = 3e-5 * contract.venue.interval_hours / 8 * sway(f"{contract.name} doubt", at, 3 * HOUR)
    return np.round(rate(contract, due) + doubt * (due - at) / interval, 8), due


def predicted(contract: Contract, start: int, until: int, step: int = HOUR) -> Iterator[PredictedFunding]:
    """Samples of what is expected to be paid next."""
    at = grid(start, told_until(contract, until), step)
    rates, due = estimate(contract, at)
    hours = float(contract.venue.interval_hours)
    for second, expected, then in zip(at, rates.tolist(), due, strict=True):
        yield PredictedFunding(contract.symbol, instant(second), expected, instant(then), hours)


def open_interest_usd(contract: Contract, at: Seconds) -> Numbers:
    """One side, in USD."""
    return np.round(contract.coin.oi_usd * contract.share * np.exp(0.18 * walk(f"{contract.name} interest", at)), 2)


def open_interest(contract: Contract, start: int, until: int, step: int = HOUR) -> Iterator[OpenInterest]:
    """Samples of one-sided open interest."""
    at = grid(start, told_until(contract, until), step)
    usd = open_interest_usd(contract, at)
    base = np.round(usd / price(contract, at), 4)
    for second, coins, dollars in zip(at, base.tolist(), usd.tolist(), strict=True):
        yield OpenInterest(contract.symbol, instant(second), coins, dollars)


def candles(contract: Contract, start: int, until: int) -> Iterator[Candle]:
    """Candles of full hours that are over."""
    first, last = -(-start // HOUR) * HOUR, told_until(contract, until) // HOUR * HOUR
    if first >= last:
        return
    found = bars.hours(contract, first, last)
    columns = (found.open, found.high, found.low, found.close, found.volume_base, found.volume_usd)
    bought, trades = found.buy_volume_base.tolist(), found.trades.astype(int).tolist()
    values = zip(found.start, *(column.tolist() for column in columns), bought, trades, strict=True)
    for second, *numbers in values:
        yield Candle(contract.symbol, instant(second), timedelta(hours=1), *numbers)
