"""Options of two coins as their exchange would tell them: a smile, a term structure, prices by Black-76 of both."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from functools import cache

import numpy as np

from app.records import IndexPrice, Instrument, OptionSnapshot, OptionType
from app.services.demo.bars import HOUR, MINUTE
from app.services.demo.perps import grid, instant
from app.services.demo.waves import DAY, Seconds, grain, sway, walk
from app.services.demo.world import COINS, LISTED, Coin, index

STATES_EVERY = 4 * HOUR
YEAR = 365 * DAY
CARRY = 0.05
"""What a forward is above the index, a year."""
STRIKES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1.0, 1.025, 1.05, 1.075, 1.1, 1.15, 1.2, 1.35, 1.6)
"""Of the usual price."""
SETTLES_AT = clock(8, tzinfo=UTC)
FRIDAY = 4
TYPES: tuple[OptionType, ...] = ("call", "put")
TICK = 0.0001
SAMPLES = 6
"""Of an index in an hour."""


@dataclass(frozen=True, slots=True)
class Family:
    """Options of a coin: their usual volatility a year, what their strikes are multiples of, coins held of each."""

    coin: Coin
    volatility: float
    rung: float
    held: float

    @property
    def price_index(self) -> str:
        """The index they are settled on."""
        return f"{self.coin.symbol.lower()}_usd"

    @property
    def volatility_index(self) -> str:
        """The index of their volatility."""
        return f"{self.coin.symbol}-DVOL"


FAMILIES = (Family(COINS[0], 0.48, 1000.0, 900.0), Family(COINS[1], 0.62, 50.0, 9000.0))


def expiries(at: int) -> list[datetime]:
    """The next three Fridays and the last Fridays of the next three months after these, at 08:00 UTC."""
    day = instant(at)
    fridays = [
        moment
        for days in range(190)
        if (date := (day + timedelta(days=days)).date()).weekday() == FRIDAY
        and (moment := datetime.combine(date, SETTLES_AT)) > day
    ]
    last = [friday for friday in fridays[3:] if (friday + timedelta(days=7)).month != friday.month]
    return fridays[:3] + last[:3]


def listed(family: Family, start: int, until: int) -> Iterator[Instrument]:
    """The options that live at some time between, and the two indexes."""
    for name in (family.price_index, family.volatility_index):
        yield Instrument(name, family.coin.symbol, "USD", kind="index", listed_at=LISTED)
    for expiry in sorted({*expiries(start), *expiries(until)}):
        for strike in _strikes(family):
            for side in TYPES:
                yield _option(family, expiry, strike, side, until)


def _strikes(family: Family) -> list[float]:
    return sorted({round(family.coin.price * share / family.rung) * family.rung for share in STRIKES})


def _option(family: Family, expiry: datetime, strike: float, side: OptionType, until: int) -> Instrument:
    coin = family.coin.symbol
    return Instrument(
        f"{coin}-{expiry.day}{expiry:%b%y}-{strike:.0f}-{side[0]}".upper(),
        coin,
        coin,
        kind="option",
        margin="coin",
        active=expiry > instant(until),
        listed_at=LISTED,
        oi_sides=1,
        expires_at=expiry,
        strike=strike,
        option_type=side,
        price_index=family.price_index,
        tick_size=TICK,
    )


def expired(option: Instrument) -> Instrument:
    """The same when it is not listed any more."""
    return replace(option, active=False, delisted_at=option.expires_at)


def volatility(family: Family, at: Seconds) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Implied volatility of 30 days at the forward, a fraction a year."""
    return np.round(family.volatility * np.exp(0.16 * walk(f"{family.coin.symbol} volatility", at)), 4)


@dataclass(frozen=True, slots=True)
class Moment:
    """What all options of a family have in common at an instant.

    `spot`: the index in USD; `month`: volatility of 30 days; `skew` of the smile; `crowd`: how much is held, about 1.
    """

    family: Family
    at: int
    spot: float
    month: float
    skew: float
    crowd: float


def moment(family: Family, at: int) -> Moment:
    """How a family stands."""
    then, coin = np.array([at]), family.coin.symbol
    skew, crowd = (float(sway(f"{coin} {word}", then, 6 * DAY)[0]) for word in ("skew", "crowd"))
    spot, month = float(index(family.coin, then)[0]), float(volatility(family, then)[0])
    return Moment(family, at, spot, month, -0.05 + 0.03 * skew, 1 + 0.1 * crowd)


