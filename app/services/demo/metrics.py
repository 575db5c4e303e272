"""A few fundamentals: what is locked, and what users pay, by day."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.records import Metric, MetricValue
from app.services.demo.perps import grid, instant
from app.services.demo.waves import DAY, spread, walk

CANONICAL_ID = "canonical_id"
TVL = Metric("TVL", "TVL", "USD", "fundamental", "daily", "instant", about="Generated: value locked.")
FEES = Metric("FEES", "FEES", "USD", "fundamental", "daily", "day", about="Generated: all that users paid.")


@dataclass(frozen=True, slots=True)
class Told:
    """Of whom, by canonical id, and about how much in USD."""

    entity: str
    locked: float
    fees: float


ABOUT = (
    Told("ethereum", 6.8e10, 1.1e6),
    Told("solana", 9.5e9, 9.0e5),
    Told("arbitrum", 2.9e9, 6.0e4),
    Told("aave", 3.2e10, 2.1e6),
    Told("uniswap", 4.6e9, 2.6e6),
)


def values(start: int, until: int, *, off: float = 0.0) -> Iterator[MetricValue]:
    """Values of days, the running one too; `off`: how far another source's are off, a share."""
    at = grid(start, until, DAY)
    for one in ABOUT:
        locked = one.locked * np.exp(0.08 * walk(f"{one.entity} locked", at)) * (1 + off)
        paid = (
            one.fees * np.exp(0.25 * walk(f"{one.entity} fees", at)) * spread(one.entity, at // DAY, 0.15) * (1 + off)
        )
        for metric, column in ((TVL, locked), (FEES, paid)):
            for second, value in zip(at, column.tolist(), strict=True):
                yield MetricValue(metric, CANONICAL_ID, one.entity, instant(second), round(value, 2))
