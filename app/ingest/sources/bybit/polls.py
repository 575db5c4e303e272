"""What Bybit's sockets do not tell of the minute, or tell dearly, and is asked for instead."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Annotated, Literal

from pydantic import Field

from app.ingest import spec
from app.ingest.sources.bybit.rest import DOCS, MINUTE, MINUTES_5, ONE, AllMarkets, estimates, interests_now, tickers
from app.ingest.spec import Bad, Feed, Json, MaybeNum, Ms, Num, Request, Rows, Window, Wire, get, read_rows
from app.records import PerpMinute, Record

RATIOS = 500


class Marked(Wire):
    """`{"symbol":"ABCUSDT","markPrice":"80.2","fundingRate":"0.0001",...}`; a dated future has an empty rate."""

    symbol: str
    markPrice: Num
    indexPrice: MaybeNum = None
    fundingRate: MaybeNum


def marks(answer: AllMarkets, window: Window) -> Rows:
    """Mark and index prices of the perpetuals, of the minute of the envelope's time."""

    def mark(row: Marked) -> PerpMinute | None:
        dated = row.fundingRate is None
        return None if dated else spec.marked(row.symbol, answer.time, row.markPrice, row.indexPrice)

    return read_rows(Marked, answer.result.rows, mark)


def standing(answer: AllMarkets, window: Window) -> Iterator[Record | Bad | None]:
    """How all contracts stand: their estimates, then their open interest, then their mark prices.

    One request a minute tells it of all; the stream of tickers sends deltas of every symbol, ten a second.
    """
    for told in (estimates, interests_now, marks):
        yield from told(answer, window)


class RatioList(Wire):
    rows: list[Json] = Field(alias="list")


class Ratios(Wire):
    """`{"retCode":0,"retMsg":"OK","result":{"list":[...],"nextPageCursor":""},"time":1795212345678}`: no category."""

    retCode: Literal[0]
    result: RatioList


class Ratio(Wire):
    """`{"symbol":"ABCUSDT","buyRatio":"0.52","sellRatio":"0.48","timestamp":"1795212300000"}`: shares of accounts

    Where nobody is short there is no ratio.
    """

    symbol: str
    buyRatio: Num
    sellRatio: Annotated[Num, Field(gt=0, le=1)]
    timestamp: Ms


def account_ratio(window: Window) -> Request:
    """Accounts by the side they are on, every five minutes since 2020-07-20."""
    times = {"startTime": window.start_ms, "endTime": window.last_ms}
    asked = {"category": "linear", "symbol": window.symbol, "period": "5min", **times, "limit": RATIOS}
    return get("/v5/market/account-ratio", costs=ONE, **asked)


def ratio(row: Ratio, window: Window) -> PerpMinute:
    """Accounts long ÷ accounts short."""
    return PerpMinute(row.symbol, row.timestamp, {"long_short_ratio": row.buyRatio / row.sellRatio})


ratios = spec.each(Ratio, ratio, attrgetter("result.rows"))

POLLS = (
    Feed("perp_snapshot", "market", tickers, AllMarkets, standing, MINUTE, f"{DOCS}/tickers"),
    Feed(
        "long_short",
        "instrument",
        account_ratio,
        Ratios,
        ratios,
        MINUTES_5,
        f"{DOCS}/long-short-ratio",
        step=MINUTES_5,
        limit=RATIOS,
        history=True,
    ),
)
