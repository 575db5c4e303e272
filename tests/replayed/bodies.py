"""What the replayed exchanges have in common: recorded rows as patterns, and how numbers and candles are written.

Recorded rows come from a folder beside the repository (`PERPSTORE_FIXTURES`), without it from `tests/payloads`; what
is asked about in them is then said anew.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.replayed import markets as world
from tests.replayed.markets import HOUR, Market

ROOT = Path(__file__).parents[2]
FIXTURES = Path(os.environ.get("PERPSTORE_FIXTURES", ROOT.parent / "shared" / "fixtures"))
STEPS = {"1m": timedelta(minutes=1), "1h": HOUR, "1": timedelta(minutes=1), "60": HOUR, "1H": HOUR}

Answer = tuple[int, Any]
Query = Mapping[str, str]


@lru_cache
def recorded(exchange: str, body: str, payload: str, *path: str | int) -> dict[str, Any]:
    """The first row of a recorded body, or else of a payload of ours."""
    file = FIXTURES / exchange / body
    rows: Any = json.loads((file if file.is_file() else ROOT / "tests/payloads" / exchange / payload).read_text())
    for step in path:
        rows = rows[step]
    return rows[0]


def text(number: float) -> str:
    """A number as exchanges write it: digits, never an exponent."""
    return f"{number:.12f}".rstrip("0").rstrip(".")


def candles(
    market: Market, start: datetime, end: datetime, step: timedelta, now: datetime
) -> list[tuple[datetime, list[str]]]:
    """Opening time, then open, high, low, close and volume of those that open in `[start, end]`, the last growing."""
    return [
        (time, [text(value) for value in world.candle(market, time, step)])
        for time in world.grid(max(start, world.LISTED), min(end, now), step)
    ]


def coming(market: Market, now: datetime) -> datetime:
    """The settlement after `now`."""
    return next(world.grid(now + timedelta(microseconds=1), now + timedelta(hours=9), market.hours * HOUR))
