"""Binance's minute as it passes: candles, mark prices with estimates of funding, and liquidations.

Frames come wrapped as `{"stream":...,"data":...}`, as on all addresses of `/stream`; bare ones are of no interest.
Streams of all markets tell of coin-margined contracts too (`st` 2), whose sizes are contracts: they are left out. Of
liquidations at most one a second and contract is told, the latest: their sums are a lower bound.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from pydantic import Field

from app.ingest import spec
from app.ingest.sources.binance.rest import MINUTE
from app.ingest.spec import Channel, Json, Known, MaybeMs, MaybeNum, Message, Ms, Num, Rows, Said, Wire
from app.records import Candle, Instrument, Liquidation, PerpMinute, Position, PredictedFunding

DOCS = "https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams"
COIN_MARGINED = 2
ADDING, LEAVING = 1, 2  # numbers of our frames
LIQUIDATED: Mapping[str, Position] = {"SELL": "long", "BUY": "short"}
STREAM = re.compile("(?:!|[^!@]+@)(kline_1m|markPrice|forceOrder)(?:@.*)?")


def _ours(symbol: str, known: Known) -> Instrument | None:
    """The contract of this symbol, if its minutes are wanted."""
    return known.instruments.get(symbol) if symbol in known.wanted else None


def _within(data: Json, key: str) -> list[Json]:
    """What an event has under `key`: there its row stands."""
    return [cast("dict[str, Json]", data).get(key) if isinstance(data, dict) else data]


class Kline(Wire):
    """`{"t":1795212300000,"s":"ABCUSDT","o":"80.1","c":"80.5","h":"80.9","l":"80.0","v":"210.4","n":412,"x":true,...}`

    It grows four times a second; `x` tells that it is finished.
    """

    symbol: str = Field(alias="s")
    opens: Ms = Field(alias="t")
    open: Num = Field(alias="o")
    high: Num = Field(alias="h")
    low: Num = Field(alias="l")
    close: Num = Field(alias="c")
    volume: Num = Field(alias="v")
    quote_volume: Num = Field(alias="q")
    taker_buys: Num = Field(alias="V")
    trades: int = Field(alias="n")
    finished: bool = Field(alias="x", strict=True)


def candles(data: Json, known: Known) -> Rows:
    """Finished minutes, volumes in quoted units and, of contracts quoted in dollars, in USD."""

    def candle(row: Kline) -> Candle | None:
        contract = _ours(row.symbol, known)
        if contract is None or not row.finished:
            return None
        prices, usd = (row.open, row.high, row.low, row.close), spec.in_usd(row.quote_volume, contract.quote)
        return Candle(row.symbol, row.opens, MINUTE, *prices, row.volume, usd, row.taker_buys, row.trades)

    return spec.read_rows(Kline, _within(data, "k"), candle, "s")


class Mark(Wire):
    """`{"E":1795212303000,"s":"ABCUSDT","p":"80.50","r":"0.00008000","T":1795219200000,"st":1,...}`"""

    time: Ms = Field(alias="E")
    symbol: str = Field(alias="s")
    price: Num = Field(alias="p")
    index: Num = Field(alias="i")
    rate: MaybeNum = Field(alias="r")
    settles: MaybeMs = Field(alias="T")
    margin: int = Field(alias="st", default=1)


def marks(data: Json, known: Known) -> Rows:
    """Of each contract how funding and the mark price stand, sampled every 3 seconds."""

    def ours(row: Mark) -> Mark | None:
        return row if row.margin != COIN_MARGINED and _ours(row.symbol, known) else None

    rows = cast("list[Json]", data) if isinstance(data, list) else [data]
    for row in spec.read_rows(Mark, rows, ours, "s"):
        if isinstance(row, Mark):
            yield spec.tried(lambda of: estimate(of, known), row, row.symbol)
            yield spec.tried(prices, row, row.symbol)
        else:
            yield row


def estimate(row: Mark, known: Known) -> PredictedFunding | None:
    """What will be paid at the next settlement, a fraction of one interval; dated contracts pay none."""
    if row.rate is None or row.settles is None:
        return None
    hours = known.instruments[row.symbol].funding_interval_hours
    return PredictedFunding(row.symbol, row.time, row.rate, row.settles, hours)


def prices(row: Mark) -> PerpMinute:
    """The mark and the index price, of the minute they were told in."""
    return spec.marked(row.symbol, row.time, row.price, row.index)


class Order(Wire):
    """`{"s":"ABCUSDT","S":"SELL","X":"FILLED","z":"0.190","ap":"80.51","T":1795212302120,"st":1,...}`"""

    symbol: str = Field(alias="s")
    side: Literal["BUY", "SELL"] = Field(alias="S")
    status: str = Field(alias="X")
    filled: Num = Field(alias="z")
    price: Num = Field(alias="ap")
    time: Ms = Field(alias="T")
    margin: int = Field(alias="st", default=1)


def liquidations(data: Json, known: Known) -> Rows:
    """Orders that closed a position and are filled: all of the order, at its average price. A sale closes a long."""

    def liquidation(row: Order) -> Liquidation | None:
        if row.margin == COIN_MARGINED or row.status != "FILLED" or _ours(row.symbol, known) is None:
            return None
        return Liquidation(row.symbol, row.time, LIQUIDATED[row.side], row.price, row.filled)

    return spec.read_rows(Order, _within(data, "o"), liquidation, "s")


READERS: Mapping[str, Callable[[Json, Known], Rows]] = {
    "kline_1m": candles,
    "markPrice": marks,
    "forceOrder": liquidations,
}


def _told(frame: Message) -> tuple[str, Json] | None:
    """The kind of a stream (`btcusdt@kline_1m`, `!markPrice@arr`) we read, and what it tells."""
    match frame:
        case {"stream": str(stream), "data": data}:
            found = STREAM.fullmatch(stream)
            return (found[1], data) if found else None
        case _:
            return None


def said(frame: Message) -> Said:
    """`{"result":null,"id":1}` takes a subscription, `{"error":{"code":2,...},"id":1}` or a bare code refuses it."""
    match frame:
        case {"id": int(number)} if number == LEAVING:
            return Said.NOTHING
        case {"result": None, "id": _}:
            return Said.DONE
        case {"error": _} | {"code": int(), "msg": str()}:
            return Said.REFUSED
        case _:
            return Said.DATA if _told(frame) else Said.NOTHING


def rows(frame: Message, known: Known) -> Rows:
    """What a frame holds of contracts whose minutes are wanted."""
    told = _told(frame)
    return READERS[told[0]](told[1], known) if told else ()


def subscribe(topics: Sequence[Json]) -> Json:
    """Streams to add. The answer bears the number and names none."""
    return {"method": "SUBSCRIBE", "params": [*topics], "id": ADDING}


def unsubscribe(topics: Sequence[Json]) -> Json:
    """Streams to leave."""
    return {"method": "UNSUBSCRIBE", "params": [*topics], "id": LEAVING}


def kline(instrument: Instrument | None) -> Json:
    """The stream of a contract's minutes. Raises ValueError where none is named."""
    if instrument is None:
        raise ValueError("candles are told of one contract")
    return f"{instrument.symbol.lower()}@kline_1m"


SOCKETS = (
    spec.Socket(
        id="market",
        url="wss://fstream.binance.com",
        path="/market/stream",
        channels=(
            Channel("candles_1m", "instrument", kline),
            Channel("predicted_funding", "market", lambda _: "!markPrice@arr"),
            Channel("liquidations", "market", lambda _: "!forceOrder@arr"),
        ),
        subscribe=subscribe,
        said=said,
        rows=rows,
        docs=DOCS,
        topics_a_frame=200,
        topics_a_connection=500,
        unsubscribe=unsubscribe,
    ),
)
