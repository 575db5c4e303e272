"""Records of minutes and of liquidations, and the stretches of minutes that are missing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.records import Liquidation, PerpMinute, Position
from app.services.demo import bars
from app.services.demo.bars import HOUR, MINUTE
from app.services.demo.perps import estimate, grid, instant, open_interest_usd
from app.services.demo.waves import DAY, Seconds, grain, spread, sway
from app.services.demo.world import CONTRACTS, Contract, index, price
from app.services.gaps import Reason, State

IN_MINUTES = tuple(contract for contract in CONTRACTS if contract.has_minutes)


@dataclass(frozen=True, slots=True)
class Missing:
    """A stretch of every day, in minutes since midnight (UTC), in which an exchange told nothing of a coin.

    `came`: it was asked for again, and came.
    """

    exchange: str
    coin: str
    first: int
    last: int
    reason: Reason = "outage"
    state: State = "open"
    came: bool = False
    detail: str | None = None


MISSING = (
    Missing("demo-beta", "SOL", 190, 232, detail="generated: the exchange did not answer"),
    Missing("demo-beta", "ETH", 870, 945, "upstream_keeps_no_more", "unfillable", detail="generated: nobody has it"),
    Missing("demo-alpha", "SOL", 540, 566, came=True),
    Missing("demo-alpha", "ETH", 1205, 1217, "not_fetched_yet", detail="generated: nobody has asked yet"),
)


def missing(contract: Contract, start: int, until: int) -> Iterator[tuple[Missing, int, int]]:
    """The stretches that are missing of a contract and are over, and when they begin and end."""
    mine = [one for one in MISSING if (one.exchange, one.coin) == (contract.venue.slug, contract.coin.symbol)]
    for midnight in range(start // DAY * DAY, until, DAY):
        for one in mine:
            first, last = midnight + one.first * MINUTE, midnight + one.last * MINUTE
            if first > start and last < until:
                yield one, first, last


def _is_missing(contract: Contract, at: Seconds) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    of_day, gone = at % DAY // MINUTE, np.zeros(len(at), dtype=np.bool_)
    for one in MISSING:
        if (one.exchange, one.coin) == (contract.venue.slug, contract.coin.symbol) and not one.came:
            gone |= (of_day >= one.first) & (of_day < one.last)
    return gone


def minutes(contract: Contract, start: int, until: int) -> Iterator[PerpMinute]:
    """Minutes that are over, with everything that is told of one but liquidations."""
    found = bars.minutes(contract, start // MINUTE * MINUTE, until // MINUTE * MINUTE)
    at, interest = found.start, open_interest_usd(contract, found.start)
    expected, _ = estimate(contract, at)
    mark = price(contract, at) * (1 + 4e-5 * sway(f"{contract.name} mark", at, HOUR))
    told = {
        **{name: getattr(found, name) for name in ("open", "high", "low", "close")},
        **{name: getattr(found, name) for name in ("volume_base", "volume_usd", "buy_volume_base", "trades")},
        "sell_volume_base": np.round(found.volume_base - found.buy_volume_base, 4),
        "oi_base": np.round(interest / found.open, 4),
        "oi_usd": interest,
        "predicted_rate": expected,
        "predicted_interval_hours": np.full(len(at), float(contract.venue.interval_hours)),
        "long_short_ratio": np.round(1.6 * np.exp(0.35 * sway(f"{contract.name} accounts", at // 300, 150)), 4),
        "mark_price": np.round(mark, contract.coin.decimals),
        "index_price": np.round(index(contract.coin, at) * contract.coin.unit, contract.coin.decimals),
    }
    names, columns = list(told), [column.tolist() for column in told.values()]
    for second, gone, *values in zip(at, _is_missing(contract, at), *columns, strict=True):
        if not gone:
            yield PerpMinute(contract.symbol, instant(second), dict(zip(names, values, strict=True)))


def liquidations(contract: Contract, start: int, until: int) -> Iterator[Liquidation]:
    """Few in most hours, many within minutes now and then, of whom the price went against."""
    for hour in grid(start, until, HOUR)[:-1]:
        chance = grain(f"{contract.name} liquidated", np.array([hour, hour + 1]))
        moved = price(contract, np.array([hour, hour + HOUR]))
        side: Position = "long" if moved[1] < moved[0] else "short"
        is_cluster = chance[0] < 0.15
        number = int(8 + 30 * chance[1]) if is_cluster else int(3 * chance[1])
        yield from _burst(contract, int(hour), number, side, within=8 * MINUTE if is_cluster else HOUR - MINUTE)


def _burst(contract: Contract, hour: int, number: int, side: Position, *, within: int) -> Iterator[Liquidation]:
    steps = hour + np.arange(number)
    begin = int((HOUR - within) * grain(f"{contract.name} begins", steps[:1])[0]) if number else 0
    times = np.sort(1000 * (hour + begin) + (1000 * within * grain(f"{contract.name} when", steps)).astype(np.int64))
    prices = price(contract, times // 1000 // MINUTE * MINUTE)
    usd = 9_000 * contract.share / 0.4 * spread(f"{contract.name} size", steps, 1.3)
    for time, paid, dollars in zip(times.tolist(), prices.tolist(), usd.tolist(), strict=True):
        moment = instant(time // 1000).replace(microsecond=time % 1000 * 1000)
        yield Liquidation(contract.symbol, moment, side, round(paid, 2), round(dollars / paid, 4))
