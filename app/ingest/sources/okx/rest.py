"""What OKX is asked for: swaps, funding, how things stand, and history of open interest and candles."""

from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import Literal

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeMs, MaybeNum, Ms, Num, Request, Window, Wire, get
from app.records import Candle, FundingInterval, FundingRate, Instrument, OpenInterest, PredictedFunding, Underlying

DOCS = "https://www.okx.com/docs-v5/en"
PUBLIC = f"{DOCS}/#public-data-rest-api-get"
RUBIK = f"{DOCS}/#trading-statistics-rest-api-get-contract-open-interest-history"
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
PAGE = 100
data = attrgetter("data")
TEST = "TEST"  # begins the symbols of contracts to try things with, whose state is live all the same
UNDERLYING: dict[str, Underlying] = {"": "coin", "1": "coin", "3": "equity"}
TOO_MANY, BUSY = {"50011", "50061"}, {"50001", "50004", "50013", "50026"}


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"code":"51000","data":[],"msg":"Parameter instId error"}`"""
    match body:
        case {"code": str(code), "msg": str(message)} if code != "0":
            return spec.told(status, code, message, too_many=TOO_MANY, busy=BUSY)
        case _:
            return None


class Answer(Wire):
    """`{"code":"0","msg":"","data":[...]}`"""

    code: Literal["0"]
    data: list[Json]


class AllMarkets(Answer):
    data: spec.SomeRows


class Swap(Wire):
    """`{"instId":"ABC-USDT-SWAP","uly":"ABC-USDT","ctType":"linear","ctVal":"0.1","ctMult":"1","state":"live",...}`"""

    instId: str
    uly: str
    ctType: Literal["linear", "inverse"]
    ctVal: Num
    ctMult: Num
    state: str
    listTime: MaybeMs
    expTime: MaybeMs
    instCategory: str = "1"


def swap(row: Swap, window: Window) -> Instrument | None:
    """A contract is `ctVal` x `ctMult` coins, or USD where it is inverse; base and quote stand in `uly` alone."""
    if row.instId.startswith(TEST):
        return None
    base, quote = row.uly.split("-")
    return Instrument(
        row.instId,
        base,
        quote,
        margin="stable" if row.ctType == "linear" else "coin",
        underlying=UNDERLYING.get(row.instCategory, "other"),
        contract_size=row.ctVal * row.ctMult,
        active=row.state == "live",
        listed_at=row.listTime,
        delisted_at=row.expTime,
    )


class Funding(Wire):
    """`{"instId":"ABC-USDT-SWAP","fundingRate":"0.00005","fundingTime":"1795219200000","ts":"1795212345678",...}`

    `fundingTime` is the coming settlement, `prevFundingTime` (new) the last, of which `settFundingRate` tells what was
    paid once `settState` is settled; `nextFundingTime` is the one after the coming.
    """

    instId: str
    instType: str
    ts: Ms
    fundingTime: Ms
    nextFundingTime: MaybeMs
    prevFundingTime: MaybeMs = None
    fundingRate: Num
    settState: str = ""
    settFundingRate: MaybeNum = None

    @property
    def hours(self) -> float | None:
        """Hours of the interval that runs now."""
        if self.prevFundingTime:
            return (self.fundingTime - self.prevFundingTime) / HOUR
        return (self.nextFundingTime - self.fundingTime) / HOUR if self.nextFundingTime else None

    def ours(self, window: Window) -> bool:
        """Whether we keep it: futures that pay funding for five years are in the same list."""
        return (self.instType == "SWAP" and not self.instId.startswith(TEST)) or self.instId in window.instruments


def interval(row: Funding, window: Window) -> FundingInterval | None:
    """Hours between settlements today; the list of instruments does not tell them."""
    return FundingInterval(row.instId, row.hours) if row.hours is not None and row.ours(window) else None


def estimate(row: Funding, window: Window) -> PredictedFunding | None:
    """What will be paid at the coming settlement, a fraction of one interval."""
    ours = row.ours(window)
    return PredictedFunding(row.instId, row.ts, row.fundingRate, row.fundingTime, row.hours) if ours else None


def last_settlement(row: Funding, window: Window) -> FundingRate | None:
    """What was paid last. Its interval is the spacing to the settlement before it, which is not told here."""
    settled = row.settState == "settled" and row.ours(window)
    if not settled or row.prevFundingTime is None or row.settFundingRate is None:
        return None
    return FundingRate(row.instId, row.prevFundingTime, row.settFundingRate)


class Settlement(Wire):
    """`{"instId":"ABC-USDT-SWAP","fundingRate":"0.00006","realizedRate":"0.00005","fundingTime":"1795190400000",...}`"""

    instId: str
    realizedRate: Num
    fundingTime: Ms


def _page(window: Window) -> dict[str, object]:
    return {"instId": window.symbol, "after": window.last_ms + 1, "before": window.start_ms - 1, "limit": PAGE}


def funding_rate_history(window: Window) -> Request:
    """Settled rates of one swap, of the last three months."""
    return get("/api/v5/public/funding-rate-history", costs={"funding-rate-history": 1}, **_page(window))


def settlement(row: Settlement, window: Window) -> FundingRate:
    """What was paid, a fraction of one interval; `fundingRate` is what had been predicted."""
    return FundingRate(row.instId, row.fundingTime, row.realizedRate)


class InterestNow(Wire):
    """`{"instId":"ABC-USDT-SWAP","oi":"10002","oiCcy":"1000.2","oiUsd":"80016.0","ts":"1795212345678",...}`"""

    instId: str
    oiCcy: Num
    oiUsd: MaybeNum = None
    ts: Ms


def interest_now(row: InterestNow, window: Window) -> OpenInterest | None:
    """Open interest in coins, of inverse swaps too, and in USD."""
    return None if row.instId.startswith(TEST) else OpenInterest(row.instId, row.ts, row.oiCcy, row.oiUsd)


class Interest(spec.ArrayRow):
    """`["1795212000000","10002","1000.2","80016.0"]`: time, contracts, coins, USD"""

    ts: Ms
    oi: Json
    oiCcy: Num
    oiUsd: Num


def open_interest_history(window: Window) -> Request:
    """Open interest of one swap every hour, the last 1440 of them. Whether the ends are inside is not documented."""
    path, times = "open-interest-history", {"begin": window.start_ms - 1, "end": window.last_ms + 1}
    asked = {"instId": window.symbol, "period": "1H", **times, "limit": PAGE}
    return get(f"/api/v5/rubik/stat/contracts/{path}", costs={path: 1}, **asked)


def interest(row: Interest, window: Window) -> OpenInterest | None:
    """Open interest in coins and in USD."""
    return OpenInterest(window.symbol, row.ts, row.oiCcy, row.oiUsd) if window.holds(row.ts) else None


class Kline(spec.Bar):
    """`["1795212300000","80.1","80.9","80.0","80.5","2104","210.4","16937.20","1"]`; old rows end after the coins."""

    coins: Num
    quote: MaybeNum = None
    confirm: Literal["0", "1"] = "1"


def candle(row: Kline, of: Instrument, step: timedelta) -> Candle | None:
    """A finished candle, volumes in coins and quote (USD of an inverse swap); what is not confirmed still grows."""
    usd, grows = spec.in_usd(row.quote, of.quote), row.confirm == "0"
    return None if grows else Candle(of.symbol, row.opens, step, *row.prices, row.coins, usd)


def klines(dataset: spec.Dataset, bar: str, step: timedelta, every: timedelta) -> Feed:
    """Candles by open time, for years back."""

    def request(window: Window) -> Request:
        return get("/api/v5/market/history-candles", costs={"history-candles": 1}, bar=bar, **_page(window))

    def read(row: Kline, window: Window) -> Candle | None:
        return candle(row, window.one, step)

    rows, docs = spec.each(Kline, read, data), f"{DOCS}/#order-book-trading-market-data-get-candlesticks-history"
    return Feed(dataset, "instrument", request, Answer, rows, every, docs, step=step, limit=PAGE, history=True)


instruments = spec.always(get("/api/v5/public/instruments", costs={"instruments": 1}, instType="SWAP"))
funding_rate = spec.always(get("/api/v5/public/funding-rate", costs={"funding-rate": 1}, instId="ANY"))
open_interest = spec.always(get("/api/v5/public/open-interest", costs={"open-interest": 1}, instType="SWAP"))

swaps, settlements = spec.each(Swap, swap, data, "instId"), spec.each(Settlement, settlement, data, "instId")
intervals, estimates = spec.each(Funding, interval, data, "instId"), spec.each(Funding, estimate, data, "instId")
last_settlements = spec.each(Funding, last_settlement, data, "instId")
interests, interests_now = spec.each(Interest, interest, data), spec.each(InterestNow, interest_now, data, "instId")

FUNDING = Feed(
    "funding", "instrument", funding_rate_history, Answer, settlements, 2 * MINUTES_5, f"{PUBLIC}-funding-rate-history"
)
OPEN_INTEREST = Feed("open_interest", "instrument", open_interest_history, Answer, interests, HOUR, RUBIK)

FEEDS = (
    Feed("instruments", "market", instruments, AllMarkets, swaps, HOUR, f"{PUBLIC}-instruments"),
    Feed("instruments", "market", funding_rate, AllMarkets, intervals, HOUR, f"{PUBLIC}-funding-rate"),
    Feed("funding", "market", funding_rate, AllMarkets, last_settlements, MINUTES_5, f"{PUBLIC}-funding-rate"),
    replace(FUNDING, step=timedelta(hours=8), limit=PAGE, history=True, keeps=timedelta(days=90)),
    Feed("predicted_funding", "market", funding_rate, AllMarkets, estimates, MINUTES_5, f"{PUBLIC}-funding-rate"),
    Feed("open_interest", "market", open_interest, AllMarkets, interests_now, MINUTES_5, f"{PUBLIC}-open-interest"),
    replace(OPEN_INTEREST, step=HOUR, limit=PAGE, history=True, keeps=1440 * HOUR),
    klines("candles_1m", "1m", MINUTE, MINUTES_5),
    klines("candles_1h", "1H", HOUR, HOUR),
)
