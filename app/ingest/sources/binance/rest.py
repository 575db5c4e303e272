"""What Binance is asked: contracts, funding, open interest and candles."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeMs, MaybeNum, Ms, Num, Request, Window, Wire, get
from app.records import Candle, FundingInterval, FundingRate, Instrument, OpenInterest, PredictedFunding, Underlying

DOCS = "https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api"
NEVER = datetime(2100, 12, 25, 8, tzinfo=UTC)
COINS = {"COIN", "PREMARKET"}
SETTLEMENTS, INTERESTS, KLINES = 1000, 500, 500
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
BUSY = {-1000, -1001, -1006, -1007, -1008, -1016}
TOO_MANY = {-1003, -1015}


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"code":-1121,"msg":"Invalid symbol."}`: what is neither load nor outage was asked wrongly."""
    match body:
        case {"code": int(code), "msg": str(message)}:
            return spec.told(status, code, message, too_many=TOO_MANY, busy=BUSY)
        case _:
            return None


def span(window: Window, limit: int) -> dict[str, int]:
    """A page of a window."""
    return {"startTime": window.start_ms, "endTime": window.last_ms, "limit": limit}


class Contract(Wire):
    """`{"symbol":"ABCUSDT","contractType":"PERPETUAL","status":"TRADING","deliveryDate":4133404800000,...}`"""

    symbol: str
    contractType: str
    status: str
    baseAsset: str
    quoteAsset: str
    marginAsset: str
    underlyingType: str
    onboardDate: Ms
    deliveryDate: Ms


class ExchangeInfo(Wire):
    symbols: spec.SomeRows


def contract(row: Contract, window: Window) -> Instrument | None:
    """Perpetuals, also of stocks and metals, and dated futures; delisted ones stay listed as SETTLING."""
    if not row.contractType:
        return None  # announced, never traded
    return Instrument(
        row.symbol,
        row.baseAsset,
        row.quoteAsset,
        kind="perp" if "PERPETUAL" in row.contractType else "future",
        margin="stable" if row.marginAsset in spec.DOLLARS else "coin",
        underlying=_underlying(row),
        active=row.status == "TRADING",
        listed_at=row.onboardDate,
        delisted_at=row.deliveryDate if row.deliveryDate < NEVER else None,
    )


def _underlying(row: Contract) -> Underlying:
    if row.underlyingType.endswith("EQUITY"):
        return "equity"
    return "coin" if row.underlyingType in COINS and row.contractType != "TRADIFI_PERPETUAL" else "other"


exchange_info = spec.always(get("/fapi/v1/exchangeInfo", costs={"weight": 1}))
contracts = spec.each(Contract, contract, attrgetter("symbols"))


class Interval(Wire):
    """`{"symbol":"ABCUSDT","fundingIntervalHours":4,"updateTime":null,...}`"""

    symbol: str
    fundingIntervalHours: int


def interval(row: Interval, window: Window) -> FundingInterval | None:
    """Hours between settlements today (unsaid: 8), of contracts we know: coin-margined ones are in the same list."""
    return FundingInterval(row.symbol, row.fundingIntervalHours) if row.symbol in window.instruments else None


funding_info = spec.always(get("/fapi/v1/fundingInfo", costs={"funding": 1}))
intervals = spec.each(Interval, interval)


class Settlement(Wire):
    """`{"symbol":"ABCUSDT","fundingTime":1795190400003,"fundingRate":"0.00010000","rateType":"Regular",...}`"""

    symbol: str
    fundingTime: Ms
    fundingRate: Num
    rateType: str = "Regular"


def funding_rate(window: Window) -> Request:
    """Settled rates of one symbol since listing, or, without a symbol, of all."""
    symbol = window.instrument and window.symbol
    return get("/fapi/v1/fundingRate", costs={"funding": 1}, symbol=symbol, **span(window, SETTLEMENTS))


def settlement(row: Settlement, window: Window) -> FundingRate | None:
    """What was paid, a fraction of one interval. Special rows adjust a stock's perpetual and are left out."""
    return None if row.rateType == "Special" else FundingRate(row.symbol, row.fundingTime, row.fundingRate)


