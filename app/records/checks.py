"""What no record may hold: times, rates, quantities and intervals that cannot be true."""

import math
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2009, 1, 3, tzinfo=UTC)
CLOCK_SKEW = timedelta(minutes=5)
LARGEST_RATE = 1.0
LARGEST_QUANTITY = 1e18


class BadRecord(ValueError):
    """A row that cannot be true. `code` is stable and names the rule, the message says what was seen."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def check_time(time: datetime, *, future: bool = False) -> None:
    """Refuse naive time, time before Bitcoin and, unless `future`, time after now."""
    if time.tzinfo is None:
        raise BadRecord("naive_time", f"{time.isoformat()} has no offset")
    if time < EARLIEST:
        raise BadRecord("time_out_of_range", f"{time.isoformat()} is before {EARLIEST.date()}")
    if not future and time > datetime.now(UTC) + CLOCK_SKEW:
        raise BadRecord("time_in_future", f"{time.isoformat()} is in the future")


def check_rate(rate: float) -> None:
    """Refuse a rate that is not a number, or of more than 100 % an interval in either direction."""
    if not math.isfinite(rate):
        raise BadRecord("not_finite", f"rate is {rate}")
    if abs(rate) > LARGEST_RATE:
        raise BadRecord("rate_out_of_range", f"rate {rate} is past {LARGEST_RATE} an interval")


def check_quantity(name: str, value: float | None) -> None:
    """Refuse a quantity or price that is not a number, negative or absurdly large. None is unknown, and allowed."""
    if value is None:
        return
    if not math.isfinite(value):
        raise BadRecord("not_finite", f"{name} is {value}")
    if value < 0:
        raise BadRecord("negative", f"{name} is {value}")
    if value > LARGEST_QUANTITY:
        raise BadRecord("quantity_out_of_range", f"{name} is {value}")


def check_interval(hours: float | None) -> None:
    """Refuse an interval that is not a positive, finite number of hours. None is not told, and allowed."""
    if hours is not None and not (math.isfinite(hours) and hours > 0):
        raise BadRecord("interval", f"an interval of {hours} hours")


def check_candle(open: float, high: float, low: float, close: float) -> None:
    """Refuse a high and a low that do not enclose open and close."""
    if high < max(open, close) or low > min(open, close):
        raise BadRecord("high_low", f"high {high} and low {low} do not enclose open and close")
