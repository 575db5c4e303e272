"""The thirty columns of Velo: the metric each is, how the buckets of an hour become its value, and what none can be."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import fsum
from operator import itemgetter
from statistics import fmean
from typing import NamedTuple

from app.records import BadRecord, Domain, Metric, check_hour_value

NOT_TOLD = {"", "null", "nan", "undefined"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

Combine = Callable[[Sequence[float]], float]
first, last = itemgetter(0), itemgetter(-1)


class Column(NamedTuple):
    """A column of Velo: the metric it is, and how the buckets of an hour become the hour's value."""

    metric: Metric
    combine: Combine


def _column(domain: Domain, name: str, ours: str, unit: str, combine: Combine, about: str = "", to: str = "") -> Column:
    covers, signed = "instant" if combine in (first, last) else "1h", unit == RATE or ours == "premium"
    return Column(Metric(name, to or name, unit, domain, "hourly", covers, signed, ours, about), combine)


PRICE, USD, COIN, RATE = "USD a coin", "USD", "coins", "fraction per 8 h"
AT_THE_END, OF_AN_HOUR = "At the end of the hour.", "Velo's value is the volume of one hour, not of 24."
trading, derivative = partial(_column, "trading"), partial(_column, "derivative")
COLUMNS = {
    "open_price": trading("OPEN_PRICE", "open", PRICE, first, "At the beginning of the hour."),
    "high_price": trading("HIGH_PRICE", "high", PRICE, max),
    "low_price": trading("LOW_PRICE", "low", PRICE, min),
    "close_price": trading("CLOSE_PRICE", "close", PRICE, last, AT_THE_END, "PRICE"),
    "coin_volume": trading("COIN_VOLUME", "volume_base", COIN, fsum),
    "dollar_volume": trading("DOLLAR_VOLUME", "volume_usd", USD, fsum, OF_AN_HOUR, "TRADING_VOLUME_24H"),
    "buy_trades": trading("BUY_TRADES", "buy_trades", "count", fsum),
    "sell_trades": trading("SELL_TRADES", "sell_trades", "count", fsum),
    "total_trades": trading("TOTAL_TRADES", "trades", "count", fsum),
    "buy_coin_volume": trading("BUY_COIN_VOLUME", "buy_volume_base", COIN, fsum, "Bought by takers."),
    "sell_coin_volume": trading("SELL_COIN_VOLUME", "sell_volume_base", COIN, fsum, "Sold by takers."),
    "buy_dollar_volume": trading("BUY_DOLLAR_VOLUME", "buy_volume_usd", USD, fsum, "Bought by takers."),
    "sell_dollar_volume": trading("SELL_DOLLAR_VOLUME", "sell_volume_usd", USD, fsum, "Sold by takers."),
    "coin_open_interest_high": derivative("COIN_OI_HIGH", "oi_base_high", COIN, max),
    "coin_open_interest_low": derivative("COIN_OI_LOW", "oi_base_low", COIN, min),
    "coin_open_interest_close": derivative("COIN_OI_CLOSE", "oi_base_close", COIN, last, AT_THE_END),
    "dollar_open_interest_high": derivative("DOLLAR_OI_HIGH", "oi_usd_high", USD, max),
    "dollar_open_interest_low": derivative("DOLLAR_OI_LOW", "oi_usd_low", USD, min),
    "dollar_open_interest_close": derivative("DOLLAR_OI_CLOSE", "oi_usd_close", USD, last, AT_THE_END, "OPEN_INTEREST"),
    "funding_rate": derivative("FUNDING_RATE", "funding_rate_8h", RATE, last, AT_THE_END),
    "funding_rate_avg": derivative("FUNDING_RATE_AVG", "funding_rate_8h_mean", RATE, fmean, "Mean of the hour."),
    "premium": derivative("PREMIUM", "premium", "", last, "Mark against index price; unit unproven."),
    "buy_liquidations": derivative("BUY_LIQUIDATIONS", "buy_liquidations", "count", fsum),
    "sell_liquidations": derivative("SELL_LIQUIDATIONS", "sell_liquidations", "count", fsum),
    "buy_liquidations_coin_volume": derivative("BUY_LIQ_COIN_VOL", "buy_liquidation_base", COIN, fsum),
    "sell_liquidations_coin_volume": derivative("SELL_LIQ_COIN_VOL", "sell_liquidation_base", COIN, fsum),
    "liquidations_coin_volume": derivative("LIQ_COIN_VOL", "liquidation_base", COIN, fsum),
    "buy_liquidations_dollar_volume": derivative("BUY_LIQ_DOLLAR_VOL", "buy_liquidation_usd", USD, fsum),
    "sell_liquidations_dollar_volume": derivative("SELL_LIQ_DOLLAR_VOL", "sell_liquidation_usd", USD, fsum),
    "liquidations_dollar_volume": derivative("LIQ_DOLLAR_VOL", "liquidation_usd", USD, fsum),
}
ESSENTIAL = ("close_price", "dollar_volume", "dollar_open_interest_close", "funding_rate", "liquidations_dollar_volume")
OTHERS = tuple(name for name in COLUMNS if name not in ESSENTIAL)


def numbers(name: str, texts: Iterable[str]) -> list[float]:
    """What the buckets tell of a column, by time. Raises ValueError where one tells something else than a number."""
    told: list[float] = []
    for text in map(str.strip, texts):
        if NUMBER.fullmatch(text):
            told.append(float(text))
        elif text.lower() not in NOT_TOLD:
            raise ValueError(f"{name} is {text[:40]!r}")
    return told


def value_of(name: str, texts: Iterable[str]) -> float | None:
    """An hour's value of one of `COLUMNS`, None where none is told. Raises ValueError, which names the column."""
    column, told = COLUMNS[name], numbers(name, texts)
    if not told:
        return None
    try:
        for number in told:
            check_hour_value(column.metric.column or name, number)
        value = column.combine(told)
        check_hour_value(column.metric.column or name, value)
    except BadRecord as bad:
        raise BadRecord(bad.code, f"{name}: {bad.reason}") from bad
    return value
