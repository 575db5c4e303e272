"""Candles of minutes, and of hours as they add up: both tell one story."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.services.demo.waves import DAY, Numbers, Seconds, grain, spread, sway
from app.services.demo.world import Contract, price

MINUTE, HOUR = 60, 3600
WICK_EVERY = 720
"""In so many minutes there is one with a long wick."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Candles in columns, in quoted units and USD; `start` in seconds since 1970."""

    start: Seconds
    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers
    volume_base: Numbers
    volume_usd: Numbers
    buy_volume_base: Numbers
    trades: Numbers


def minutes(contract: Contract, start: int, end: int) -> Bars:
    """The minutes that begin in `[start, end)`, both of them full minutes."""
    edges = np.arange(start, end + MINUTE, MINUTE)
    prices, at = price(contract, edges), edges[:-1]
    first, last, number = prices[:-1], prices[1:], at // MINUTE
    upper, lower = (_wick(contract, side, number) for side in ("upper", "lower"))
    volume = _volume_usd(contract, at, np.abs(last / first - 1))
    base = np.round(volume / ((first + last) / 2), 4)
    bought = 0.5 + 0.12 * sway(f"{contract.name} bought", at, 5 * HOUR) + 0.2 * (grain(contract.name, number) - 0.5)
    high = np.round(np.maximum(first, last) * (1 + upper), contract.coin.decimals)
    low = np.round(np.minimum(first, last) * (1 - lower), contract.coin.decimals)
    taken = np.round(base * np.clip(bought, 0.05, 0.95), 4)
    trades = np.floor(1 + volume / 2500 * spread(f"{contract.name} trades", number, 0.3))
    return Bars(at, first, high, low, last, base, np.round(volume, 2), taken, trades)


def hours(contract: Contract, start: int, end: int) -> Bars:
    """The hours that begin in `[start, end)`, both of them full hours."""
    fine = minutes(contract, start, end)

    def over(values: Numbers, how: Callable[..., Numbers]) -> Numbers:
        return how(values.reshape(-1, HOUR // MINUTE), axis=1)

    sums = (
        np.round(over(values, np.sum), 4)
        for values in (fine.volume_base, fine.volume_usd, fine.buy_volume_base, fine.trades)
    )
    high, low = over(fine.high, np.max), over(fine.low, np.min)
    step = HOUR // MINUTE
    return Bars(fine.start[::step], fine.open[::step], high, low, fine.close[step - 1 :: step], *sums)


def _wick(contract: Contract, side: str, number: Seconds) -> Numbers:
    """Length of a wick as a fraction of the price: a few basis points, twice a day 2 to 5 percent."""
    name, turn = f"{contract.name} {side}", number // WICK_EVERY
    is_here = number % WICK_EVERY == np.floor(WICK_EVERY * grain(f"{contract.name} wick", turn))
    is_long = is_here & ((grain(f"{contract.name} side", turn) < 0.5) == (side == "upper"))
    return np.where(is_long, 0.022 + 0.03 * grain(f"{name} far", number), 6e-4 * grain(name, number) ** 2)


def _volume_usd(contract: Contract, at: Seconds, move: Numbers) -> Numbers:
    """More in the afternoon (UTC), and more where the price moves."""
    of_day = 1 + 0.45 * np.sin(2 * np.pi * (at - 9 * HOUR) / DAY)
    usual = contract.coin.volume_usd * contract.share * MINUTE / DAY
    return usual * of_day * spread(contract.name, at // MINUTE, 0.6) * (1 + 400 * move)
