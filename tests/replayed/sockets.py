"""What the replayed exchanges say on their sockets, each in its own words, and how they answer what is said to them."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from tests.replayed import markets as world
from tests.replayed.bodies import coming, text
from tests.replayed.markets import EPOCH, Market, ms

MINUTE = timedelta(minutes=1)
DEALS_AT = (7.0, 22.0, 37.0, 52.0)
"""Seconds of a minute at which there is a trade, where there are any."""
GROWS_AT = {20.0: 0.3, 40.0: 0.7}
"""Seconds of a minute at which the growing candle is told, and how much of it there is."""


@dataclass(frozen=True, slots=True)
class Deal:
    """A trade: its number, when, whether its taker bought, price and quoted units."""

    number: int
    time: datetime
    buys: bool
    price: float
    quantity: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A candle as it stands: its open time, open, high, low, close and volume as text, and whether it is finished."""

    opens: datetime
    values: list[str]
    finished: bool

    @property
    def quote(self) -> str:
        """Its volume in the quote currency."""
        return text(float(self.values[3]) * float(self.values[4]))


def draw(market: Market, what: str, time: datetime) -> float:
    """Between 0 and 1, always the same."""
    return crc32(f"{market.exchange}/{market.symbol}/{what}/{ms(time)}".encode()) / 2**32


def bar(market: Market, opens: datetime, share: float = 1.0) -> Bar:
    """The candle that opens then when this share of it has passed."""
    opened, high, low, last, volume = world.candle(market, opens, MINUTE)
    if share == 1.0:
        return Bar(opens, [text(value) for value in (opened, high, low, last, volume)], True)
    now = opened + (last - opened) * share
    return Bar(opens, [text(v) for v in (opened, max(opened, now), min(opened, now), now, volume * share)], False)


def is_quiet(market: Market) -> bool:
    """Of one in ten contracts nothing is ever traded in the stream of trades."""
    return crc32(market.symbol.encode()) % 10 == 0


def deals(market: Market, opens: datetime) -> list[Deal]:
    """The trades of a minute."""
    if is_quiet(market):
        return []
    found: list[Deal] = []
    for place, second in enumerate(DEALS_AT):
        time = opens + timedelta(seconds=second)
        quantity = round(1 + 9 * draw(market, "quantity", time), 2)
        number = (opens - EPOCH) // MINUTE * len(DEALS_AT) + place
        found.append(Deal(number, time, draw(market, "taker", time) > 0.5, world.price(market, opens), quantity))
    return found


def takers(market: Market, opens: datetime) -> tuple[float, float]:
    """What takers bought and sold in a minute, in quoted units."""
    found = deals(market, opens)
    return tuple(sum(deal.quantity for deal in found if deal.buys is buys) for buys in (True, False))  # type: ignore


