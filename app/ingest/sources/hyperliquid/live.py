"""Hyperliquid's minute as it passes: candles, and trades, of which the volumes of takers are added up.

Its sockets tell of no liquidations, and nobody there of accounts long and short: minutes of this exchange have neither.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from pydantic import Field

from app.ingest import spec
from app.ingest.sources.hyperliquid.rest import DOCS, MINUTE, Snapshot
from app.ingest.spec import Channel, Json, Known, Message, Ms, Num, Rows, Said, Wire
from app.records import Candle, Instrument, Taker, Trade

SIDES: Mapping[str, Taker] = {"B": "buy", "A": "sell"}


def _is_ours(coin: str, known: Known) -> bool:
    return coin in known.wanted and coin in known.instruments


class Growing(Snapshot):
    """A candle as the answers have it, told anew with each trade; that it is finished only a later one tells."""

    interval: str = Field(alias="i")


def candles(rows: list[Json], known: Known) -> Rows:
    """Minutes as they stand, volume in quoted units."""

    def candle(row: Growing) -> Candle | None:
        if row.interval != "1m" or not _is_ours(row.coin, known):
            return None
        prices = (row.open, row.high, row.low, row.close)
        return Candle(row.coin, row.opens, MINUTE, *prices, row.volume, trades=row.trades)

    return spec.read_rows(Growing, rows, candle, "s")


class Fill(Wire):
    """`{"coin":"ABC","side":"B","px":"80.5","sz":"0.25","time":1795212302052,"tid":1095884267920331,...}`"""

    coin: str
    side: Literal["A", "B"]
    px: Num
    sz: Num
    time: Ms
    tid: int


def trades(rows: list[Json], known: Known) -> Rows:
    """Trades, in quoted units; the first frame after subscribing tells of some before it, again after each break."""

    def trade(row: Fill) -> Trade | None:
        if not _is_ours(row.coin, known):
            return None
        return Trade(row.coin, row.time, str(row.tid), SIDES[row.side], row.px, row.sz)

    return spec.read_rows(Fill, rows, trade, "coin")


READERS: Mapping[str, Callable[[list[Json], Known], Rows]] = {"candle": candles, "trades": trades}

ALREADY = {"Already subscribed": Said.DONE, "Already unsubscribed": Said.NOTHING}


def said(frame: Message) -> Said:
    """`{"channel":"pong"}`: the channel tells."""
    match frame:
        case {"channel": str(channel), "data": _} if channel in READERS:
            return Said.DATA
        case {"channel": "subscriptionResponse", "data": {"method": "subscribe"}}:
            return Said.DONE
        case {"channel": "error", "data": words}:
            return ALREADY.get(str(words).partition(":")[0], Said.REFUSED)
        case {"channel": "pong"}:
            return Said.ALIVE
        case _:
            return Said.NOTHING


def rows(frame: Message, known: Known) -> Rows:
    """What a frame holds of coins whose minutes are wanted; documents have candles in a list, frames one alone."""
    match frame:
        case {"channel": str(channel), "data": data} if channel in READERS:
            return READERS[channel](cast("list[Json]", data) if isinstance(data, list) else [data], known)
        case _:
            return ()


def subscribe(topics: Sequence[Json]) -> Json:
    """One subscription a frame; the answer repeats it."""
    [topic] = topics
    return {"method": "subscribe", "subscription": topic}


def unsubscribe(topics: Sequence[Json]) -> Json:
    """One subscription a frame, too."""
    [topic] = topics
    return {"method": "unsubscribe", "subscription": topic}


def about(frame: Message) -> Json | None:
    """An answer repeats what was subscribed, with keys that were left out as null; an error at the end of its words."""
    match frame:
        case {"channel": "subscriptionResponse", "data": {"subscription": told}}:
            return _topic(told)
        case {"channel": "error", "data": str(words)}:
            return _topic(spec.tried(json.loads, "".join(words.partition("{")[1:]), None))
        case _:
            return None


def _topic(told: Json) -> Json | None:
    if not isinstance(told, dict):
        return None
    told = cast("dict[str, Json]", told)
    return {key: told[key] for key in ("type", "coin", "interval") if told.get(key) is not None}


def topic(kind: str, **more: str) -> Callable[[Instrument | None], Json]:
    """What to subscribe for a coin. Raises ValueError where none is named."""

    def of(instrument: Instrument | None) -> Json:
        if instrument is None:
            raise ValueError(f"{kind} is told of one coin")
        return {"type": kind, "coin": instrument.symbol, **more}

    return of


SOCKETS = (
    spec.Socket(
        id="ws",
        url="wss://api.hyperliquid.xyz",
        path="/ws",
        channels=(
            Channel("candles_1m", "instrument", topic("candle", interval="1m")),
            Channel("taker_volume", "instrument", topic("trades")),
        ),
        subscribe=subscribe,
        said=said,
        rows=rows,
        docs=f"{DOCS}/websocket",
        ping={"method": "ping"},
        topics_a_frame=1,
        topics_a_connection=100,  # 1000 from one address, on 10 connections
        frames_a_second=10,
        closes=False,
        about=about,
        unsubscribe=unsubscribe,
    ),
)
