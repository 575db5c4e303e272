"""Quotes, trades and changes of order books, as frames of Deribit's sockets hold them.

Amounts are USD of inverse perpetuals and futures, coins of all else; prices of inverse options are coins.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import cast

from app.ingest import spec
from app.ingest.sources.deribit.reading import trade
from app.ingest.spec import Bad, Json, Known, Message, Rows, Said
from app.records import BookChange, Level, Quote, Record

CONTRACT = re.compile(r"(?P<coin>[A-Z0-9]+)(_[A-Z]+)?-(PERPETUAL|\d{1,2}[A-Z]{3}\d{2}(-\d+(d\d+)?-[CP])?)", re.ASCII)
"""`BTC-PERPETUAL`, `BTC-25DEC26`, `SOL_USDC-21SEP26-1d5-C`; the names of combos have other parts."""


def _time(value: Json) -> datetime:
    if type(value) is not int:
        raise ValueError("epoch milliseconds expected")
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value} is no time") from error


def _number(value: Json) -> float:
    if type(value) is not float and type(value) is not int:
        raise ValueError("a number expected")
    return float(value)


def _side(price: Json, amount: Json) -> tuple[float | None, float | None]:
    """The best price of a side, and how much there is; an empty one is told as 0.0 or null."""
    best = None if price is None else _number(price)
    there = None if amount is None else _number(amount)
    return (best, there or None) if best else (None, None)


def quote(item: Json, symbol: str) -> Quote:
    """`{"timestamp":1765541767174,"instrument_name":"BTC-PERPETUAL","best_ask_price":92288.5,...}`

    By hand: there are thousands a second. Raises ValueError where it can be none, as `book` does.
    """
    bid, bid_amount = _side(item["best_bid_price"], item["best_bid_amount"])
    ask, ask_amount = _side(item["best_ask_price"], item["best_ask_amount"])
    return Quote(symbol, _time(item["timestamp"]), bid, ask, bid_amount, ask_amount)


def book(item: Json, symbol: str) -> BookChange:
    """`{"type":"change","change_id":42,"prev_change_id":40,"bids":[],"asks":[["change",228.58,91.89]],...}`

    A snapshot is the whole book, also in mid-stream, where it has a `prev_change_id`; and so is a change of nothing:
    the first one of a new book, with a `prev_change_id` of 0. In 2019 there was no `type`.
    """
    kind, last = item.get("type"), item.get("prev_change_id")
    if kind not in ("snapshot", "change", None) or (kind == "change" and last is None):
        raise ValueError(f"a book's {kind!r} after {last!r}")
    if type(item["change_id"]) is not int or type(last or 0) is not int:
        raise ValueError("ids are integers")
    bids, asks = tuple(_levels(item["bids"])), tuple(_levels(item["asks"]))
    whole = kind == "snapshot" or not last
    return BookChange(symbol, _time(item["timestamp"]), whole, item["change_id"], last or None, bids, asks)


def _levels(entries: Iterable[Json]) -> Iterator[Level]:
    for entry in entries:
        match entry:
            case ["new" | "change", price, amount]:
                yield _number(price), _number(amount)
            case ["delete", price, _]:
                yield _number(price), 0.0
            case _:
                raise ValueError(f"a level {entry!r}")


def rows_of(coin: str, said: Callable[[Message], Said]) -> Callable[[Message, Known], Rows]:
    """What a frame holds of the instruments of a coin that are wanted, None a row of another.

    Trades are told also of contracts that are not listed yet.
    """

    def rows(frame: Message, known: Known) -> Iterator[Record | Bad | None]:
        match frame:
            case {"params": {"channel": str(channel), "data": data}} if said(frame) is Said.DATA:
                yield from _read(channel, data, coin, known)
            case {"method": "subscription"} if said(frame) is Said.DATA:
                yield Bad(None, "unreadable", "a frame without data")
            case {"error": {"code": code, "message": message}} if said(frame) is Said.DATA:
                yield Bad(None, "upstream_error", f"{code} {message}")
            case _:
                return

    return rows


def _read(channel: str, data: Json, coin: str, known: Known) -> Iterator[Record | Bad | None]:
    kind, _, rest = channel.partition(".")
    if kind != "trades":
        symbol = rest.partition(".")[0]
        yield _tried(quote if kind == "quote" else book, data, symbol) if _is_wanted(symbol, coin, known) else None
    elif not isinstance(data, list):
        yield Bad(None, "unreadable", "a list of trades expected")
    else:
        for item in cast("list[Json]", data):
            yield _trade(item, coin, known)


def _tried(make: Callable[[Json, str], Record], item: Json, symbol: str) -> Record | Bad:
    def made(item: Json) -> Record:
        try:
            if item["instrument_name"] != symbol:
                raise ValueError(f"another instrument: {item['instrument_name']}")
            return make(item, symbol)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    return spec.tried(made, item, symbol)


def _trade(item: Json, coin: str, known: Known) -> Record | Bad | None:
    told = cast("dict[str, Json]", item) if isinstance(item, dict) else {}
    name = told.get("instrument_name")
    symbol = name if isinstance(name, str) else None
    if symbol is not None and not _is_on(symbol, coin, known):
        return None
    return spec.tried(trade, cast("Json", item), symbol)


def _is_on(symbol: str, coin: str, known: Known) -> bool:
    """Whether a contract is on a coin; one that is not listed yet by its name."""
    name = CONTRACT.fullmatch(symbol)
    return _is_wanted(symbol, coin, known) or (
        symbol not in known.instruments and name is not None and name["coin"] == coin
    )


def _is_wanted(symbol: str, coin: str, known: Known) -> bool:
    of = known.instruments.get(symbol) if symbol in known.wanted else None
    return of is not None and of.base == coin
