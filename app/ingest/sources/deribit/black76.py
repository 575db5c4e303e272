"""Greeks of an option on a forward by Black (1976), without interest: the same as `black76` of the schema."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from app.records import OptionType

NAME = re.compile(r".+-(\d{1,2})([A-Z]{3})(\d\d)-(\d+(?:d\d+)?)-([CP])", re.ASCII)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
EXPIRY_HOUR = 8
YEAR_SECONDS, DAYS = 365 * 86_400, 365
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """What an option is: expiry, strike in USD, call or put."""

    expires_at: datetime
    strike: float
    option_type: OptionType


def terms(name: str) -> Terms:
    """The terms in the name of an option: `BTC-2MAY26-77500-P`, `XRP_USDC-21SEP26-1d325-C`. Raises ValueError.

    Days have no leading zero, expiry is at 08:00 UTC, and `d` is the decimal point of a strike.
    """
    match = NAME.fullmatch(name)
    if match is None or match[2] not in MONTHS:
        raise ValueError(f"{name!r} is not the name of an option")
    day, month, year = int(match[1]), MONTHS.index(match[2]) + 1, 2000 + int(match[3])
    expires_at = datetime(year, month, day, EXPIRY_HOUR, tzinfo=UTC)
    return Terms(expires_at, float(match[4].replace("d", ".")), "call" if match[5] == "C" else "put")


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Of one coin in USD: `gamma` of 1 USD, `vega` and `rho` of a percentage point, `theta` of a day."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def sensitivities(forward: float, sigma: float, seconds: float, of: Terms) -> Sensitivities:
    """Of a forward price, a volatility (a fraction) and seconds to expiry. Raises ArithmeticError or ValueError.

    `theta` is of the rest of its life where that is shorter than a day. Deribit publishes no more than the option is
    worth, although nothing says so: that is not done here.
    """
    years, sign = seconds / YEAR_SECONDS, 1 if of.option_type == "call" else -1
    root = math.sqrt(years)
    d1 = math.log(forward / of.strike) / (sigma * root) + sigma * root / 2
    density, paid = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi), of.strike * _normal(sign * (d1 - sigma * root))
    return Sensitivities(
        delta=sign * _normal(sign * d1) + 0.0,  # a zero has no sign
        gamma=density / (forward * sigma * root),
        vega=forward * density * root / PERCENT,
        theta=0.0 - forward * density * sigma / (2 * root) * min(1 / DAYS, years),
        rho=sign * years * paid / PERCENT + 0.0,
    )


def _normal(x: float) -> float:
    """The cumulative distribution of the standard normal."""
    return math.erfc(-x / math.sqrt(2)) / 2
