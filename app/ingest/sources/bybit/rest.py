"""What Bybit is asked for: contracts, settlements, how things stand, and history of open interest and candles."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Generic, Literal, TypeVar
from urllib.parse import unquote

from pydantic import Field

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeMs, MaybeNum, Ms, Num, Request, Rows, Trouble, Window, Wire, get, read_rows
from app.records import Candle, FundingRate, Instrument, OpenInterest, PredictedFunding

DOCS = "https://bybit-exchange.github.io/docs/v5/market"
ONE = {"requests": 1}
CONTRACTS, SETTLEMENTS, INTERESTS, KLINES = 1000, 200, 200, 1000
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
COINS, EQUITIES = {"", "innovation", "adventure"}, {"stock", "xstocks", "mstocks", "etf"}
SINGLE_SINCE = datetime(2026, 6, 11, tzinfo=UTC)
TOO_MANY, BUSY = {10006, 10018}, {10000, 10016}
List = TypeVar("List")


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"retCode":10006,"retMsg":"Too many visits!",...}`; the edge answers who asks too often with a 403 in words."""
    match body:
        case {"retCode": int(code), "retMsg": str(message)} if code != 0:
            return spec.told(status, code, message, too_many=TOO_MANY, busy=BUSY)
        case str(message) if status == 403 and "access too frequent" in message.lower():
            return spec.Problem(Trouble.THROTTLED, "403", message)
        case _:
            return None


class Result(Wire, Generic[List]):
    category: Literal["linear"]
    rows: List = Field(alias="list")
    cursor: str = Field(alias="nextPageCursor", default="")


class Answer(Wire, Generic[List]):
    """`{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[...]},"time":1795212345678}`"""

    retCode: Literal[0]
    result: Result[List]
    time: Ms


Asked = Answer[list[Json]]
AllMarkets = Answer[spec.SomeRows]


def _page(window: Window, limit: int) -> dict[str, object]:
    times = {"startTime": window.start_ms, "endTime": window.last_ms}
    return {"category": "linear", "symbol": window.symbol, **times, "limit": limit}


class Contract(Wire):
    """`{"symbol":"ABCUSDT","contractType":"LinearPerpetual","fundingInterval":240,"deliveryTime":"0",...}`"""

    symbol: str
    contractType: Literal["LinearPerpetual", "LinearFutures"]
    status: str
    baseCoin: str
    quoteCoin: str
    launchTime: MaybeMs
    deliveryTime: MaybeMs
    fundingInterval: int
    symbolType: str = ""


def instruments_info(window: Window) -> Request:
    """Contracts that trade now, page by page; delisted ones are not among them."""
    return get("/v5/market/instruments-info", costs=ONE, category="linear", limit=CONTRACTS, cursor=window.cursor)


def next_cursor(answer: AllMarkets) -> str | None:
    """The next page: its cursor comes percent-encoded, as it stands in an address."""
    return unquote(answer.result.cursor) or None


def contract(row: Contract, window: Window) -> Instrument:
    """Perpetuals and dated futures; `fundingInterval` is in minutes, 0 for dated ones."""
    return Instrument(
        row.symbol,
        row.baseCoin,
        row.quoteCoin,
        kind="perp" if row.contractType == "LinearPerpetual" else "future",
        underlying="coin" if row.symbolType in COINS else "equity" if row.symbolType in EQUITIES else "other",
        funding_interval_hours=row.fundingInterval / 60 or None,
        active=row.status == "Trading",
        listed_at=row.launchTime,
        delisted_at=row.deliveryTime,
        oi_sides=1,
        oi_sides_since=SINGLE_SINCE,
        oi_sides_before=2,
    )


class Settlement(Wire):
    """`{"symbol":"ABCUSDT","fundingRate":"0.00004000","fundingRateTimestamp":"1795190400000"}`"""

    symbol: str
    fundingRate: Num
    fundingRateTimestamp: Ms


def funding_history(window: Window) -> Request:
    """Settled rates of one symbol since its launch; a start without an end would be refused."""
    return get("/v5/market/funding/history", costs=ONE, **_page(window, SETTLEMENTS))


def settlement(row: Settlement, window: Window) -> FundingRate:
    """What was paid, a fraction of one interval."""
    return FundingRate(row.symbol, row.fundingRateTimestamp, row.fundingRate)


class Interest(Wire):
    """`{"openInterest":"1000.2","singleOpenInterest":"500.1","timestamp":"1795212000000"}`"""

    timestamp: Ms
    openInterest: Num
    singleOpenInterest: MaybeNum = None


