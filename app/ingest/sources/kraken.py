"""Kraken Futures: linear perpetuals on many collaterals (`PF_`) and inverse ones (`PI_`), all quoted in USD.

Times are ISO 8601 in UTC, of candles epoch milliseconds (and seconds in what is asked). Numbers are bare; in candles,
strings. XBT is Bitcoin. Funding is exchanged hourly, at a rate worked out over the hour before. **What is called
`fundingRate` is an amount**: USD a coin (`PF_`), coins a USD contract (`PI_`). The fraction is `relativeFundingRate` of
the history; of tickers it is the amount over (`PF_`) or times (`PI_`) the index price.

Open interest of tickers counts coins of `PF_` and USD of `PI_`, and so do the volumes of candles.

Not documented, and not settled by what was recorded: whether a rate is stamped with the beginning or the end of the
hour it is paid in (it is kept as stamped), whether one side of open interest is told, and how often may be asked:
public requests "have no cost", so the budget is a guess on the careful side. Seen, not documented: settled rates
answer under v4 only and go back a year, and candles come 2,000 at most.
"""

from dataclasses import replace
from datetime import timedelta
from math import inf
from operator import attrgetter
from typing import Literal

from pydantic import AwareDatetime

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeNum, Ms, Num, Request, Window, Wire, get
from app.records import Candle, FundingRate, Instrument, OpenInterest, PerpMinute, PredictedFunding

