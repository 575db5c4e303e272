"""How the dashboard writes numbers, said once more in Python: the tests compare cells with what the API answers."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

MISSING = "–"
Number = float | int | None


def fixed(value: float, places: int) -> str:
    """As `toFixed`: halves away from zero."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def percent(value: Number, places: int | None = None) -> str:
    if value is None:
        return MISSING
    size = abs(value * 100)
    usual = 0 if size >= 100 else 2 if size >= 1 else 4
    return f"{fixed(value * 100, usual if places is None else places)}%"


def rate(value: Number, per: str) -> str:
    return percent(value, 2 if per == "1y" else 4)


def _figures(value: float, count: int) -> Decimal:
    number = Decimal(repr(float(value)))
    return number and number.quantize(Decimal(1).scaleb(number.adjusted() - count + 1), ROUND_HALF_UP)


def plain(number: Decimal) -> str:
    """With commas, and no zeros at its end."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact(value: Number) -> str:
    """Four figures, and K, M, B or T."""
    if value is None:
        return MISSING
    number = _figures(value, 4)
    step = min(max(number.adjusted() // 3, 0), 4) if number else 0
    return plain(number.scaleb(-3 * step)) + ["", "K", "M", "B", "T"][step]


def usd(value: Number) -> str:
    return MISSING if value is None else f"{'−' if value < 0 else ''}${compact(abs(value))}"


def number(value: Number) -> str:
    return MISSING if value is None else plain(_figures(value, 8))


def time(milliseconds: Number) -> str:
    if milliseconds is None:
        return MISSING
    stamp = datetime.fromtimestamp(int(milliseconds) // 1000, UTC)
    return f"{stamp:%Y-%m-%d %H:%M}" if stamp.second == 0 else f"{stamp:%Y-%m-%d %H:%M:%S}"


def day(milliseconds: Number) -> str:
    return MISSING if milliseconds is None else time(milliseconds)[:10]


def age(seconds: Number) -> str:
    if seconds is None:
        return MISSING
    for unit, letter in ((86_400, "d"), (3600, "h"), (60, "m")):
        if abs(seconds) >= unit:
            return plain(Decimal(fixed(seconds / unit, 1))) + letter
    return f"{round(seconds)}s"
