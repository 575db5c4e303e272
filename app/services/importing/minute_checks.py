"""The rules of what is told of minutes and of instants in them, as those of `checks`."""

from collections.abc import Mapping

import numpy as np

from app.records import LARGEST_VALUE, Position
from app.services.batch import SIDES, microseconds
from app.services.importing.checks import NOT_SAID, Column, Facts, intervals
from app.services.importing.datasets import WHO
from app.services.importing.frame import Floats, Frame, Times
from app.services.importing.judge import Mask

MINUTE_US = 60_000_000
MS_US = 1_000
MEANT: Mapping[str, int] = {str(position): number for position, number in SIDES.items()}
WHOSE: Mapping[int, Position] = {number: position for position, number in SIDES.items()}
FAR_FROM_ONE = 1e-3
"""How far from 1 two shares may come together: they are told with four digits."""


def liquidations(frame: Frame) -> Facts:
    """Positions closed by their exchange; whose they were has to be said."""
    times, side = frame.times("time", required=True), _side(frame)
    price, quantity = (_of_something(frame, name) for name in ("price", "quantity"))
    columns: dict[str, Column] = {
        "ts": _apart(frame, times, side, price, quantity),
        "side": side,
        "price": price,
        "quantity": quantity,
        "known_at": frame.times("known_at"),
    }
    return Facts(columns, {"liquidation": frame.everywhere})


def _side(frame: Frame) -> Column:
    said = frame.words("side")
    orders = np.array([word.lower() in ("buy", "sell") for word in said.words] + [False])
    reason = "is it the order that closed the position, or the position? Tell whose it was: `long` or `short`"
    frame.judge.refuse(said.codes < 0, "no_side", lambda _: "`side` is missing")
    frame.judge.refuse(orders[said.codes], "ambiguous_side", lambda row: f"{frame.shown('side', row)}: {reason}")
    return frame.one_of("side", MEANT, NOT_SAID, "bad_side")


def _of_something(frame: Frame, field: str) -> Floats:
    found = frame.quantity(field, required=True)
    frame.judge.refuse(found == 0, "no_value", lambda _: f"a liquidation with a {field} of nothing")
    return found


def _apart(frame: Frame, times: Times, side: Column, price: Floats, quantity: Floats) -> Times:
    """Keys as `batch.apart` makes them of one liquidation, of the numbers as they were told."""
    keys = times.copy()
    rows = np.flatnonzero(frame.judge.alive & (times % MS_US == 0))
    told = zip(side[rows].tolist(), price[rows].tolist(), quantity[rows].tolist(), strict=True)
    keys[rows] += np.array([microseconds(WHOSE[at], *numbers) for at, *numbers in told], dtype=np.int64)
    return keys


def long_short(frame: Frame) -> Facts:
    """Accounts long ÷ accounts short, of the minute they were counted in."""
    ratio = frame.quantity("long_short_ratio")
    shares = _ratio_of_shares(frame, np.isnan(ratio))
    _check_shares(frame, ratio)
    ratio = np.where(np.isnan(ratio), shares, ratio)
    reason = "neither `long_short_ratio` nor `long_share` and `short_share`"
    frame.judge.refuse(np.isnan(ratio), "no_value", lambda _: reason)
    columns: dict[str, Column] = {
        "ts": _minute(frame),
        "long_short_ratio": ratio,
        "known_at": frame.times("known_at"),
    }
    return Facts(columns, {"perp_1m": frame.everywhere})


def _check_shares(frame: Frame, ratio: Floats) -> None:
    """A share beside a ratio has to be that of it, as far as its four digits tell."""
    short = 1 / (1 + np.maximum(ratio, 0))
    for name, share in (("long_share", 1 - short), ("short_share", short)):
        told, reason = frame.quantity(name), f"`{name}` of {{}} with `long_short_ratio` of {{}}"
        apart = np.abs(told - share) > FAR_FROM_ONE
        frame.judge.refuse(
            apart, "contradiction", lambda row, told=told, reason=reason: reason.format(told[row], ratio[row])
        )


def _ratio_of_shares(frame: Frame, wanted: Mask) -> Floats:
    long, short = frame.quantity("long_share"), frame.quantity("short_share")
    both = wanted & ~np.isnan(long) & ~np.isnan(short)
    apart = both & (np.abs(long + short - 1) > FAR_FROM_ONE)
    frame.judge.refuse(apart, "shares", lambda row: f"shares of {long[row]} and {short[row]} do not make 1 together")
    frame.judge.refuse(both & (short == 0), "shares", lambda _: "nobody is short: there is no ratio")
    return np.divide(long, short, out=np.full(frame.size, np.nan), where=both & (short > 0))


def _minute(frame: Frame) -> Times:
    times = frame.times("time", required=True)
    return times - times % MINUTE_US


def taker_volume(frame: Frame) -> Facts:
    """What takers bought and sold in a finished minute or hour."""
    opens, rows = intervals(frame)
    bought, sold = frame.quantity("buy_volume_base"), frame.quantity("sell_volume_base")
    neither = np.isnan(bought) & np.isnan(sold)
    frame.judge.refuse(neither, "no_value", lambda _: "neither `buy_volume_base` nor `sell_volume_base`")
    columns: dict[str, Column] = {
        "ts": opens,
        "buy_volume_base": bought,
        "sell_volume_base": sold,
        "known_at": frame.times("known_at"),
    }
    return Facts(columns, rows)


def perp_data(frame: Frame) -> Facts:
    """Columns that users added to minutes: any finite number, of the minute `time` is in."""
    own: dict[str, Column] = {name: _number(frame, name) for name in frame.fields if name not in WHO}
    told = np.zeros(frame.size, dtype=np.bool_)
    for column in own.values():
        told |= ~np.isnan(column)
    fields = ", ".join(f"`{name}`" for name in own) or "there are none yet: POST /perpspecs adds them"
    frame.judge.refuse(~told, "no_value", lambda _: f"no field of a perpspec of your own: {fields}")
    return Facts({"ts": _minute(frame), **own, "known_at": frame.times("known_at")}, {"perp_1m": frame.everywhere})


def _number(frame: Frame, field: str) -> Floats:
    found = frame.numbers(field)
    large = np.abs(found) > LARGEST_VALUE
    frame.judge.refuse(large, "quantity_out_of_range", lambda row: f"{frame.shown(field, row)}, past any quantity")
    return found
