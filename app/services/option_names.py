"""What the names of options and indexes spell: the terms of the contract.

As Deribit names them: https://docs.deribit.com/articles/instruments-naming. Pure functions; they read spelling only.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal

from app.records import VOLATILITY_INDEX, Margin, OptionType

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
EXPIRES = time(8, tzinfo=UTC)
"""When options expire on their day."""
OPTION = re.compile(
    rf"([A-Z0-9]+)(?:_([A-Z0-9]+))?-([1-9]\d?)({'|'.join(MONTHS)})(\d\d)-(\d+(?:D\d+)?)-([CP])", re.ASCII
)
PAIR = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)", re.ASCII)
OF_VOLATILITY = re.compile(rf"([A-Z0-9]+){VOLATILITY_INDEX}", re.ASCII)
SIDES: dict[str, OptionType] = {"C": "call", "P": "put"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract or index is, as far as its name says. `symbol`: its name as its exchange spells it.

    `quote`: the currency its price is in, the coin itself for an inverse option; null of a volatility index.
    """

    symbol: str
    kind: Literal["option", "index"]
    base: str
    quote: str | None = None
    margin: Margin | None = None
    expires_at: datetime | None = None
    strike: float | None = None
    option_type: OptionType | None = None
    price_index: str | None = None


def option_of(name: str) -> Terms | None:
    """The terms of an option; None for what is no option's name. The day is not padded, `d` is a decimal point.

    >>> terms = option_of("XRP_USDC-21SEP26-1d325-C")
    >>> terms.base, terms.margin, terms.strike, terms.option_type, str(terms.expires_at)
    ('XRP', 'stable', 1.325, 'call', '2026-09-21 08:00:00+00:00')
    >>> option_of("BTC-27DEC24-100000-P").quote, option_of("BTC-02MAY26-100000-P"), option_of("BTC-PERPETUAL")
    ('BTC', None, None)
    """
    found = OPTION.fullmatch(name.upper())
    if found is None:
        return None
    base, quote, day, month, year, strike, side = found.groups()
    expiry, price = _day(day, month, year), float(strike.replace("D", "."))
    if expiry is None or price == 0:
        return None
    family = f"{base}_{quote}" if quote else base
    return Terms(
        symbol=f"{family}-{day}{month}{year}-{strike.lower()}-{side}",
        kind="option",
        base=base,
        quote=quote or base,
        margin="stable" if quote else "coin",
        expires_at=expiry,
        strike=price,
        option_type=SIDES[side],
        price_index=f"{base}_{quote or 'USD'}".lower(),
    )


def _day(day: str, month: str, year: str) -> datetime | None:
    try:
        return datetime.combine(date(2000 + int(year), MONTHS.index(month) + 1, int(day)), EXPIRES)
    except ValueError:
        return None


def index_of(name: str) -> Terms | None:
    """What an index is of: of prices in a currency, or of volatility; None for what is neither's name.

    >>> index_of("btc_usd").base, index_of("btc_usd").quote, index_of("BTC-DVOL").base, index_of("BTC-PERPETUAL")
    ('BTC', 'USD', 'BTC', None)
    """
    if found := OF_VOLATILITY.fullmatch(name.upper()):
        return Terms(name.upper(), "index", found[1])
    if found := PAIR.fullmatch(name.upper()):
        return Terms(name.lower(), "index", found[1], found[2])
    return None
