"""What happens at a replayed Deribit: quotes, order books and trades of some instruments as time passes.

It is made in steps of a fixed length from one seed, so that it is the same whoever looks, and however fast.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

STEP = timedelta(seconds=0.5)
LEVELS = 5
MOST_TRADES = 1000
INTERVALS = ("100ms", "raw", "agg2")
Kind = Literal["quote", "book", "trades"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that is told: the rows of a frame, and of what."""

    kind: Kind
    symbol: str
    data: Any


def family(symbol: str) -> str:
    """The currency it is listed under: BTC, ETH or, of all that is settled in it, USDC."""
    base = symbol.partition("-")[0]
    return base.partition("_")[2] or base


def kind(symbol: str) -> Literal["option", "future"]:
    return "option" if symbol.endswith(("-C", "-P")) else "future"


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


@dataclass(slots=True)
class Book:
    """Prices and amounts of a side; `change_id` of the last change."""

    bids: dict[float, float]
    asks: dict[float, float]
    change_id: int

    def snapshot(self, symbol: str, time: int) -> Row:
        return {
            "type": "snapshot",
            "timestamp": time,
            "instrument_name": symbol,
            "change_id": self.change_id,
            "bids": [["new", price, self.bids[price]] for price in sorted(self.bids, reverse=True)],
            "asks": [["new", price, self.asks[price]] for price in sorted(self.asks)],
        }


