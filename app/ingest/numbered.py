"""The words for trades that have numbers, by which what a socket left out is asked for. No I/O, no clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from app.ingest.asking import Request
from app.ingest.wire import Bad, Json
from app.records import Instrument, OptionTrade


@dataclass(frozen=True, slots=True)
class NumberedTrades:
    """Trades of an instrument by their numbers, which grow by one with each.

    `request` asks for those from one number to another, both included, of which an answer holds the first `most`;
    `rows` reads one, and raises ValueError where it is none. Each of `recent` asks for those of some contracts of a
    coin (and may be of others) from one time until before another, the first `most` again. `expiring` makes a contract
    of its name, where that tells its terms: what has expired is in no list any more.
    """

    request: Callable[[str, int, int], Request]
    rows: Callable[[Json], Iterable[OptionTrade | Bad]]
    most: int
    docs: str
    recent: tuple[Callable[[str, datetime, datetime], Request], ...] = ()
    expiring: Callable[[str], Instrument | None] | None = None
