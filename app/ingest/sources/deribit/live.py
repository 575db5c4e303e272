"""Deribit's sockets, JSON-RPC both ways: quotes and order books of instruments, trades of all options and futures.

A frame of rows bears its channel. Sent without being asked for are the present quote and the whole book when a
subscription begins; a second subscription brings neither. Channels that are wrong are left out of an answer without a
word.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

from app.ingest.sources.deribit.ticks import rows_of
from app.ingest.sources.deribit.words import INVERSE, LINEAR
from app.ingest.spec import Answer, Channel, Json, Message, Said, Socket
from app.records import Instrument

DOCS = "https://docs.deribit.com/articles/notifications"
HEARTBEAT = timedelta(seconds=30)
TOO_MANY_REQUESTS = 10028
SUBSCRIBE, LOGIN = "subscribe ", "login"
DOTS = {"quote": (1,), "book": (2,), "trades": (2, 3)}
"""The kinds of channels that are read, and the dots in their names: books in groups have more."""


def said(frame: Message) -> Said:
    """Rows of a channel, a heartbeat, an answer to a subscription or the login, or another error, told as a row."""
    match frame:
        case {"method": "subscription", "params": {"channel": str(channel)}}:
            return Said.DATA if channel.count(".") in DOTS.get(channel.partition(".")[0], ()) else Said.NOTHING
        case {"method": "heartbeat"}:
            return Said.ALIVE
        case {"error": {"code": int(code), "message": message}}:
            return _of_error(code, message, frame.get("id"))
        case {"id": str(name), "result": list()} if name.startswith(SUBSCRIBE):
            return Said.DONE
        case {"id": "login", "result": _}:
            return Said.LET_IN
        case _:
            return Said.NOTHING


def _of_error(code: int, message: Json, name: Json) -> Said:
    if code == TOO_MANY_REQUESTS:
        return Said.THROTTLED
    if message == "connection_too_slow":
        return Said.CLOSING
    if name == LOGIN:
        return Said.KEPT_OUT
    return Said.REFUSED if isinstance(name, str) and name.startswith(SUBSCRIBE) else Said.DATA


def about(frame: Message) -> Json | None:
    """The channel of a frame of rows."""
    match frame:
        case {"method": "subscription", "params": {"channel": str(channel)}}:
            return channel
        case _:
            return None


def answer(frame: Message) -> Answer | None:
    """An answer to a subscription bears the first topic that was asked for in its id, and the channels taken."""
    match frame:
        case {"id": str(name), **rest} if name.startswith(SUBSCRIBE):
            return Answer(name.removeprefix(SUBSCRIBE), rest.get("result", ()))
        case _:
            return None


def reply(frame: Message) -> Message | None:
    """A `test_request` that is not answered within 10 s ends the connection."""
    match frame:
        case {"method": "heartbeat", "params": {"type": "test_request"}}:
            return _request("alive", "test")
        case _:
            return None


def hello(key: str | None) -> Sequence[Message]:
    """Ask for heartbeats, without which a quiet connection is dropped; log in where there is a key."""
    first = _request("heartbeat", "set_heartbeat", interval=int(HEARTBEAT.total_seconds()))
    if key is None:
        return (first,)
    name, _, secret = key.partition(":")
    return first, _request(LOGIN, "auth", grant_type="client_credentials", client_id=name, client_secret=secret)


def subscribe(topics: Sequence[Json]) -> Message:
    """`{"id":"subscribe quote.BTC-PERPETUAL","method":"public/subscribe","params":{"channels":[...]},...}`"""
    return _request(f"{SUBSCRIBE}{topics[0]}", "subscribe", channels=list(topics))


def unsubscribe(topics: Sequence[Json]) -> Message:
    """The same, of what is wanted no more."""
    return _request("unsubscribe", "unsubscribe", channels=list(topics))


def _request(name: str, method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": name, "method": f"public/{method}", "params": params}


def sockets(currencies: Iterable[str], *, keyed: bool) -> tuple[Socket, ...]:
    """A socket for each coin. `keyed`: with a login changes are told as they happen, else ten times a second."""
    return tuple(_socket(coin.upper(), "raw" if keyed else "100ms") for coin in currencies)


def _socket(coin: str, interval: Literal["raw", "100ms"]) -> Socket:
    family = coin if coin in INVERSE else LINEAR
    return Socket(
        coin.lower(),
        "wss://www.deribit.com",
        "/ws/api/v2",
        channels=(
            Channel("trades", "market", _always(f"trades.option.{family}.{interval}")),
            Channel("trades", "market", _always(f"trades.future.{family}.{interval}")),
            Channel("quotes", "instrument", _of_each(coin, "quote.{}")),
            Channel("book", "instrument", _of_each(coin, "book.{}." + interval)),
        ),
        subscribe=subscribe,
        said=said,
        rows=rows_of(coin, said),
        docs=DOCS,
        silence=HEARTBEAT,
        dead_after=3.5,
        topics_a_frame=200,
        frames_a_second=3.0,
        about=about,
        unsubscribe=unsubscribe,
        hello=hello,
        reply=reply,
        answer=answer,
        logs_in=True,
    )


def _always(topic: str) -> Callable[[Instrument | None], Json]:
    def of(instrument: Instrument | None) -> Json:
        return topic

    return of


def _of_each(coin: str, words: str) -> Callable[[Instrument | None], Json]:
    """The topic of an instrument; None of another coin's, and of indexes."""

    def of(instrument: Instrument | None) -> Json:
        if instrument is None:
            raise ValueError(f"{words} is told of one instrument")
        return words.format(instrument.symbol) if instrument.base == coin and instrument.kind != "index" else None

    return of