class Premium(Wire):
    """`{"symbol":"ABCUSDT","lastFundingRate":"0.00008000","nextFundingTime":1795219200000,"time":1795212345000,...}`"""

    symbol: str
    lastFundingRate: MaybeNum
    nextFundingTime: MaybeMs
    time: Ms


def premium(row: Premium, window: Window) -> PredictedFunding | None:
    """An estimate: `lastFundingRate` is, despite its name, what will be paid at `nextFundingTime`."""
    if row.lastFundingRate is None or row.nextFundingTime is None:
        return None  # a dated contract pays no funding
    return PredictedFunding(row.symbol, row.time, row.lastFundingRate, row.nextFundingTime)


premium_index = spec.always(get("/fapi/v1/premiumIndex", costs={"weight": 10}))
premiums = spec.each(Premium, premium)


class Interest(Wire):
    """`{"symbol":"ABCUSDT","sumOpenInterest":"1200.5","sumOpenInterestValue":"96040.0","timestamp":1795212300000}`"""

    symbol: str
    sumOpenInterest: Num
    sumOpenInterestValue: Num
    timestamp: Ms


def open_interest_hist(window: Window) -> Request:
    """Open interest every 5 minutes of the last 30 days: the one path that tells base and USD, now and then."""
    path = "/futures/data/openInterestHist"
    return get(path, costs={"data": 1}, symbol=window.symbol, period="5m", **span(window, INTERESTS))


def interest(row: Interest, window: Window) -> OpenInterest:
    """Open interest in units of the base and in the quote currency."""
    usd = spec.in_usd(row.sumOpenInterestValue, window.one.quote)
    return OpenInterest(row.symbol, row.timestamp, row.sumOpenInterest, usd)


class Kline(spec.Bar):
    """`[1795212300000,"80.1","80.9","80.0","80.5","210.4",1795212359999,"16937.20",412,"98.1","7897.05","0"]`"""

    closes: Json
    quote_volume: Num
    trades: int
    taker_buys: Num


def klines(dataset: spec.Dataset, interval: str, step: timedelta, every: timedelta) -> Feed:
    """Candles by open time, with volumes in base and quote. 500 for a weight of 2 are the most that a weight buys."""

    def request(window: Window) -> Request:
        page = span(window, KLINES)
        return get("/fapi/v1/klines", costs={"weight": 2}, symbol=window.symbol, interval=interval, **page)

    def candle(row: Kline, window: Window) -> Candle:
        usd = spec.in_usd(row.quote_volume, window.one.quote)
        return Candle(window.symbol, row.opens, step, *row.prices, row.volume, usd, row.taker_buys, row.trades)

    rows, docs = spec.each(Kline, candle), f"{DOCS}/Kline-Candlestick-Data"
    return Feed(dataset, "instrument", request, list[Json], rows, every, docs, step=step, limit=KLINES, history=True)


FUNDING = Feed(
    "funding",
    "instrument",
    funding_rate,
    list[Json],
    spec.each(Settlement, settlement),
    timedelta(minutes=10),
    f"{DOCS}/Get-Funding-Rate-History",
    step=timedelta(hours=8),
    limit=SETTLEMENTS,
    history=True,
)
OPEN_INTEREST = Feed(
    "open_interest",
    "instrument",
    open_interest_hist,
    list[Json],
    spec.each(Interest, interest),
    timedelta(minutes=15),  # 700 symbols in this time take a quarter of the budget
    f"{DOCS}/Open-Interest-Statistics",
    step=MINUTES_5,
    limit=INTERESTS,
    history=True,
    keeps=timedelta(days=30),
)

FEEDS = (
    Feed("instruments", "market", exchange_info, ExchangeInfo, contracts, HOUR, f"{DOCS}/Exchange-Information"),
    Feed("instruments", "market", funding_info, spec.SomeRows, intervals, HOUR, f"{DOCS}/Get-Funding-Rate-Info"),
    replace(FUNDING, scope="market", every=MINUTES_5, step=None, keeps=timedelta(hours=24)),
    FUNDING,
    Feed("predicted_funding", "market", premium_index, spec.SomeRows, premiums, MINUTES_5, f"{DOCS}/Mark-Price"),
    OPEN_INTEREST,
    klines("candles_1m", "1m", MINUTE, MINUTES_5),
    klines("candles_1h", "1h", HOUR, HOUR),
)