@dataclass(slots=True)
class World:
    """All that has happened since `start`: `trades`, every one of each instrument, its newest quote and its book.

    `busy` is how often things happen: about so many quotes a second of each instrument, half as many changes of its
    book, a tenth as many trades.
    """

    instruments: tuple[str, ...] = ("BTC-PERPETUAL", "BTC-25DEC26-100000-C", "BTC-25DEC26-80000-P")
    start: datetime = datetime(2026, 3, 10, 12, tzinfo=UTC)
    busy: float = 0.5
    seed: int = 7
    trades: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    quotes: dict[str, Row] = field(default_factory=dict[str, Row])
    books: dict[str, Book] = field(default_factory=dict[str, Book])
    quoted: int = 0
    _until: datetime = field(init=False)
    _dice: random.Random = field(init=False)
    _change_id: int = 1000

    def __post_init__(self) -> None:
        self._until, self._dice = self.start, random.Random(self.seed)
        for symbol in self.instruments:
            self._begin(symbol)

    def list_anew(self, symbol: str) -> None:
        """There is one more from now on."""
        self._begin(symbol)
        self.instruments = (*self.instruments, symbol)

    def _begin(self, symbol: str) -> None:
        self.trades[symbol] = []
        self.quotes[symbol] = self._quote(symbol, ms(self._until))
        self.books[symbol] = Book(self._side(symbol, -1), self._side(symbol, 1), self._next_change())

    def advance(self, now: datetime) -> Iterator[Happened]:
        """What happened until now, since this was last asked for."""
        while self._until + STEP <= now:
            self._until += STEP
            for symbol in self.instruments:
                yield from self._happens(symbol, ms(self._until))

    def snapshot(self, symbol: str) -> Row:
        """A whole book as it is told to who begins to listen."""
        return self.books[symbol].snapshot(symbol, ms(self._until))

    def has(self, channel: str) -> bool:
        """Whether there is such a channel."""
        match channel.split("."):
            case ["quote", symbol]:
                return symbol in self.instruments
            case ["book" | "trades", symbol, interval]:
                return symbol in self.instruments and interval in INTERVALS
            case ["trades", "option" | "future", "BTC" | "ETH" | "USDC", interval]:
                return interval in INTERVALS
            case _:
                return False

    def _happens(self, symbol: str, time: int) -> Iterator[Happened]:
        chance = self.busy * STEP.total_seconds()
        if self._dice.random() < chance:
            self.quotes[symbol] = self._quote(symbol, time - self._dice.randrange(400))
            self.quoted += 1
            yield Happened("quote", symbol, self.quotes[symbol])
        if self._dice.random() < chance / 2:
            yield Happened("book", symbol, self._change(symbol, time))
        if self._dice.random() < chance / 10:
            deals = [self._trade(symbol, time) for _ in range(self._dice.choice((1, 1, 2, 3)))]
            yield Happened("trades", symbol, deals)

    def _price(self, symbol: str) -> tuple[float, float]:
        """A price, and the step of prices."""
        middle, step = (0.05, 0.0005) if kind(symbol) == "option" else (80_000.0, 0.5)
        return round(middle + step * self._dice.randrange(-50, 50), 4), step

    def _quote(self, symbol: str, time: int) -> Row:
        bid, step = self._price(symbol)
        empty = self._dice.random() < 0.05
        return {
            "timestamp": time,
            "instrument_name": symbol,
            "best_bid_price": 0.0 if empty else bid,
            "best_bid_amount": 0.0 if empty else float(self._dice.randrange(1, 500)),
            "best_ask_price": round(bid + step, 4),
            "best_ask_amount": self._dice.randrange(1, 500),
        }

    def _side(self, symbol: str, direction: int) -> dict[float, float]:
        middle, step = (0.05, 0.0005) if kind(symbol) == "option" else (80_000.0, 0.5)
        levels = (round(middle + direction * number * step, 4) for number in range(1, LEVELS + 1))
        return {price: float(self._dice.randrange(1, 500)) for price in levels}

    def _next_change(self) -> int:
        """One counter for all books: it jumps."""
        self._change_id += self._dice.randrange(1, 9)
        return self._change_id

    def _change(self, symbol: str, time: int) -> Row:
        book = self.books[symbol]
        last, book.change_id = book.change_id, self._next_change()
        name = self._dice.choice(("bids", "asks"))
        side, found = getattr(book, name), self._side(symbol, -1 if name == "bids" else 1)
        price, amount = self._dice.choice(list(found.items()))
        entry = ["change" if price in side else "new", price, amount]
        if price in side and len(side) > 1 and self._dice.random() < 0.3:
            entry = ["delete", price, 0.0]
            del side[price]
        else:
            side[price] = amount
        ids = {"change_id": book.change_id, "prev_change_id": last}
        return {
            "type": "change",
            "timestamp": time,
            "instrument_name": symbol,
            "bids": [],
            "asks": [],
            **ids,
            name: [entry],
        }

    def _trade(self, symbol: str, time: int) -> Row:
        number = 100 + sum(map(len, self.trades.values()))
        price, _ = self._price(symbol)
        deal = {
            "trade_seq": 1 + len(self.trades[symbol]),
            "trade_id": f"{'' if family(symbol) == 'BTC' else family(symbol) + '-'}{number}",
            "timestamp": time,
            "tick_direction": self._dice.randrange(4),
            "price": price,
            "mark_price": price,
            "index_price": 80_000.25,
            "instrument_name": symbol,
            "direction": self._dice.choice(("buy", "sell")),
            "amount": float(self._dice.randrange(1, 50)),
            "starbase_match_id": 230_000_000_000_000_001 + number,
            **({"iv": 61.57} if kind(symbol) == "option" else {}),
            **({"block_trade_id": f"BLOCK-{number}"} if self._dice.random() < 0.1 else {}),
        }
        self.trades[symbol].append(deal)
        return deal


def last_trades(world: World, asked: Mapping[str, str]) -> tuple[int, Any]:
    """`get_last_trades_by_instrument`: status and body. By `start_seq` and `end_seq`, at most `count` (10)."""
    trades = world.trades.get(asked.get("instrument_name", ""))
    if trades is None:
        wrong = {"reason": "instrument not found", "param": "instrument_name"}
        return 400, {"jsonrpc": "2.0", "error": {"message": "Invalid params", "data": wrong, "code": -32602}}
    first, last = int(asked.get("start_seq", 0)), int(asked.get("end_seq", 2**62))
    count = min(int(asked.get("count", 10)), MOST_TRADES)
    found = [one for one in trades if first <= one["trade_seq"] <= last]
    ordered = found if asked.get("sorting") == "asc" else found[::-1]
    return 200, {
        "jsonrpc": "2.0",
        "result": {"trades": ordered[:count], "has_more": len(found) > count},
        "testnet": False,
    }
