"""Changes, RSI, wicks and longer bars in plain Python, straight from the domain rules, to hold the SQL against."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HELD = 500


class Candle(NamedTuple):
    """One candle; volume in coins."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None = None


Values = Mapping[datetime, float]
Maybe = Mapping[datetime, float | None]
Candles = Mapping[datetime, Candle]


def change(values: Maybe, moment: datetime, minutes: int) -> float | None:
    """Percent since exactly so many minutes before; None where either is missing or the earlier one is zero."""
    now, before = values.get(moment), values.get(moment - minutes * MINUTE)
    return None if now is None or not before else 100 * (now / before - 1)


def rsi_of_run(closes: Sequence[float]) -> float | None:
    """RSI(14) after the last of some closes without a gap."""
    changes = [after - before for before, after in pairwise(closes)]
    if len(changes) < 14:
        return None
    up, down = (sum(max(sign * change, 0) for change in changes[:14]) / 14 for sign in (1, -1))
    for one in changes[14:]:
        up, down = (up * 13 + max(one, 0)) / 14, (down * 13 + max(-one, 0)) / 14
    if down == 0:
        return 100 if up else 50
    return 100 - 100 / (1 + up / down)


def rsi(closes: Values, moment: datetime, step: timedelta = MINUTE) -> float | None:
    """RSI(14) at a candle: of it and the candles before, back to a gap, 500 at the most."""
    run: list[float] = []
    while len(run) < HELD and moment in closes:
        run.append(closes[moment])
        moment -= step
    return rsi_of_run(run[::-1])


def hours_of(closes: Values) -> dict[datetime, float]:
    """The close of every hour that has a minute: that of its last."""
    return {moment.replace(minute=0): closes[moment] for moment in sorted(closes)}


def rsi_of_hour(hours: Values, moment: datetime) -> float | None:
    """RSI(14) of the hour completed last when the minute that opens at `moment` closes."""
    return rsi(hours, (moment + MINUTE).replace(minute=0) - HOUR, HOUR)


def wicks(candle: Candle) -> dict[str, float]:
    """Percent by which a candle reached over and under what it opened and closed at."""
    top, bottom = max(candle.open, candle.close), min(candle.open, candle.close)
    return {"upper": 100 * (candle.high - top) / top, "lower": 100 * (bottom - candle.low) / bottom}


def bars(candles: Candles, length: timedelta, epoch: datetime) -> dict[datetime, tuple[Candle, bool]]:
    """Longer bars of the minutes there are, and whether each has all of them."""
    parts: dict[datetime, list[Candle]] = {}
    for moment in sorted(candles):
        parts.setdefault(epoch + (moment - epoch) // length * length, []).append(candles[moment])
    return {start: (_joined(some), len(some) == length // MINUTE) for start, some in parts.items()}


def _joined(some: Sequence[Candle]) -> Candle:
    high, low = max(one.high for one in some), min(one.low for one in some)
    return Candle(some[0].open, high, low, some[-1].close, _sum(one.volume for one in some))


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
