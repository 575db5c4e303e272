"""Of which instruments there are quotes and books: all perpetuals, the nearest futures, the most traded options."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.records import Instrument

NEAREST_FUTURES = 6
ROOM = 1.25
"""Who is in stays while no more than so many times the places are better."""
EVERY, EXPIRY, AFTER_EXPIRY = timedelta(hours=1), timedelta(hours=8), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an option's chain says of it: volume of 24 hours and open interest, in coins; None: nobody told."""

    symbol: str
    volume: float | None
    open_interest: float | None


def ranked(standings: Collection[Standing]) -> list[str]:
    """Options, the best first: by their share of all volume and of all open interest."""
    volume = sum(one.volume or 0 for one in standings) or 1.0
    interest = sum(one.open_interest or 0 for one in standings) or 1.0

    def worth(one: Standing) -> float:
        return (one.volume or 0) / volume + (one.open_interest or 0) / interest

    return [one.symbol for one in sorted(standings, key=lambda one: (-worth(one), one.symbol))]


def best(ranking: Sequence[str], held: Collection[str], places: int) -> list[str]:
    """Who has a place: of those that are `held` all that are not clearly outranked, then the best of the others."""
    near = ranking[: int(places * ROOM)]
    stay = [symbol for symbol in near if symbol in held][:places]
    come = [symbol for symbol in ranking if symbol not in held]
    taken = frozenset([*stay, *come[: places - len(stay)]])
    return [symbol for symbol in ranking if symbol in taken]


def of_family(instruments: Mapping[str, Instrument], currency: str) -> dict[str, Instrument]:
    """The contracts on a coin that can be traded."""
    return {
        symbol: one
        for symbol, one in instruments.items()
        if one.base.upper() == currency and one.active and one.kind in ("perp", "future", "option")
    }


def hedges(family: Iterable[Instrument], now: datetime) -> list[str]:
    """Perpetuals and the nearest futures."""
    contracts = list(family)
    futures = [one for one in contracts if one.kind == "future" and (one.expires_at is None or one.expires_at > now)]
    nearest = sorted(futures, key=lambda one: (one.expires_at is None, one.expires_at or now, one.symbol))
    return [one.symbol for one in contracts if one.kind == "perp"] + [one.symbol for one in nearest[:NEAREST_FUTURES]]


def next_choice(now: datetime) -> datetime:
    """When to choose anew: an hour later, and a minute after options expire at 08:00 UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    expiry = midnight + EXPIRY + AFTER_EXPIRY
    return min(now + EVERY, expiry if now < expiry else expiry + timedelta(days=1))
