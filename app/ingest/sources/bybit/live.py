"""Bybit's public socket of linear contracts: candles, trades and liquidations, each contract subscribed for itself.

Frames bear the topic they are of, `<kind>.<symbol>`, and rows in `data`. Numbers are strings, times integers,
quantities in units of the base coin as listed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import StrictBool

from app.ingest import spec
from app.ingest.sources.bybit.rest import MINUTE
from app.ingest.spec import Bad, Channel, Json, Known, Message, Ms, Num, Said, Socket, Wire
from app.records import Candle, Instrument, Liquidation, Position, Record, Taker, Trade

DOCS = "https://bybit-exchange.github.io/docs/v5"
KLINE, TRADE, LIQUIDATION = "kline.1", "publicTrade", "allLiquidation"
TEXT, LONGEST = 21_000, 42  # characters that the topics of a connection may have together, and one topic at most
SIDES: Mapping[str, Taker] = {"Buy": "buy", "Sell": "sell"}
POSITIONS: Mapping[str, Position] = {"Buy": "long", "Sell": "short"}


class Bar(Wire):
    """`{"start":1795212300000,"interval":"1","open":"80.1",...,"turnover":"16937.20","confirm":true,...}`"""

    start: Ms
    interval: Literal["1"]
    open: Num
    high: Num
    low: Num
    close: Num
    volume: Num
    turnover: Num
    confirm: StrictBool


def candle(item: Json, of: Instrument) -> Candle | None:
    """A finished minute; one that is not confirmed still grows."""
    row = Bar.model_validate(item)
    if not row.confirm:
        return None
    prices, usd = (row.open, row.high, row.low, row.close), spec.in_usd(row.turnover, of.quote)
    return Candle(of.symbol, row.start, MINUTE, *prices, row.volume, usd)


class Deal(Wire):
    """`{"T":1795212345678,"s":"ABCUSDT","S":"Sell","v":"2.5","p":"80.20","i":"a9188a0a-...","BT":false,...}`"""

    T: Ms
    S: Literal["Buy", "Sell"]
    v: Num
    p: Num
    i: str
    BT: StrictBool


def trade(item: Json, of: Instrument) -> Trade | None:
    """A trade by its taker's side. Block trades are left out: agreed upon apart, they take nothing off the book."""
    row = Deal.model_validate(item)
    return None if row.BT else Trade(of.symbol, row.T, row.i, SIDES[row.S], row.p, row.v)


class Closed(Wire):
    """`{"T":1795212345678,"s":"ABCUSDT","S":"Buy","v":"0.6","p":"79.90"}`"""

    T: Ms
    S: Literal["Buy", "Sell"]
    v: Num
    p: Num


def liquidation(item: Json, of: Instrument) -> Liquidation:
    """`S` is the side of the position: of `Buy` a long was closed. The price is that of bankruptcy."""
    row = Closed.model_validate(item)
    return Liquidation(of.symbol, row.T, POSITIONS[row.S], row.p, row.v)


READERS: Mapping[str, Callable[[Json, Instrument], Record | None]] = {
    KLINE: candle,
    TRADE: trade,
    LIQUIDATION: liquidation,
}


def said(frame: Message) -> Said:
    """`{"success":true,"ret_msg":"","op":"subscribe",...}`, an answer to a ping, or a frame of one of our topics."""
    match frame:
        case {"topic": str(topic)} if topic.rpartition(".")[0] in READERS:
            return Said.DATA
        case {"op": "pong"} | {"op": "ping", "ret_msg": "pong"}:
            return Said.ALIVE
        case {"op": "subscribe", "success": True}:
            return Said.DONE
        case {"op": "unsubscribe"}:
            return Said.NOTHING
        case {"success": False}:
            return Said.REFUSED
        case _:
            return Said.NOTHING


class Frame(Wire):
    """`{"topic":"kline.1.ABCUSDT","type":"snapshot","ts":1795212345678,"data":[...]}`"""

    topic: str
    data: list[Json]


def rows(frame: Message, known: Known) -> Iterator[Record | Bad | None]:
    """What a frame of data holds, one item a row; None for contracts that are not wanted."""
    if said(frame) is not Said.DATA:
        return
    told = spec.tried(Frame.model_validate, frame, None)
    if isinstance(told, Bad):
        yield told
        return
    kind, _, symbol = told.topic.rpartition(".")
    of = known.instruments.get(symbol) if symbol in known.wanted else None

    def one(item: Json) -> Record | None:
        return READERS[kind](item, of) if of else None

    for item in told.data:
        yield spec.tried(one, item, symbol)


def _topic(kind: str) -> Callable[[Instrument | None], Json]:
    def of(instrument: Instrument | None) -> Json:
        if instrument is None:
            raise ValueError(f"{kind} has no topic of all contracts")
        return f"{kind}.{instrument.symbol}"

    return of


def subscribe(topics: Sequence[Json]) -> Message:
    """`{"op":"subscribe","args":["kline.1.ABCUSDT",...]}`"""
    return {"op": "subscribe", "args": list(topics)}


def unsubscribe(topics: Sequence[Json]) -> Message:
    """`{"op":"unsubscribe","args":[...]}`"""
    return {"op": "unsubscribe", "args": list(topics)}


# Whether one bad topic spoils its whole request is not documented, so there are few in each.
SOCKET = Socket(
    "linear",
    "wss://stream.bybit.com",
    "/v5/public/linear",
    channels=(
        Channel("candles_1m", "instrument", _topic(KLINE)),
        Channel("taker_volume", "instrument", _topic(TRADE)),
        Channel("liquidations", "instrument", _topic(LIQUIDATION)),
    ),
    subscribe=subscribe,
    said=said,
    rows=rows,
    docs=f"{DOCS}/ws/connect",
    ping={"op": "ping"},
    topics_a_frame=10,
    topics_a_connection=TEXT // LONGEST,
    unsubscribe=unsubscribe,
)
