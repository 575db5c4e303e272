"""OKX's sockets: candles on one, funding rates, trades and liquidations on the other.

Frames bear in `arg` what was subscribed and rows in `data`, in the form of the REST answers. A ping is the bare word,
and so is its answer. One connection bears 480 subscribe requests an hour, and their topics 64 KB of text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from app.ingest import spec
from app.ingest.sources.okx.liquidations import PATH, coins, details, liquidation
from app.ingest.sources.okx.rest import DOCS, MINUTE, Funding, Kline, candle
from app.ingest.spec import Bad, Channel, Json, Known, Message, Ms, Num, Said, Socket, Wire
from app.records import Candle, Instrument, PredictedFunding, Record, Taker, Trade

CANDLE, FUNDING, TRADES = "candle1m", "funding-rate", "trades"
LEAVING = "leaving"  # the id of a frame of ours, which its answers repeat
TEXT, LONGEST = 64_000, 80  # characters that the topics of a connection may have together, and one topic at most


class Deal(Wire):
    """`{"instId":"ABC-USDT-SWAP","tradeId":"130639474","px":"80.2","sz":"25","side":"buy","ts":"1795212345678",...}`"""

    tradeId: Annotated[str, Field(pattern=r"^\d+$")]
    px: Num
    sz: Num
    side: Taker
    ts: Ms


def finished(item: Json, of: Instrument) -> Candle | None:
    """A minute that does not grow any more. Raises ValueError where columns are missing, as in old answers they are."""
    row = Kline.model_validate(item)
    if row.quote is None or "confirm" not in row.model_fields_set:
        raise ValueError("a candle without its volume in quote, or whether it is finished")
    return candle(row, of, MINUTE)


def estimate(item: Json, of: Instrument) -> PredictedFunding:
    """What will be paid at the coming settlement, a fraction of one interval."""
    row = Funding.model_validate(item)
    return PredictedFunding(of.symbol, row.ts, row.fundingRate, row.fundingTime, row.hours)


def trade(item: Json, of: Instrument) -> Trade:
    """What one taker traded at one price, by the id of the last of it."""
    row = Deal.model_validate(item)
    return Trade(of.symbol, row.ts, row.tradeId, row.side, row.px, coins(row.sz, row.px, of))


READERS: Mapping[str, Callable[[Json, Instrument], Record | None]] = {
    CANDLE: finished,
    FUNDING: estimate,
    TRADES: trade,
    PATH: liquidation,
}


def said(frame: Message) -> Said:
    """`{"event":"subscribe","arg":{...},"connId":"..."}`, an error, a notice, `pong`, or rows of a channel of ours."""
    match frame:
        case "pong":
            return Said.ALIVE
        case {"event": "subscribe"}:
            return Said.DONE
        case {"event": "error", "id": str(name)} if name == LEAVING:
            return Said.NOTHING
        case {"event": "error"}:
            return Said.REFUSED
        case {"event": "notice", "code": "64008"}:
            return Said.CLOSING
        case {"arg": {"channel": "liquidation-orders"}, "data": _}:
            return Said.DATA
        case {"arg": {"channel": str(channel), "instId": str()}, "data": _} if channel in READERS:
            return Said.DATA
        case _:
            return Said.NOTHING


class Topic(Wire):
    """`{"channel":"candle1m","instId":"ABC-USDT-SWAP"}`; liquidations are of all swaps."""

    channel: str
    instId: str = ""


class Frame(Wire):
    """`{"arg":{"channel":"candle1m","instId":"ABC-USDT-SWAP"},"data":[...]}`"""

    arg: Topic
    data: list[Json]

    def rows(self) -> Iterator[tuple[str, Json] | Bad]:
        """The symbol of each row and the row, in the upstream's own form."""
        if self.arg.channel == PATH:
            return details(self.data)
        return ((self.arg.instId, row) for row in self.data)


def rows(frame: Message, known: Known) -> Iterator[Record | Bad | None]:
    """What a frame of data holds, one item a row; None for contracts that are not wanted."""
    if said(frame) is not Said.DATA:
        return
    told = spec.tried(Frame.model_validate, frame, None)
    if isinstance(told, Bad):
        yield told
        return
    for row in told.rows():
        yield row if isinstance(row, Bad) else _read(told.arg.channel, *row, known)


def _read(channel: str, symbol: str, item: Json, known: Known) -> Record | Bad | None:
    of = known.instruments.get(symbol) if symbol in known.wanted else None
    return spec.tried(lambda row: READERS[channel](row, of), item, symbol) if of else None


def _topic(channel: str) -> Callable[[Instrument | None], Json]:
    def of(instrument: Instrument | None) -> Json:
        if instrument is None:
            raise ValueError(f"{channel} has no topic of all swaps")
        return {"channel": channel, "instId": instrument.symbol}

    return of


def all_swaps(instrument: Instrument | None) -> Json:
    """Liquidations are told of all swaps together."""
    return {"channel": PATH, "instType": "SWAP"}


def subscribe(topics: Sequence[Json]) -> Message:
    """`{"op":"subscribe","args":[{"channel":"candle1m","instId":"ABC-USDT-SWAP"},...]}`"""
    return {"op": "subscribe", "args": list(topics)}


def unsubscribe(topics: Sequence[Json]) -> Message:
    """`{"id":"leaving","op":"unsubscribe","args":[...]}`: that it is refused is told in words alone, and by its id."""
    return {"id": LEAVING, "op": "unsubscribe", "args": list(topics)}


def about(frame: Message) -> Json | None:
    """Each topic of a request is answered by itself, with what was subscribed; an error tells it in words alone."""
    match frame:
        case {"event": "subscribe", "arg": dict()}:
            return frame["arg"]
        case _:
            return None


BUSINESS = Socket(
    "business",
    "wss://ws.okx.com:8443",
    "/ws/v5/business",
    channels=(Channel("candles_1m", "instrument", _topic(CANDLE)),),
    subscribe=subscribe,
    said=said,
    rows=rows,
    docs=f"{DOCS}/#overview-websocket",
    ping="ping",
    topics_a_connection=TEXT // LONGEST,
    about=about,
    unsubscribe=unsubscribe,
)
CHANNELS = (
    Channel("liquidations", "market", all_swaps),
    Channel("predicted_funding", "instrument", _topic(FUNDING)),
    Channel("taker_volume", "instrument", _topic(TRADES)),
)
SOCKETS = (BUSINESS, replace(BUSINESS, id="public", path="/ws/v5/public", channels=CHANNELS))