DOCS = "https://docs.kraken.com/api-reference"
ONE = {"requests": 1}
PAGE = 2000
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
LINEAR, INVERSE = "PF_", "PI_"
TOO_MANY, BUSY, ABSENT = {"apiLimitExceeded"}, {"Server Error", "Unavailable"}, {"notFound", "NOT_FOUND"}


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"result":"error","error":"apiLimitExceeded"}`, or `errors` of objects with a `message`; charts: a text."""
    match body:
        case {"errors": [{"message": str(said)}, *_]} | {"error": str(said)}:
            if said in ABSENT:
                return spec.Problem(spec.Trouble.ABSENT, said, said)
            return spec.told(status, said, said, too_many=TOO_MANY, busy=BUSY)
        case {"result": "error"}:
            return spec.told(status, status, "no reason told", too_many=TOO_MANY, busy=BUSY)
        case _:
            return None


class Answer(Wire):
    """`{"result":"success","instruments":[...]}`, or `rates`, or `tickers`."""

    result: Literal["success"]


class Instruments(Answer):
    instruments: spec.SomeRows


class Rates(Answer):
    rates: list[Json]


class Tickers(Answer):
    tickers: spec.SomeRows


class Contract(Wire):
    """`{"symbol":"PF_ABCUSD","base":"ABC","quote":"USD","contractSize":1,"tradeable":true,"openingDate":"...",...}`"""

    symbol: str
    base: str
    quote: str
    contractSize: Num
    tradeable: bool
    isExpired: bool = False
    tradfi: bool = False
    openingDate: AwareDatetime | None = None
    lastTradingTime: AwareDatetime | None = None


def is_perpetual(symbol: str) -> bool:
    """Dated contracts begin with `FF_` and `FI_`, indices with `in_` and `rr_`."""
    return symbol.startswith((LINEAR, INVERSE))


def is_inverse(symbol: str) -> bool:
    """Whether contracts are of USD, and settled in coins."""
    return symbol.startswith(INVERSE)


def contract(row: Contract, window: Window) -> Instrument | None:
    """Perpetuals, which have no last trading time. `tradfi` marks shares, metals and currencies."""
    if row.lastTradingTime is not None or not is_perpetual(row.symbol):
        return None
    return Instrument(
        row.symbol,
        row.base,
        row.quote,
        margin="coin" if is_inverse(row.symbol) else "stable",
        underlying="other" if row.tradfi else "coin",
        contract_size=row.contractSize,
        funding_interval_hours=1,
        active=row.tradeable and not row.isExpired,
        listed_at=row.openingDate,
        oi_sides=None,
    )


class Settlement(Wire):
    """`{"timestamp":"2026-11-20T00:00:00Z","fundingRate":0.85,"relativeFundingRate":0.00001}`"""

    timestamp: AwareDatetime
    relativeFundingRate: Num


def funding_history(window: Window) -> Request:
    """Rates of one contract of the last year, all of them: no window can be asked for."""
    return get("/derivatives/api/v4/historicalfundingrates", costs=ONE, symbol=window.symbol)


def settlement(row: Settlement, window: Window) -> FundingRate | None:
    """What was paid: a fraction of one hour."""
    return FundingRate(window.symbol, row.timestamp, row.relativeFundingRate) if window.holds(row.timestamp) else None


class Ticker(Wire):
    """`{"symbol":"PF_ABCUSD","markPrice":80.2,"indexPrice":80.1,...}`; indices are there too, with fewer fields."""

    symbol: str
    suspended: bool = False
    markPrice: MaybeNum = None
    indexPrice: MaybeNum = None
    openInterest: MaybeNum = None
    fundingRatePrediction: MaybeNum = None

    @property
    def trades(self) -> bool:
        """Whether it is a perpetual that trades: the numbers of one that is suspended stand still."""
        return is_perpetual(self.symbol) and not self.suspended


def priced(name: str, price: float | None) -> float:
    """A price that can be multiplied with and divided by. Raises ValueError."""
    if price is None or not 0 < price < inf:
        raise ValueError(f"{name} {price}, without which the rest says nothing")
    return price


def estimate(row: Ticker, window: Window) -> PredictedFunding | None:
    """What the next hour will be charged, as the fraction that its amount is of the index price."""
    amount = row.fundingRatePrediction
    if not row.trades or amount is None:
        return None
    price = priced("index price", row.indexPrice)
    rate = amount * price if is_inverse(row.symbol) else amount / price
    return PredictedFunding(row.symbol, window.end, rate, None, 1)


def interest(row: Ticker, window: Window) -> OpenInterest | None:
    """Open interest in coins and in USD: one is told, the other follows by the mark price."""
    held = row.openInterest
    if not row.trades or held is None:
        return None
    price = priced("mark price", row.markPrice)
    both = (held / price, held) if is_inverse(row.symbol) else (held, held * price)
    return OpenInterest(row.symbol, window.end, *both)


def mark(row: Ticker, window: Window) -> PerpMinute | None:
    """Mark and index price of the minute they were told in."""
    if not row.trades or row.markPrice is None:
        return None
    return spec.marked(row.symbol, window.end, priced("mark price", row.markPrice), row.indexPrice)


class Bar(Wire):
    """`{"time":1795212300000,"open":"80.1","high":"80.9","low":"80.0","close":"80.5","volume":"210.4"}`"""

    time: Ms
    open: Num
    high: Num
    low: Num
    close: Num
    volume: Num


class Bars(Wire):
    """`{"candles":[...],"more_candles":false}`"""

    candles: list[Json]
    more_candles: bool


def candles(dataset: spec.Dataset, resolution: str, step: timedelta, every: timedelta) -> Feed:
    """Candles of trades by open time. An inverse contract's volume is USD, whose coins are not told."""

    def request(window: Window) -> Request:
        """One contract since listing, oldest first; times in seconds."""
        asked = {"from": window.start_ms // 1000, "to": window.last_ms // 1000}
        return get(f"/api/charts/v1/trade/{window.symbol}/{resolution}", costs=ONE, **asked)

    def candle(row: Bar, window: Window) -> Candle | None:
        if not window.holds(row.time):
            return None
        volumes = (None, row.volume) if is_inverse(window.symbol) else (row.volume, None)
        return Candle(window.symbol, row.time, step, row.open, row.high, row.low, row.close, *volumes)

    rows = spec.each(Bar, candle, attrgetter("candles"))
    return Feed(
        *(dataset, "instrument", request, Bars, rows, every, f"{DOCS}/candles/market-candles"),
        step=step,
        limit=PAGE,
        history=True,
    )


contracts = spec.always(get("/derivatives/api/v3/instruments", costs=ONE))
tickers = spec.always(get("/derivatives/api/v3/tickers", costs=ONE))
listed = spec.each(Contract, contract, attrgetter("instruments"))
settlements = spec.each(Settlement, settlement, attrgetter("rates"))
estimates = spec.each(Ticker, estimate, attrgetter("tickers"))
interests = spec.each(Ticker, interest, attrgetter("tickers"))
marks = spec.each(Ticker, mark, attrgetter("tickers"))

LISTED, TOLD = f"{DOCS}/instrument-details/get-instruments", f"{DOCS}/market-data/get-tickers"
PAID = f"{DOCS}/historical-funding-rates/historical-funding-rates"
# A contract's year of rates is about 1 MB before compression, and comes anew each hour.
FUNDING = Feed("funding", "instrument", funding_history, Rates, settlements, 2 * MINUTES_5, PAID)

SOURCE = spec.Source(
    id="kraken",
    name="Kraken Futures",
    base_url="https://futures.kraken.com",
    budgets={"requests": spec.Budget(30, timedelta(seconds=10))},
    feeds=(
        Feed("instruments", "market", contracts, Instruments, listed, HOUR, LISTED),
        replace(FUNDING, step=HOUR, history=True, keeps=timedelta(days=365)),
        Feed("predicted_funding", "market", tickers, Tickers, estimates, MINUTES_5, TOLD),
        Feed("open_interest", "market", tickers, Tickers, interests, MINUTES_5, TOLD),
        candles("candles_1m", "1m", MINUTE, 3 * MINUTES_5),
        candles("candles_1h", "1h", HOUR, HOUR),
    ),
    polls=(Feed("mark_price", "market", tickers, Tickers, marks, MINUTE, TOLD),),
    docs=DOCS,
    terms="https://www.kraken.com/legal",
    problem=problem,
)