def liquidation(market: Market, opens: datetime) -> Deal | None:
    """The position that was liquidated in a minute, one minute in ten; `buys`: it was a long one."""
    if draw(market, "liquidation", opens) > 0.1:
        return None
    time = opens + timedelta(seconds=33)
    return Deal(0, time, draw(market, "side", opens) > 0.5, world.price(market, opens), 5.0)


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered to a frame, and the topics it takes and gives up."""

    frames: list[Any]
    new: list[str]
    gone: list[str]


def _binance(frame: Any, refused: Collection[str]) -> Answered:
    wanted = frame["params"]
    if set(wanted) & set(refused):
        return Answered([{"error": {"code": 2, "msg": "Invalid request"}, "id": frame["id"]}], [], [])
    done = [{"result": None, "id": frame["id"]}]
    return Answered(done, wanted, []) if frame["method"] == "SUBSCRIBE" else Answered(done, [], wanted)


def _bybit(frame: Any, refused: Collection[str]) -> Answered:
    if frame["op"] == "ping":
        return Answered([{"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"}], [], [])
    wrong = set(frame["args"]) & set(refused)
    words = f"error:handler not found,topic:{','.join(sorted(wrong))}" if wrong else ""
    done = {"success": not wrong, "ret_msg": words, "conn_id": "c", "req_id": "", "op": frame["op"]}
    wanted = [] if wrong else frame["args"]
    return Answered([done], wanted, []) if frame["op"] == "subscribe" else Answered([done], [], wanted)


def _okx(frame: Any, refused: Collection[str]) -> Answered:
    if frame == "ping":
        return Answered(["pong"], [], [])
    frames: list[Any] = []
    new: list[str] = []
    for arg in frame["args"]:
        topic = json.dumps(arg, sort_keys=True)
        if topic in refused:
            frames.append({"event": "error", "code": "60018", "msg": f"Wrong URL or {topic} doesn't exist."})
        else:
            frames.append({"event": frame["op"], "arg": arg, "connId": "c"})
            new.append(topic)
    return Answered(frames, new, []) if frame["op"] == "subscribe" else Answered(frames, [], new)


def _hyperliquid(frame: Any, refused: Collection[str]) -> Answered:
    if frame["method"] == "ping":
        return Answered([{"channel": "pong"}], [], [])
    topic = json.dumps(frame["subscription"], sort_keys=True)
    if topic in refused:
        return Answered([{"channel": "error", "data": f"Invalid subscription {topic}"}], [], [])
    done = [{"channel": "subscriptionResponse", "data": frame}]
    return Answered(done, [topic], []) if frame["method"] == "subscribe" else Answered(done, [], [topic])


Told = tuple[str, Any]
"""A topic and a frame of it."""


def _binance_bar(m: Market, b: Bar, now: datetime) -> Told:
    o, h, l, c, v = b.values  # noqa: E741 - its own words
    end, half = ms(b.opens + MINUTE) - 1, text(float(v) / 2)
    k = {"t": ms(b.opens), "T": end, "s": m.symbol, "i": "1m", "o": o, "h": h, "l": l, "c": c, "v": v, "n": 7}
    k |= {"x": b.finished, "q": b.quote, "V": half, "Q": "1"}
    topic = f"{m.symbol.lower()}@kline_1m"
    return topic, {"stream": topic, "data": {"e": "kline", "E": ms(now), "s": m.symbol, "k": k}}


def _bybit_bar(m: Market, b: Bar, now: datetime) -> Told:
    names = ("open", "high", "low", "close", "volume")
    times = {"start": ms(b.opens), "end": ms(b.opens + MINUTE) - 1, "timestamp": ms(now)}
    row = {**times, "interval": "1", **dict(zip(names, b.values, strict=True)), "turnover": b.quote}
    topic = f"kline.1.{m.symbol}"
    return topic, {"topic": topic, "type": "snapshot", "ts": ms(now), "data": [{**row, "confirm": b.finished}]}


def _okx_bar(m: Market, b: Bar, now: datetime) -> Told:
    arg = {"channel": "candle1m", "instId": m.symbol}
    contracts = text(float(b.values[4]) * 100)
    row = [str(ms(b.opens)), *b.values[:4], contracts, b.values[4], b.quote, "1" if b.finished else "0"]
    return json.dumps(arg, sort_keys=True), {"arg": arg, "data": [row]}


def _hyperliquid_bar(m: Market, b: Bar, now: datetime) -> Told:
    topic = {"type": "candle", "coin": m.symbol, "interval": "1m"}
    prices = dict(zip("ohlcv", b.values, strict=True))
    times = {"t": ms(b.opens), "T": ms(b.opens + MINUTE) - 1}
    return json.dumps(topic, sort_keys=True), {
        "channel": "candle",
        "data": {**times, "s": m.symbol, "i": "1m", **prices, "n": 7},
    }


def _bybit_deal(m: Market, d: Deal, now: datetime) -> Told:
    side = "Buy" if d.buys else "Sell"
    row = {"T": ms(d.time), "s": m.symbol, "S": side, "v": text(d.quantity), "p": text(d.price), "L": "PlusTick"}
    topic = f"publicTrade.{m.symbol}"
    data = [{**row, "i": f"{m.symbol}-{d.number}", "BT": False, "RPI": False, "seq": d.number}]
    return topic, {"topic": topic, "type": "snapshot", "ts": ms(now), "data": data}


def _okx_deal(m: Market, d: Deal, now: datetime) -> Told:
    arg = {"channel": "trades", "instId": m.symbol}
    row = {"instId": m.symbol, "tradeId": str(d.number), "px": text(d.price), "sz": text(d.quantity * 100)}
    row |= {"side": "buy" if d.buys else "sell", "ts": str(ms(d.time)), "count": "1"}
    return json.dumps(arg, sort_keys=True), {"arg": arg, "data": [row]}


def _hyperliquid_deal(m: Market, d: Deal, now: datetime) -> Told:
    topic = {"type": "trades", "coin": m.symbol}
    row = {"coin": m.symbol, "side": "B" if d.buys else "A", "px": text(d.price), "sz": text(d.quantity)}
    row |= {"time": ms(d.time), "hash": "0x0", "tid": d.number}  # type: ignore[dict-item]
    return json.dumps(topic, sort_keys=True), {"channel": "trades", "data": [row]}


def _binance_end(m: Market, d: Deal, now: datetime) -> Told:
    side, size, at = "SELL" if d.buys else "BUY", text(d.quantity), text(d.price)
    order = {"s": m.symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": size, "p": at, "ap": at, "X": "FILLED"}
    order |= {"l": size, "z": size, "T": ms(d.time), "ps": m.symbol, "st": 1}  # type: ignore[dict-item]
    return "!forceOrder@arr", {
        "stream": "!forceOrder@arr",
        "data": {"e": "forceOrder", "E": ms(now), "o": order},
    }


def _bybit_end(m: Market, d: Deal, now: datetime) -> Told:
    topic = f"allLiquidation.{m.symbol}"
    side = "Buy" if d.buys else "Sell"
    row = {"T": ms(d.time), "s": m.symbol, "S": side, "v": text(d.quantity), "p": text(d.price)}
    return topic, {"topic": topic, "type": "snapshot", "ts": ms(now), "data": [row]}


def _okx_end(m: Market, d: Deal, now: datetime) -> Told:
    arg = {"channel": "liquidation-orders", "instType": "SWAP"}
    row = {"bkLoss": "0", "bkPx": text(d.price), "ccy": "", "sz": text(d.quantity * 100), "ts": str(ms(d.time))}
    row |= {"posSide": "long" if d.buys else "short", "side": "sell" if d.buys else "buy"}
    family = f"{m.base}-{m.quote}"
    data = [{"details": [row], "instFamily": family, "instId": m.symbol, "instType": "SWAP", "uly": family}]
    return json.dumps(arg, sort_keys=True), {"arg": arg, "data": data}


def _binance_marks(now: datetime) -> Iterator[Told]:
    rows = [
        {
            **{
                "e": "markPriceUpdate",
                "E": ms(now),
                "s": m.symbol,
                "p": text(world.price(m, now)),
                "i": text(world.price(m, now)),
                "P": "1",
            },
            **{"r": text(world.rate(m, coming(m, now))), "T": ms(coming(m, now)), "st": 1, "ps": m.symbol},
        }
        for m in world.of("binance")
    ]
    coin = {**rows[0], "s": "BTCUSD_PERP", "st": 2} if rows else {}
    yield "!markPrice@arr", {"stream": "!markPrice@arr", "data": [*rows, coin]}


def _okx_rates(now: datetime) -> Iterator[Told]:
    for m in world.of("okx"):
        arg, settles = {"channel": "funding-rate", "instId": m.symbol}, coming(m, now)
        row = {"instId": m.symbol, "instType": "SWAP", "fundingRate": text(world.rate(m, settles)), "ts": str(ms(now))}
        row |= {"fundingTime": str(ms(settles)), "nextFundingTime": str(ms(settles + m.hours * world.HOUR))}
        row |= {"prevFundingTime": str(ms(settles - m.hours * world.HOUR)), "settState": "settled"}
        yield json.dumps(arg, sort_keys=True), {"arg": arg, "data": [{**row, "settFundingRate": "0.0001"}]}


def _nothing(now: datetime) -> Iterator[Told]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Speech:
    """How one exchange speaks: what it answers, and a candle, trade, liquidation and the rates of all, as frames."""

    answer: Callable[[Any, Collection[str]], Answered]
    bar: Callable[[Market, Bar, datetime], Told]
    deal: Callable[[Market, Deal, datetime], Told] | None
    end: Callable[[Market, Deal, datetime], Told] | None
    rates: Callable[[datetime], Iterator[Told]] = _nothing


SPEECHES: Mapping[str, Speech] = {
    "binance": Speech(_binance, _binance_bar, None, _binance_end, _binance_marks),
    "bybit": Speech(_bybit, _bybit_bar, _bybit_deal, _bybit_end),
    "okx": Speech(_okx, _okx_bar, _okx_deal, _okx_end, _okx_rates),
    "hyperliquid": Speech(_hyperliquid, _hyperliquid_bar, _hyperliquid_deal, None),
}
PATHS = {
    "/market/stream": "binance",
    "/v5/public/linear": "bybit",
    "/ws/v5/business": "okx",
    "/ws/v5/public": "okx",
    "/ws": "hyperliquid",
}
