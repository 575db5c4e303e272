"""Lighter perpetuals, margined in USDC; spot markets and binary options are in the same lists and are left out.

Requests name a market by a number, answers by its symbol; the list of markets has both. Every answer comes in an
envelope, errors too, some with HTTP 200 and a `code` that is not 200. Numbers are bare or quoted, as each place likes;
quantities are in units of the coin as listed (of `1000PEPE` thousands). Rows ascend, and of a window that holds more
than a page the newest come, without a word. Whether its ends are inside is not documented.

Rates have two scales: percent an hour with the payer beside it where they are paid, a signed fraction of 8 hours where
they are estimated.
"""

import re
from dataclasses import replace
from datetime import timedelta
from math import ceil
from operator import attrgetter
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeNum, Ms, Num, Request, Window, Wire, get
from app.records import Candle, FundingRate, Instrument, OpenInterest, PredictedFunding, Underlying

API, DOCS = "/api/v1", "https://apidocs.lighter.xyz/reference"
ONE = {"requests": 1}
SETTLEMENTS, CANDLES = 750, 500
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
TOO_MANY, BUSY = {"429", "23000"}, {str(code) for code in range(500, 600)}

CURRENCY = "(AUD|CAD|CHF|EUR|GBP|JPY|KRW|NZD|USD)"
OTHER = re.compile(f"{CURRENCY}{{2}}|X(AG|AU|CU|PD|PT)|WTI|BRENTOIL")
SHARES = re.compile("AAPL|AMZN|BMNR|COIN|CRCL|GOOGL|HOOD|META|MSFT|MSTR|NVDA|PLTR|TSLA|QQQ|SPY")
Resolution = TypeVar("Resolution")


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"code":20001,"message":"invalid param : market_id"}`; the code of a good answer may be text too."""
    match body:
        case {"code": int() | str() as code} if str(code) != "200":
            message = str(body.get("message") or "no message")
            return spec.told(status, str(code), message, too_many=TOO_MANY, busy=BUSY)
        case _:
            return None


class Answer(Wire):
    """`{"code":200,...}`"""

    code: Literal[200, "200"]


def _as_ms(value: object) -> object:
    if not isinstance(value, int):
        raise ValueError("epoch seconds expected")
    return value * 1000


Seconds = Annotated[Ms, BeforeValidator(_as_ms)]


class Markets(Answer):
    """`{"code":200,"order_book_details":[...],"spot_order_book_details":[...]}`"""

    order_book_details: spec.SomeRows


class Market(Wire):
    """`{"symbol":"ABC","market_id":7,"market_type":"perp","status":"active",...}`"""

    symbol: str
    market_id: int
    market_type: str
    status: str

    @property
    def trades(self) -> bool:
        """Whether it is a perpetual that can be traded."""
        return self.market_type == "perp" and self.status == "active"


def underlying(symbol: str) -> Underlying:
    """What a market is of, which nothing but its symbol tells: a coin, a share, or a currency or commodity."""
    if SHARES.fullmatch(symbol):
        return "equity"
    return "other" if OTHER.fullmatch(symbol) else "coin"


def instrument(row: Market, window: Window) -> Instrument | None:
    """A perpetual that trades now; all pay hourly. Whether open interest counts one side or both is not documented."""
    if not row.trades:
        return None
    return Instrument(
        row.symbol,
        row.symbol,
        "USDC",
        underlying=underlying(row.symbol),
        funding_interval_hours=1,
        oi_sides=None,
        upstream_id=str(row.market_id),
    )


class HeldMarket(Market):
    """`{"symbol":"ABC",...,"open_interest":1000.2,"last_trade_price":80.5,...}`"""

    open_interest: Num
    last_trade_price: MaybeNum = None


def interest(row: HeldMarket, window: Window) -> OpenInterest | None:
    """Open interest in coins, and in USD at the last price. The answer has no time: it is that of asking."""
    if not row.trades:
        return None
    coins, price = row.open_interest, row.last_trade_price
    return OpenInterest(row.symbol, window.end, coins, coins * price if price else None)


class Rates(Answer):
    """`{"code":200,"funding_rates":[...]}`"""

    funding_rates: spec.SomeRows


class Rate(Wire):
    """`{"market_id":7,"exchange":"lighter","symbol":"ABC","rate":0.000096}`"""

    exchange: str
    symbol: str
    rate: Num


def estimate(row: Rate, window: Window) -> PredictedFunding | None:
    """The running rate of this hour, an eighth of what is told. The answer has no time: it is that of asking.

    The other exchanges in it stand there for comparison, and are asked themselves.
    """
    if row.exchange != "lighter":
        return None
    next_hour = window.end.replace(minute=0, second=0, microsecond=0) + HOUR
    return PredictedFunding(row.symbol, window.end, row.rate / 8, next_hour, 1)


class Settlements(Answer):
    """`{"code":200,"resolution":"1h","fundings":[...]}`"""

    resolution: Literal["1h"]
    fundings: list[Json] | None


class Settlement(Wire):
    """`{"timestamp":1795190400,"value":"0.0009","rate":"0.0012","direction":"short"}`

    `value` is money, what a coin paid in USDC, and no rate.
    """

    timestamp: Seconds
    rate: Annotated[Num, Field(ge=0)]
    direction: Literal["long", "short"]


def _asked(window: Window, resolution: str, step: timedelta) -> dict[str, object]:
    """Market, resolution and how many rows can be inside: a count that is larger might reach back past the start."""
    rows = ceil((window.end - window.start) / step)
    return {"market_id": window.upstream_id, "resolution": resolution, "count_back": rows}


def fundings(window: Window) -> Request:
    """Settled rates of one market since its listing; the bounds are seconds."""
    times = {"start_timestamp": window.start_ms // 1000 - 1, "end_timestamp": window.last_ms // 1000}
    return get(f"{API}/fundings", costs=ONE, **_asked(window, "1h", HOUR), **times)


def settlement(row: Settlement, window: Window) -> FundingRate | None:
    """What was paid at a full hour for the hour before, as a signed fraction.

    The row is there seconds after its time and does not change: it is the rate that the websocket shows from then on
    as the last one paid. One of an hour that still runs would be of a time after the window.
    """
    if not window.holds(row.timestamp):
        return None
    return FundingRate(window.symbol, row.timestamp, spec.paid_by(row.direction, spec.from_percent(row.rate)))


class Klines(Answer, Generic[Resolution]):
    """`{"code":200,"r":"1m","c":[...]}`, `"c":null` where there are none"""

    r: Resolution
    c: list[Json] | None


class Kline(Wire):
    """`{"t":1795212300000,"o":80.1,"h":80.9,"l":80.0,"c":80.5,"v":210.4,"V":16937.2,"i":7}`: a zero is left out"""

    opens: Ms = Field(alias="t")
    open: Num = Field(alias="o")
    high: Num = Field(alias="h")
    low: Num = Field(alias="l")
    close: Num = Field(alias="c")
    volume: Num = Field(alias="v", default=0)
    quote_volume: Num = Field(alias="V", default=0)


def klines(dataset: spec.Dataset, resolution: str, step: timedelta, ready_after: timedelta) -> Feed:
    """Candles of one market by open time since its listing, volumes in coins and USDC; the bounds are milliseconds."""

    def request(window: Window) -> Request:
        times = {"start_timestamp": window.start_ms - 1, "end_timestamp": window.last_ms}
        return get(f"{API}/candles", costs=ONE, **_asked(window, resolution, step), **times)

    def candle(row: Kline, window: Window) -> Candle | None:
        prices = (row.open, row.high, row.low, row.close)
        whole = Candle(window.symbol, row.opens, step, *prices, row.volume, row.quote_volume)
        return whole if window.holds(row.opens) else None

    rows = spec.each(Kline, candle, lambda answer: answer.c or [])
    feed = Feed(dataset, "instrument", request, Klines[Literal[resolution]], rows, HOUR, f"{DOCS}/candles")
    return replace(feed, step=step, limit=CANDLES, history=True, ready_after=ready_after)


details = spec.always(get(f"{API}/orderBookDetails", costs=ONE))
funding_rates = spec.always(get(f"{API}/funding-rates", costs=ONE))
markets = attrgetter("order_book_details")

listed, interests = spec.each(Market, instrument, markets), spec.each(HeldMarket, interest, markets)
estimates = spec.each(Rate, estimate, attrgetter("funding_rates"))
settlements = spec.each(Settlement, settlement, lambda answer: answer.fundings or [])

FUNDING = Feed("funding", "instrument", fundings, Settlements, settlements, 2 * MINUTES_5, f"{DOCS}/fundings")

# 60 requests a minute for all: what was paid is asked of every market first, candles after it, all once an hour
SOURCE = spec.Source(
    id="lighter",
    name="Lighter",
    base_url="https://mainnet.zklighter.elliot.ai",
    budgets={"requests": spec.Budget(60, MINUTE)},
    feeds=(
        Feed("instruments", "market", details, Markets, listed, HOUR, f"{DOCS}/orderbookdetails"),
        replace(FUNDING, step=HOUR, limit=SETTLEMENTS, history=True),
        Feed("predicted_funding", "market", funding_rates, Rates, estimates, MINUTES_5, f"{DOCS}/funding-rates"),
        Feed("open_interest", "market", details, Markets, interests, MINUTES_5, f"{DOCS}/orderbookdetails"),
        klines("candles_1h", "1h", HOUR, 6 * MINUTE),
        klines("candles_1m", "1m", MINUTE, 12 * MINUTE),
    ),
    docs="https://apidocs.lighter.xyz/docs",
    terms="https://lighter.xyz/terms",
    problem=problem,
)
