"""Spreads in plain Python, straight from the domain rules, to hold the SQL against."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import permutations

from tests.plain import Contract

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
Market = Mapping[tuple[str, str], Contract]
"""Contracts by exchange and symbol."""
Row = dict[str, object]


def in_force(market: Market, moment: datetime, per: float = 8.0) -> dict[tuple[str, str], tuple[float, datetime]]:
    """The rate in force of each contract that has one, and when it settled."""
    found: dict[tuple[str, str], tuple[float, datetime]] = {}
    for name, contract in market.items():
        settled = contract.last(contract.settled, moment)
        if settled is not None and moment - settled <= 1.5 * contract.settled[settled][1] * HOUR:
            rate, hours = contract.settled[settled]
            found[name] = (rate * per / hours, settled)
    return found


def pairs(market: Market, moment: datetime, per: float = 8.0) -> list[Row]:
    """Every pair with the higher rate short, in the order of its names; of equal rates the first name is short."""
    rates = in_force(market, moment, per)
    return [
        _row(short, long, rates, moment, per)
        for short, long in permutations(sorted(rates), 2)
        if rates[short][0] > rates[long][0] or (rates[short][0] == rates[long][0] and short < long)
    ]


def best(market: Market, moment: datetime, per: float = 8.0) -> list[Row]:
    """The widest pair, the first of several; nothing where fewer than two rates are in force."""
    found = pairs(market, moment, per)
    return [max(found, key=lambda row: row["spread"])] if found else []  # type: ignore[arg-type,return-value]


def _row(
    short: tuple[str, str],
    long: tuple[str, str],
    rates: Mapping[tuple[str, str], tuple[float, datetime]],
    moment: datetime,
    per: float,
) -> Row:
    spread = rates[short][0] - rates[long][0]
    return {
        "time": moment, "short_exchange": short[0], "short_instrument": short[1], "long_exchange": long[0],
        "long_instrument": long[1], "short_rate": rates[short][0], "long_rate": rates[long][0], "spread": spread,
        "spread_apr": spread * 8760 / per, "short_time": rates[short][1], "long_time": rates[long][1],
    }  # fmt: skip


def net(row: Row, fees: Mapping[str, float], horizon: float, per: float = 8.0) -> float:
    """What a pair pays over so many hours, opening and closing both legs paid."""
    legs = fees[str(row["short_exchange"])] + fees[str(row["long_exchange"])]
    return float(row["spread"]) / per * horizon - 2 * legs  # type: ignore[arg-type]


def persistence(market: Market, row: Row, moment: datetime, lookback: int) -> tuple[int, int]:
    """Over the last full hours: at how many the short leg was higher, and at how many both legs had a rate."""
    last = moment.replace(minute=0, second=0, microsecond=0)
    hours = [in_force(market, last - n * HOUR) for n in range(lookback)]
    short, long = _names(row)
    both = [(rates[short][0], rates[long][0]) for rates in hours if short in rates and long in rates]
    return sum(high > low for high, low in both), len(both)


def realised(market: Market, row: Row, moment: datetime, lookback: int) -> tuple[float | None, float]:
    """What the short leg settled less what the long leg did in the minutes for which both are known; these in hours."""
    start = moment - lookback * HOUR
    known = [_minutes(market[name], moment) for name in _names(row)]
    both = {minute for minute in known[0] & known[1] if start < minute}
    sums = [[rate for time, (rate, _) in market[name].settled.items() if time in both] for name in _names(row)]
    return (sum(sums[0]) - sum(sums[1]) if all(sums) else None), len(both) / 60


def _minutes(contract: Contract, moment: datetime) -> set[datetime]:
    """The ends of all minutes settlements are for: since the one before, or an interval where that is long ago."""
    found: set[datetime] = set()
    times = sorted(time for time in contract.settled if time <= moment)
    for before, time in zip([None, *times], times, strict=False):
        took = contract.settled[time][1] * HOUR
        begun = before if before is not None and time - before <= 1.5 * took else time - took
        ended = moment if time == times[-1] else time
        found |= {begun + n * MINUTE for n in range(1, (ended - begun) // MINUTE + 1)}
    return found


def _names(row: Row) -> tuple[tuple[str, str], tuple[str, str]]:
    short, long = ((str(row[f"{side}_exchange"]), str(row[f"{side}_instrument"])) for side in ("short", "long"))
    return short, long
