"""The rules of options and of indexes, as those of `checks`."""

from collections.abc import Mapping, Sequence

import numpy as np

from app.records import is_volatility_index
from app.services.importing.checks import Column, Facts, enclosed
from app.services.importing.frame import Floats, Frame, Times
from app.services.importing.judge import Mask
from app.services.importing.values import EPOCH, MICROSECOND
from app.services.option_names import Terms, option_of

LARGEST_FRACTION = 10.0
"""Volatilities past this are percent: exchanges quote none past 1,000 %, and none of a coin is below 10 %."""
LARGEST_IN_COINS = 20.0
"""Prices of inverse options past this, in coins, are USD."""
ALWAYS = np.iinfo(np.int64).max
QUANTITIES = {
    "mark_price": "mark",
    "underlying_price": "underlying",
    "index_price": "index_price",
    "open_interest": "open_interest",
    "volume_24h": "volume",
    "gamma": "gamma",
    "vega": "vega",
}
"""Columns of facts that are never negative, and the fields they are told in."""


def options(frame: Frame) -> Facts:
    """How options stand, with their greeks where these are told: of the instant itself, not of its minute."""
    _named(frame)
    times = frame.times("time", required=True)
    columns: dict[str, Column] = {
        "ts": times,
        **{name: _none_if_zero(frame.quantity(name)) for name in ("bid", "ask")},
        **{name: frame.quantity(field) for name, field in QUANTITIES.items()},
        "mark_iv": _none_if_zero(_volatility(frame, "mark_iv", frame.everywhere)),
        "delta": _delta(frame),
        **{name: frame.numbers(name) for name in ("theta", "rho")},
        "known_at": frame.times("known_at"),
    }
    terms = [option_of(word) for word in frame.words("instrument").words] + [None]
    _while_it_lives(frame, terms, times)
    _in_coins(frame, terms, columns)
    told = [~np.isnan(column) for name, column in columns.items() if name not in ("ts", "known_at")]
    frame.judge.refuse(~np.logical_or.reduce(told), "no_value", lambda _: "nothing is told but when and of what")
    return Facts(columns, {"option": frame.everywhere})


def _named(frame: Frame) -> None:
    frame.judge.refuse(frame.words("instrument").codes < 0, "no_instrument", lambda _: "`instrument` is missing")


def _while_it_lives(frame: Frame, terms: Sequence[Terms | None], times: Times) -> None:
    ends = [(one.expires_at - EPOCH) // MICROSECOND if one and one.expires_at else ALWAYS for one in terms]
    after = times >= np.array(ends, dtype=np.int64)[frame.words("instrument").codes]
    frame.judge.refuse(
        after,
        "after_expiry",
        lambda row: f"{frame.shown('time', row)}, when {frame.shown('instrument', row)} is expired",
    )


def _in_coins(frame: Frame, terms: Sequence[Terms | None], columns: Mapping[str, Column]) -> None:
    """Prices of inverse options that no option has: they are USD."""
    most = _most_coins(frame, terms, columns)
    for name, field in (("bid", "bid"), ("ask", "ask"), ("mark_price", "mark")):
        reason = "which looks like USD: coins a coin are expected of an inverse option, here {:.6g} at most"
        frame.judge.refuse(
            columns[name] > most,
            "looks_like_usd",
            lambda row, field=field, reason=reason: f"{frame.shown(field, row)}, {reason.format(most[row])}",
        )


def _most_coins(frame: Frame, terms: Sequence[Terms | None], columns: Mapping[str, Column]) -> Floats:
    """Far more than one is worth, as offers may be foolish: a call is worth a coin at most, a put its strike."""
    codes = frame.words("instrument").codes
    inverse = [one if one and one.margin == "coin" else None for one in terms]
    strikes = np.array([one.strike if one and one.option_type == "put" else np.nan for one in inverse])[codes]
    most = np.array([np.inf if one is None else LARGEST_IN_COINS for one in inverse])[codes]
    forward = np.where(columns["underlying_price"] > 0, columns["underlying_price"], columns["index_price"])
    worth = strikes / np.where(forward > 0, forward, np.nan)
    return np.fmax(most, 2 * worth)


def _none_if_zero(told: Floats) -> Floats:
    """Exchanges spell an empty side and a volatility that is not known 0."""
    return np.where(told == 0, np.nan, told)


def _volatility(frame: Frame, field: str, rows: Mask) -> Floats:
    """Quantities that are a fraction in these rows."""
    found = frame.quantity(field)
    reason = "which looks like percent: a fraction is expected, 0.6157 for 61.57 %"
    percent = rows & (found > LARGEST_FRACTION)
    frame.judge.refuse(percent, "looks_like_percent", lambda row: f"{frame.shown(field, row)}, {reason}")
    return found


def _delta(frame: Frame) -> Floats:
    found = frame.numbers("delta")
    frame.judge.refuse(np.abs(found) > 1, "bad_delta", lambda row: f"{frame.shown('delta', row)}, not from -1 to 1")
    return found


def index(frame: Frame) -> Facts:
    """Values of indexes, of an instant or of a candle. Those of a volatility index are fractions."""
    _named(frame)
    names = frame.words("instrument")
    of_volatility = np.array([is_volatility_index(word) for word in names.words] + [False])[names.codes]
    close = _volatility(frame, "price", of_volatility)
    frame.judge.refuse(np.isnan(close), "no_value", lambda _: "`price` is missing")
    candle = {name: frame.quantity(name) for name in ("open", "high", "low")}
    absent: Mask = np.array([np.isnan(column) for column in candle.values()])
    in_part = (absent[0] ^ absent[1]) | (absent[0] ^ absent[2])
    frame.judge.refuse(in_part, "no_value", lambda _: "of `open`, `high` and `low` all have to be told, or none")
    enclosed(frame, candle["open"], candle["high"], candle["low"], close)
    columns: dict[str, Column] = {
        "ts": frame.times("time", required=True),
        **candle,
        "close": close,
        "known_at": frame.times("known_at"),
    }
    return Facts(columns, {"index_price": frame.everywhere})
