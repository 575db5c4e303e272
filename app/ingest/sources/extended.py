"""Extended perpetuals on Starknet, quoted in USD. All pay hourly, and rates are fractions of one hour.

Every answer comes in an envelope with a `status`, in capitals or not; a request without a User-Agent is refused (403).
Numbers are strings, times UTC milliseconds, quantities in units of the base as listed (of `1000PEPE` thousands). Rows
come newest first. What answers for all markets bears no time: it is that of asking.
"""

from dataclasses import replace
from datetime import timedelta
from math import ceil
from operator import attrgetter
from typing import Annotated, Generic, TypeVar
from urllib.parse import quote

from pydantic import Field

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeMs, MaybeNum, Ms, Num, Request, Window, Wire, get
from app.records import Candle, FundingRate, Instrument, OpenInterest, PredictedFunding

DOCS = "https://api.docs.extended.exchange"
ONE = {"requests": 1}
# Up to 10,000 settlements and candles are documented; of settlements no more than 1,000 come.
SETTLEMENTS, INTERESTS, CANDLES = 1000, 300, 1000
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
HOUR_MS = 3_600_000
TRADING, WEEKDAYS = {"ACTIVE", "REDUCE_ONLY"}, "_24_5"
COINS, EQUITIES = {"Crypto", "L1", "L2", "DeFi", "Meme", "AI", "Infra"}, {"Equity", "Pre-market"}
TOO_MANY, BUSY = {429}, {500, 1010}
List = TypeVar("List")


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"status":"ERROR","error":{"code":1001,"message":"Market not found"}}`, the code a number or a word."""
    match body:
        case {"status": str(said), "error": {"code": int(code) | str(code), **more}} if said.upper() == "ERROR":
            message = str(more.get("message") or "no reason told")
            return spec.told(status, code, message, too_many=TOO_MANY, busy=BUSY)
        case {"status": str(said)} if said.upper() == "ERROR":
            return spec.told(status, status, "no reason told", too_many=TOO_MANY, busy=BUSY)
        case _:
            return None


class Answer(Wire, Generic[List]):
    """`{"status":"OK","data":[...]}`; the cursor of some is a number past what a float can hold, and is not needed."""

    status: Annotated[str, Field(pattern="^(?i:ok)$")]
    data: List


Asked = Answer[list[Json]]
AllMarkets = Answer[spec.SomeRows]

markets = spec.always(get("/api/v1/info/markets", costs=ONE))


def _name(window: Window) -> str:
    return quote(window.symbol, safe="")


class Market(Wire):
    """`{"name":"ABC-USD","type":"PERPETUAL","category":"Crypto","assetName":"ABC","status":"ACTIVE",...}`

    Delisted markets stay, and say that they are active all the same. The status, type and category are not in old
    answers.
    """

    name: str
    type: str = "PERPETUAL"
    category: str | None = None
    subCategory: str | None = None
    assetName: str
    collateralAssetName: str
    active: bool
    status: str | None = None
    createdAt: MaybeMs = None

    @property
    def is_perpetual(self) -> bool:
        """Spot markets are in the list too."""
        return self.type == "PERPETUAL"

    @property
    def trades(self) -> bool:
        """Whether positions can be held there; the numbers of other markets are zeros."""
        return self.is_perpetual and (self.active if self.status is None else self.status in TRADING)


def instrument(row: Market, window: Window) -> Instrument | None:
    """Perpetuals of coins and others; a kind of thing we do not know is no coin. Shares may bear their trading days."""
    if not row.is_perpetual:
        return None
    return Instrument(
        row.name,
        row.assetName.removesuffix(WEEKDAYS),
        row.collateralAssetName,
        underlying="coin" if row.category in COINS else "equity" if row.subCategory in EQUITIES else "other",
        funding_interval_hours=1,
        active=row.trades,
        listed_at=row.createdAt,
        oi_sides=None,
    )


class Rate(Wire):
    """`{"fundingRate":"0.000013","nextFundingRate":1795194000000,...}`: what is called a rate there is a time."""

    fundingRate: Num
    nextFundingRate: MaybeMs


class RatedMarket(Market):
    marketStats: Rate


def estimate(row: RatedMarket, window: Window) -> PredictedFunding | None:
    """The running rate of this hour, worked out anew every minute."""
    if not row.trades:
        return None
    return PredictedFunding(row.name, window.end, row.marketStats.fundingRate, row.marketStats.nextFundingRate, 1)


class Held(Wire):
    """`{"openInterest":"80500.1","openInterestBase":"1000.2",...}`"""

    openInterest: MaybeNum
    openInterestBase: MaybeNum


class HeldMarket(Market):
    marketStats: Held


def interest(row: HeldMarket, window: Window) -> OpenInterest | None:
    """Open interest in base units and in USD."""
    if not row.trades:
        return None
    return OpenInterest(row.name, window.end, row.marketStats.openInterestBase, row.marketStats.openInterest)


class Settlement(Wire):
    """`{"m":"ABC-USD","f":"0.000013","T":1795190401028}`"""

    market: str = Field(alias="m")
    rate: Num = Field(alias="f")
    paid: Ms = Field(alias="T")


def funding_history(window: Window) -> Request:
    """Settled rates of one market since listing, to the end of the last hour: they are paid after it has struck."""
    until = (window.last_ms // HOUR_MS + 1) * HOUR_MS - 1
    times = {"startTime": window.start_ms, "endTime": until}
    return get(f"/api/v1/info/{_name(window)}/funding", costs=ONE, **times, limit=SETTLEMENTS)


def settlement(row: Settlement, window: Window) -> FundingRate | None:
    """What was paid for the hour that ended: most often a second after it, at times minutes."""
    hour = row.paid.replace(minute=0, second=0, microsecond=0)
    return FundingRate(row.market, hour, row.rate) if window.holds(hour) else None


class Interest(Wire):
    """`{"i":"80500.1","I":"1000.2","t":1795190400000}`: small is USD, capital is base units"""

    time: Ms = Field(alias="t")
    usd: Num = Field(alias="i")
    base: Num = Field(alias="I")


def open_interest(window: Window) -> Request:
    """Open interest of one market every hour."""
    times = {"startTime": window.start_ms, "endTime": window.last_ms}
    return get(f"/api/v1/info/{_name(window)}/open-interests", costs=ONE, interval="P1H", **times, limit=INTERESTS)


def past_interest(row: Interest, window: Window) -> OpenInterest:
    """Open interest as of the time told; whether that begins or ends its hour is not documented."""
    return OpenInterest(window.symbol, row.time, row.base, row.usd)


class Bar(Wire):
    """`{"o":"80.1","l":"80.0","h":"80.9","c":"80.5","v":"210.4","T":1795212300000}`"""

    opens: Ms = Field(alias="T")
    open: Num = Field(alias="o")
    high: Num = Field(alias="h")
    low: Num = Field(alias="l")
    close: Num = Field(alias="c")
    volume: Num = Field(alias="v")


def candles(dataset: spec.Dataset, interval: str, step: timedelta, every: timedelta) -> Feed:
    """Candles of trades by open time, volume in base units; the value traded is not told."""

    def request(window: Window) -> Request:
        """As many as there can be, up to the end: a beginning cannot be asked for."""
        held = min(ceil((window.end - window.start) / step), CANDLES)
        asked = {"interval": interval, "limit": held, "endTime": window.last_ms}
        return get(f"/api/v1/info/candles/{_name(window)}/trades", costs=ONE, **asked)

    def candle(row: Bar, window: Window) -> Candle | None:
        if row.opens < window.start:
            return None  # where some are missing, as many older ones come instead
        return Candle(window.symbol, row.opens, step, row.open, row.high, row.low, row.close, row.volume)

    rows = spec.each(Bar, candle, attrgetter("data"))
    return Feed(
        *(dataset, "instrument", request, Asked, rows, every, f"{DOCS}/#get-candles-history"),
        step=step,
        limit=CANDLES,
        history=True,
    )


listed = spec.each(Market, instrument, attrgetter("data"), "name")
estimates = spec.each(RatedMarket, estimate, attrgetter("data"), "name")
interests = spec.each(HeldMarket, interest, attrgetter("data"), "name")
settlements = spec.each(Settlement, settlement, attrgetter("data"), "m")
past_interests = spec.each(Interest, past_interest, attrgetter("data"))

MARKETS = f"{DOCS}/#get-markets"
PAID, HELD = f"{DOCS}/#get-funding-rates-history", f"{DOCS}/#get-open-interest-history"
FUNDING = Feed("funding", "instrument", funding_history, Asked, settlements, 2 * MINUTES_5, PAID)
OPEN_INTEREST = Feed("open_interest", "instrument", open_interest, Asked, past_interests, HOUR, HELD)

SOURCE = spec.Source(
    id="extended",
    name="Extended",
    base_url="https://api.starknet.extended.exchange",
    budgets={"requests": spec.Budget(1000, MINUTE)},
    feeds=(
        Feed("instruments", "market", markets, AllMarkets, listed, HOUR, MARKETS),
        replace(FUNDING, step=HOUR, limit=SETTLEMENTS, history=True),
        Feed("predicted_funding", "market", markets, AllMarkets, estimates, MINUTES_5, MARKETS),
        Feed("open_interest", "market", markets, AllMarkets, interests, MINUTES_5, MARKETS),
        replace(OPEN_INTEREST, step=HOUR, limit=INTERESTS, history=True),
        candles("candles_1m", "PT1M", MINUTE, MINUTES_5),
        candles("candles_1h", "PT1H", HOUR, HOUR),
    ),
    docs=DOCS,
    terms="https://docs.extended.exchange/extended-resources/legal/terms-of-use",
    problem=problem,
)
