"""Numbers that look like a market's, each made of a name and an instant alone: no state, no chance, no clock."""

from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Seconds = NDArray[np.int64]
"""Since 1970."""

DAY = 86_400
LONGEST, SHORTEST, STEP = 60 * DAY, 600, 2.3


@cache
def _phases(name: str) -> tuple[tuple[float, float, float], ...]:
    """Period, phase and height of each wave: the height grows with the root of the period, as in a random walk."""
    waves: list[tuple[float, float, float]] = []
    period = float(LONGEST)
    while period > SHORTEST:
        chance = grain(f"{name} {len(waves)}", np.arange(2))
        own = period * (0.8 + 0.4 * float(chance[0]))
        waves.append((own, 2 * np.pi * float(chance[1]), own**0.5))
        period /= STEP
    size = sum(height**2 / 2 for *_, height in waves) ** 0.5
    return tuple((period, phase, height / size) for period, phase, height in waves)


def walk(name: str, seconds: Seconds) -> Numbers:
    """Something like a random walk that never goes far: mean 0, standard deviation 1 over months."""
    total = np.zeros(len(seconds))
    for period, phase, height in _phases(name):
        total += height * np.sin(2 * np.pi / period * seconds + phase)
    return total


def sway(name: str, seconds: Seconds, period: float) -> Numbers:
    """To and fro between -1 and 1, about once in `period` seconds."""
    first, second = 2 * np.pi * grain(name, np.arange(2))
    turn = 2 * np.pi / period * seconds
    return 0.6 * np.sin(turn + first) + 0.4 * np.sin(1.618 * turn + second)


def grain(name: str, steps: Seconds) -> Numbers:
    """What has nothing to do with its neighbours: evenly spread in [0, 1). (SplitMix64 of the number of the step.)"""
    mixed = steps.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(crc32(name.encode()) * 0x9E3779B1)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def spread(name: str, steps: Seconds, sigma: float) -> Numbers:
    """Factors around 1, as volumes vary: about log-normal with this standard deviation of the logarithm."""
    even = np.zeros(len(steps)) - 2.0
    for number in range(4):
        even += grain(f"{name} {number}", steps)
    return np.exp(even * sigma * 3**0.5)
