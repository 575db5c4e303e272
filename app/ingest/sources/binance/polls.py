"""What no socket of Binance tells, asked for each contract whose minutes are collected.

A hundred contracts take 4 % of the weight and 10 % of the requests for statistics.
"""

from datetime import timedelta

from app.ingest import spec
from app.ingest.sources.binance.rest import DOCS, INTERESTS, MINUTE, MINUTES_5, span
from app.ingest.spec import Feed, Json, Ms, Num, Request, Window, Wire, get
from app.records import OpenInterest, PerpMinute


class Interest(Wire):
    """`{"symbol":"ABCUSDT","openInterest":"1200.500","time":1795212300000}`"""

    symbol: str
    openInterest: Num
    time: Ms


def open_interest(window: Window) -> Request:
    """Open interest of one symbol now; there is no path for all."""
    return get("/fapi/v1/openInterest", costs={"weight": 1}, symbol=window.symbol)


def interest(row: Interest, window: Window) -> OpenInterest:
    """Open interest in units of the base. No price is told with it, so nothing in USD."""
    return OpenInterest(row.symbol, row.time, row.openInterest, None)


class Accounts(Wire):
    """`{"symbol":"ABCUSDT","longShortRatio":"1.2952","longAccount":"0.5643","timestamp":1795212300000,...}`"""

    symbol: str
    longShortRatio: Num
    timestamp: Ms


def accounts(window: Window) -> Request:
    """Accounts long and short every 5 minutes of the last 30 days."""
    path = "/futures/data/globalLongShortAccountRatio"
    return get(path, costs={"data": 1}, symbol=window.symbol, period="5m", **span(window, INTERESTS))


def ratio(row: Accounts, window: Window) -> PerpMinute:
    """Accounts long ÷ accounts short, of the minute they were counted in."""
    return PerpMinute(row.symbol, row.timestamp, {"long_short_ratio": row.longShortRatio})


def _alone(answer: Json) -> list[Json]:
    return [answer]


POLLS = (
    Feed(
        "open_interest",
        "instrument",
        open_interest,
        dict[str, Json],
        spec.each(Interest, interest, _alone),
        MINUTE,
        f"{DOCS}/Open-Interest",
    ),
    Feed(
        "long_short",
        "instrument",
        accounts,
        list[Json],
        spec.each(Accounts, ratio),
        MINUTES_5,
        f"{DOCS}/Long-Short-Ratio",
        step=MINUTES_5,
        limit=INTERESTS,
        history=True,
        keeps=timedelta(days=30),
    ),
)