class Ticker(Wire):
    """`{"symbol":"ABCUSDT","fundingRate":"0.0001","nextFundingTime":"1795219200000","openInterest":"1000.2",...}`

    The hours and the single sides are new: answers of 2023 have neither.
    """

    symbol: str
    fundingRate: MaybeNum
    nextFundingTime: MaybeMs
    fundingIntervalHour: MaybeNum = None
    openInterest: Num
    openInterestValue: Num
    singleOpenInterest: MaybeNum = None
    singleOpenInterestValue: MaybeNum = None


tickers = spec.always(get("/v5/market/tickers", costs=ONE, category="linear"))


def estimates(answer: AllMarkets, window: Window) -> Rows:
    """Running estimates as of the envelope's time; a dated future has an empty rate."""

    def estimate(row: Ticker) -> PredictedFunding | None:
        if row.fundingRate is None:
            return None
        hours = row.fundingIntervalHour
        return PredictedFunding(row.symbol, answer.time, row.fundingRate, row.nextFundingTime, hours)

    return read_rows(Ticker, answer.result.rows, estimate)


def one_side(single: float | None, both: float) -> float:
    """Open interest as longs or as shorts: `openInterest` counts both, and until June 2026 there was nothing else."""
    return both / 2 if single is None else single


def interests_now(answer: AllMarkets, window: Window) -> Rows:
    """One-sided open interest of the perpetuals as of the envelope's time, in base units and USD."""

    def interest(row: Ticker) -> OpenInterest | None:
        if row.fundingRate is None:
            return None
        base = one_side(row.singleOpenInterest, row.openInterest)
        return OpenInterest(row.symbol, answer.time, base, one_side(row.singleOpenInterestValue, row.openInterestValue))

    return read_rows(Ticker, answer.result.rows, interest)


def open_interest(window: Window) -> Request:
    """Open interest of one symbol every hour since its launch."""
    return get("/v5/market/open-interest", costs=ONE, intervalTime="1h", **_page(window, INTERESTS))


def interest(row: Interest, window: Window) -> OpenInterest:
    """One-sided open interest in base units; the value in USD is not told."""
    return OpenInterest(window.symbol, row.timestamp, one_side(row.singleOpenInterest, row.openInterest), None)


class Kline(spec.Bar):
    """`["1795212300000","80.1","80.9","80.0","80.5","210.4","16937.20"]`, the volume in base units"""

    turnover: Num


def klines(dataset: spec.Dataset, interval: str, step: timedelta, every: timedelta) -> Feed:
    """Candles by open time since launch; turnover is in the quote currency."""

    def request(window: Window) -> Request:
        asked = {"category": "linear", "symbol": window.symbol, "interval": interval}
        return get("/v5/market/kline", costs=ONE, **asked, start=window.start_ms, end=window.last_ms, limit=KLINES)

    def candle(row: Kline, window: Window) -> Candle:
        usd = spec.in_usd(row.turnover, window.one.quote)
        return Candle(window.symbol, row.opens, step, *row.prices, row.volume, usd)

    rows, docs = spec.each(Kline, candle, attrgetter("result.rows")), f"{DOCS}/kline"
    return Feed(dataset, "instrument", request, Asked, rows, every, docs, step=step, limit=KLINES, history=True)


contracts = spec.each(Contract, contract, attrgetter("result.rows"))
settlements = spec.each(Settlement, settlement, attrgetter("result.rows"))
interests = spec.each(Interest, interest, attrgetter("result.rows"))

INSTRUMENTS = Feed("instruments", "market", instruments_info, AllMarkets, contracts, HOUR, f"{DOCS}/instrument")
FUNDING = Feed("funding", "instrument", funding_history, Asked, settlements, 2 * MINUTES_5, f"{DOCS}/history-fund-rate")
OPEN_INTEREST = Feed("open_interest", "instrument", open_interest, Asked, interests, HOUR, f"{DOCS}/open-interest")

FEEDS = (
    replace(INSTRUMENTS, next_cursor=next_cursor),
    replace(FUNDING, step=timedelta(hours=8), limit=SETTLEMENTS, history=True),
    Feed("predicted_funding", "market", tickers, AllMarkets, estimates, MINUTES_5, f"{DOCS}/tickers"),
    Feed("open_interest", "market", tickers, AllMarkets, interests_now, MINUTES_5, f"{DOCS}/tickers"),
    replace(OPEN_INTEREST, step=HOUR, limit=INTERESTS, history=True),
    klines("candles_1m", "1", MINUTE, MINUTES_5),
    klines("candles_1h", "60", HOUR, HOUR),
)