def mark_iv(now: Moment, years: float, moneyness: float) -> float:
    """The smile: `moneyness` is ln(strike ÷ forward). Short expiries move more, puts cost more than calls."""
    usual = now.family.volatility
    level = usual + (now.month - usual) * math.exp(-(years - 30 / 365) * 2)
    away = moneyness / math.sqrt(years + 0.02)
    return min(3.0, max(0.12, level * (1 + now.skew * away + 0.11 * away**2)))


def black76(side: OptionType, forward: float, strike: float, iv: float, years: float) -> float:
    """Price in USD of an option on one coin, without interest (F. Black, 1976)."""
    root = iv * math.sqrt(years)
    first = math.log(forward / strike) / root + root / 2
    sign = 1 if side == "call" else -1
    return sign * (forward * _below(sign * first) - strike * _below(sign * (first - root)))


def _below(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def states(family: Family, start: int, until: int) -> Iterator[OptionSnapshot]:
    """How each option stood every few hours, and how it stands in the last full minute."""
    options = [one for one in listed(family, start, until) if one.kind == "option"]
    for at in sorted({*grid(start, until, STATES_EVERY).tolist(), until // MINUTE * MINUTE}):
        now, time = moment(family, at), instant(at)
        for option in options:
            expires = option.expires_at
            if expires is not None and expires > time:
                yield _state(now, option, time, (expires - time).total_seconds() / YEAR)


def _state(now: Moment, option: Instrument, time: datetime, years: float) -> OptionSnapshot:
    strike, side = option.strike or 0.0, option.option_type or "call"
    forward = now.spot * (1 + CARRY * years)
    away = math.log(strike / forward)
    iv = round(mark_iv(now, years, away), 4)
    mark = round(max(black76(side, forward, strike, iv, years) / forward, 0.0), 6)
    half = TICK * math.ceil(max(1.0, 0.012 * mark / TICK))
    bid, ask = math.floor((mark - half) / TICK) * TICK, math.ceil((mark + half) / TICK) * TICK
    held = _held(now, option, away, years)
    return OptionSnapshot(
        option.symbol,
        time,
        bid=round(bid, 4) if bid > 0 else None,
        ask=round(ask, 4),
        mark_price=mark,
        mark_iv=iv,
        underlying_price=round(forward, 2),
        index_price=round(now.spot, 2),
        open_interest=round(held, 1),
        volume_24h=round(held * 0.09 * _chance(option.symbol, now.at // DAY), 1),
    )


@cache
def _chance(name: str, number: int) -> float:
    return float(grain(name, np.array([number]))[0])


def _held(now: Moment, option: Instrument, away: float, years: float) -> float:
    """Coins: most a little out of the money and in months near."""
    out = away if option.option_type == "call" else -away
    near = math.exp(-((out - 0.12) ** 2) / 0.09) * (1.4 if years > 0.05 else 0.7)
    return now.family.held * near * (0.3 + _chance(option.symbol, 0)) * now.crowd


def indexes(family: Family, start: int, until: int) -> Iterator[IndexPrice]:
    """Hours of the price and of its volatility."""
    edges = np.arange(-(-start // HOUR) * HOUR, until // HOUR * HOUR + 1, HOUR // SAMPLES)
    told = {
        family.price_index: np.round(index(family.coin, edges), 2),
        family.volatility_index: volatility(family, edges),
    }
    for name, values in told.items():
        for at in range(0, len(edges) - 1, SAMPLES):
            hour = values[at : at + SAMPLES + 1].tolist()
            yield IndexPrice(name, instant(edges[at]), hour[-1], hour[0], max(hour), min(hour))


def indexes_now(family: Family, until: int) -> Iterator[IndexPrice]:
    """Both in the last full minute."""
    now = np.array([until // MINUTE * MINUTE])
    yield IndexPrice(family.price_index, instant(now[0]), round(float(index(family.coin, now)[0]), 2))
    yield IndexPrice(family.volatility_index, instant(now[0]), float(volatility(family, now)[0]))
