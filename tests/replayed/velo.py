"""Velo, replayed as it is documented: CSV of what was asked for, the limits it states, the same values every time."""

import math
import re
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from zlib import crc32

from tests.replayed.bodies import Answer, Query

Of = Callable[[int, int], float]
KEY = "velo-replayed"
CELLS = 22_500
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
LISTED = round(datetime(2023, 6, 9, tzinfo=UTC).timestamp() * 1000)
PARAMETERS = {"type", "exchanges", "coins", "products", "columns", "begin", "end", "resolution"}
EXCHANGES = ("binance-futures", "bybit", "okex-swap", "hyperliquid")
ODD_NAMES = ("BTC", "ETH", "1000PEPE", "888", "4", "42", "0G", "1INCH", "VELO", "VELODROME")
ALIKE = {  # how many coins are on just these exchanges, as it was in January 2026: 481 coins, 1,069 pairs
    ("binance-futures", "bybit", "okex-swap", "hyperliquid"): 37,
    ("binance-futures", "bybit"): 252,
    ("binance-futures", "bybit", "okex-swap"): 97,
    ("binance-futures", "bybit", "hyperliquid"): 13,
    ("binance-futures", "okex-swap"): 2,
    ("bybit", "okex-swap"): 2,
    ("bybit", "hyperliquid"): 1,
    ("binance-futures",): 45,
    ("bybit",): 32,
}


@dataclass(frozen=True, slots=True)
class Market:
    """A perpetual by Velo's names; `begins` in epoch milliseconds, before which there is nothing."""

    exchange: str
    coin: str
    product: str
    begins: int = LISTED


def listing(alike: dict[tuple[str, ...], int] = ALIKE) -> tuple[Market, ...]:
    """So many coins on just these exchanges, the oddest names first."""
    every = [exchanges for exchanges, coins in alike.items() for _ in range(coins)]
    names = (*ODD_NAMES, *(f"COIN{number}" for number in range(len(every) - len(ODD_NAMES))))
    return tuple(
        Market(exchange, coin, _product(exchange, coin))
        for coin, exchanges in zip(names, every, strict=False)
        for exchange in exchanges
    )


def _product(exchange: str, coin: str) -> str:
    return {"okex-swap": f"{coin}-USDT-SWAP", "hyperliquid": coin}.get(exchange, f"{coin}USDT")


@dataclass
class Mood:
    """What tests may change, and what came in.

    `markets` are those of the catalogue; `minutes`: buckets of a minute come whatever resolution was asked for.
    `allowed` requests `a_period` of seconds; `asked` is how many came, `most` how many at most in a period.
    """

    markets: tuple[Market, ...] = field(default_factory=listing)
    minutes: bool = False
    allowed: int = 120
    a_period: float = 30.0
    asked: int = 0
    most: int = 0
    lately: deque[float] = field(default_factory=deque)

    def is_too_often(self) -> bool:
        """Count a request that comes in now."""
        now = time.monotonic()
        self.lately.append(now)
        while self.lately[0] <= now - self.a_period:
            self.lately.popleft()
        self.asked, self.most = self.asked + 1, max(self.most, len(self.lately))
        return len(self.lately) > self.allowed


mood = Mood()


def calm() -> None:
    """As it was in the beginning."""
    mood.__dict__.update(Mood().__dict__)


class Refusal(ValueError):
    """Asked wrongly."""


def answer(path: str, query: Query, authorization: str, now: datetime) -> Answer:
    """The key first, then not too often, then what was asked for."""
    if authorization != f"Basic {b64encode(f'api:{KEY}'.encode()).decode()}":
        return 401, "Unauthorized"
    if mood.is_too_often():
        return 429, "Too many requests"
    if path not in PATHS:
        return 404, "Not found"
    try:
        return 200, PATHS[path](query, round(now.timestamp() * 1000))
    except Refusal as error:
        return 400, str(error)


def _status(query: Query, now: int) -> str:
    return "ok"


def _futures(query: Query, now: int) -> str:
    others = ("deribit,BTC,BTC-PERPETUAL", "binance-coin-margin,BTC,BTCUSD_PERP")
    ours = (f"{market.exchange},{market.coin},{market.product},{market.begins},true" for market in mood.markets)
    return _table("exchange,coin,product,begin,depth", [*ours, *(f"{other},{LISTED},false" for other in others)])


def _table(header: str, lines: Iterable[str]) -> str:
    return "\n".join([header, *lines, ""])


def _rows(query: Query, now: int) -> str:
    exchanges, coins, columns, begin, end, step = _question(query)
    shown = MINUTE_MS if mood.minutes else step
    lines: list[str] = []
    for market in mood.markets:
        if market.exchange in exchanges and market.coin in coins:
            first = math.ceil(max(begin, market.begins) / shown) * shown
            lines += _lines(market, range(first, min(end, now + 1), shown), columns, shown)
    return _table(f"exchange,coin,product,time,{','.join(columns)}", lines) if lines else ""


