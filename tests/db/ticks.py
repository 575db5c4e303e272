"""Ticks as rows, for tests that store them."""

from datetime import UTC, datetime, timedelta

from app.services.ticks import Row

NOW = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0)
DAY, HOUR, MS = timedelta(days=1), timedelta(hours=1), timedelta(milliseconds=1)


def quote(to: int, ts: datetime, bid: float | None, late: timedelta = MS) -> Row:
    return (to, ts, bid, 0.06, 1.5, None, ts + late)


def trade(to: int, ts: datetime, seq: int, price: float = 0.05) -> Row:
    return (to, ts, seq, f"BTC-{seq}", -1, price, 2.0, 0.55, None, 90_000.0, "M", False, True, ts + MS)


def book(to: int, ts: datetime, best: float, levels: int = 2) -> Row:
    bids, amounts = [best - n for n in range(levels)], [1.0 + n for n in range(levels)]
    return (to, ts, 77, bids, amounts, [], [], ts + MS)