def _question(query: Query) -> tuple[set[str], set[str], list[str], int, int, int]:
    """Exchanges, coins, columns, begin, end and milliseconds of a bucket. Raises Refusal."""
    if unknown := set(query) - PARAMETERS:
        raise Refusal(f"Unknown parameter {', '.join(sorted(unknown))}")
    if query.get("type") != "futures" or "products" in query or not {"exchanges", "coins", "columns"} <= set(query):
        raise Refusal("Only futures by exchanges, coins and columns are replayed")
    exchanges, coins, columns = (query[name].split(",") for name in ("exchanges", "coins", "columns"))
    if not set(exchanges) <= set(EXCHANGES) or not set(columns) <= set(COLUMNS):
        raise Refusal("Invalid exchanges or columns")
    if not query.get("begin", "").isdecimal() or not query.get("end", "").isdecimal():
        raise Refusal("begin and end are milliseconds")
    begin, end, step = int(query["begin"]), int(query["end"]), _step(query.get("resolution", ""))
    cells = math.ceil((end - begin) / step) * len(exchanges) * len(coins) * len(columns)
    if cells > CELLS:
        raise Refusal(f"{cells} cells, {CELLS} are allowed")
    return set(exchanges), set(coins), columns, begin, end, step


def _step(resolution: str) -> int:
    """Whole minutes; of anything else that begins with digits these are taken, so `1h` is one minute."""
    digits = re.match(r"(\d+)[a-zA-Z]?$", resolution)
    if digits is None or int(digits[1]) not in (1, 60):
        raise Refusal("resolution is minutes; 1 and 60 are replayed")
    return int(digits[1]) * MINUTE_MS


def _lines(market: Market, times: range, columns: list[str], step: int) -> Iterable[str]:
    begin = f"{market.exchange},{market.coin},{market.product}"
    told = [[tell(market, column, moment, step) for moment in times] for column in columns]
    return (",".join((begin, str(moment), *map(repr, cells))) for moment, *cells in zip(times, *told, strict=True))


@lru_cache(maxsize=4096)
def _seed(market: Market) -> int:
    return crc32(f"{market.exchange}/{market.product}".encode()) % 100_003


def value(market: Market, column: str, hour: int) -> float:
    """What Velo has of an hour, given by its number since the epoch."""
    return COLUMNS[column][0](_seed(market), hour)


AT: dict[str, tuple[int, float]] = {"open": (0, 0.125), "high": (20, -0.25), "low": (40, 0.25), "close": (59, 0.125)}
"""In which minute the value of the hour is told, and by how much all other minutes differ from it."""


def tell(market: Market, column: str, moment: int, step: int) -> float:
    """What is told of a bucket: minutes are such that together they have the value of their hour."""
    hour, within = divmod(moment, HOUR_MS)
    whole, kind = value(market, column, hour), COLUMNS[column][1]
    if step == HOUR_MS or kind == "same":
        return whole
    if kind == "sum":
        return whole / 60
    minute, off = AT[kind]
    return whole if within == minute * MINUTE_MS else whole + off


def _wave(seed: int, hour: int) -> int:
    """0 … 999, another one every hour."""
    return (seed + hour * 7919) % 1000


def _price(seed: int, hour: int) -> float:
    return 1 + seed % 500 + _wave(seed, hour) / 1000


def _coins(seed: int, hour: int) -> float:
    return 1000.0 + seed % 9000 + _wave(seed, hour)


def _usd(seed: int, hour: int) -> float:
    return 80_000.0 + 3 * (seed % 9000) + _wave(seed, hour)


def _sum(prime: int) -> Of:
    """Something counted in an hour: a multiple of 60, and sometimes truly none."""
    return lambda seed, hour: 60.0 * ((seed // prime + hour) % 97)


def _both(one: Of, other: Of) -> Of:
    return lambda seed, hour: one(seed, hour) + other(seed, hour)


def _sides(name: str, both: str, primes: tuple[int, int]) -> dict[str, tuple[Of, str]]:
    buys, sells = map(_sum, primes)
    return {f"buy_{name}": (buys, "sum"), f"sell_{name}": (sells, "sum"), both: (_both(buys, sells), "sum")}


def _range(name: str, close: Of) -> dict[str, tuple[Of, str]]:
    return {
        f"{name}high": (lambda seed, hour: max(close(seed, hour), close(seed, hour - 1)) + 0.5, "high"),
        f"{name}low": (lambda seed, hour: min(close(seed, hour), close(seed, hour - 1)) - 0.5, "low"),
        f"{name}close": (close, "close"),
    }


def _funding(seed: int, hour: int) -> float:
    return (_wave(seed, hour) % 41 - 20) / 100_000


def _premium(seed: int, hour: int) -> float:
    return (_wave(seed, hour) % 21 - 10) / 10_000


def _open(seed: int, hour: int) -> float:
    return _price(seed, hour - 1)


PRICES = {f"{name}_price": of for name, of in _range("", _price).items()}
COLUMNS: dict[str, tuple[Of, str]] = {
    "open_price": (_open, "open"),
    **PRICES,
    **_sides("coin_volume", "coin_volume", (3, 5)),
    **_sides("dollar_volume", "dollar_volume", (7, 11)),
    **_sides("trades", "total_trades", (13, 17)),
    **_range("coin_open_interest_", _coins),
    **_range("dollar_open_interest_", _usd),
    "funding_rate": (_funding, "same"),
    "funding_rate_avg": (_funding, "same"),
    "premium": (_premium, "same"),
    "buy_liquidations": (_sum(19), "sum"),
    "sell_liquidations": (_sum(23), "sum"),
    **_sides("liquidations_coin_volume", "liquidations_coin_volume", (29, 31)),
    **_sides("liquidations_dollar_volume", "liquidations_dollar_volume", (37, 41)),
}
PATHS: dict[str, Callable[[Query, int], str]] = {
    "/api/v1/status": _status,
    "/api/v1/futures": _futures,
    "/api/v1/rows": _rows,
}
