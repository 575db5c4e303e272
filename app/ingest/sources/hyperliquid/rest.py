"""What Hyperliquid is asked: its universe, funding and candles."""

from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Annotated

from pydantic import Field, model_validator

from app.ingest import spec
from app.ingest.spec import Feed, Json, MaybeNum, Ms, Num, Request, Window, Wire, post
from app.records import Candle, FundingRate, Instrument, OpenInterest, PredictedFunding

DOCS = "https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api"
INFO = f"{DOCS}/info-endpoint/perpetuals"
PAGE = 500
MINUTE, MINUTES_5, HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)


def problem(status: int, body: Json) -> spec.Problem | None:
    """`null` is the answer about a coin there is not; words (HTTP 422) are about a question it cannot read."""
    if status == 200 and body is None:
        return spec.Problem(spec.Trouble.REFUSED, "null", "unknown coin")
    return None


def _weight(window: Window, step: timedelta, rows_a_point: int) -> dict[str, float]:
    """20 a call, and one for every so many rows."""
    rows = min(PAGE, ceil((window.end - window.start) / step))
    return {"weight": 20 + ceil(rows / rows_a_point)}


def _span(window: Window) -> dict[str, object]:
    return {"coin": window.symbol, "startTime": window.start_ms, "endTime": window.last_ms}


class Meta(Wire):
    """`{"universe":[{"name":"ABC","szDecimals":2,...},{"name":"OLD","isDelisted":true,...}],...}`"""

    universe: Annotated[list[dict[str, Json]], Field(min_length=1)]


class State(spec.ArrayRow):
    """`[{"universe":[...],...},[{"funding":"0.0000125",...},...]]`: the contexts bear no names, but stand in order."""

    meta: Meta
    contexts: list[Json]

    @model_validator(mode="after")
    def _in_line(self) -> "State":
        if len(self.contexts) != len(self.meta.universe):
            raise ValueError(f"{len(self.contexts)} contexts of {len(self.meta.universe)} coins")
        return self

    def coins(self) -> list[Json]:
        """Each coin of the universe with its context."""
        return [{**coin, "context": ctx} for coin, ctx in zip(self.meta.universe, self.contexts, strict=True)]


state = spec.always(post("/info", {"type": "metaAndAssetCtxs"}, costs={"weight": 20}))


class Coin(Wire):
    """`{"name":"ABC","isDelisted":true,...}`: delisted coins stay in the universe, the others have no such key."""

    name: str
    isDelisted: bool = False


def instrument(row: Coin, window: Window) -> Instrument:
    """A perpetual of one coin; all pay hourly."""
    return Instrument(row.name, row.name, "USDC", funding_interval_hours=1, active=not row.isDelisted)


class Rate(Wire):
    """`{"funding":"0.0000125",...}`"""

    funding: Num


class RatedCoin(Coin):
    context: Rate


def estimate(row: RatedCoin, window: Window) -> PredictedFunding | None:
    """The running rate of this hour, a fraction of one hour. The answer has no time: it is that of asking."""
    if row.isDelisted:
        return None
    next_hour = window.end.replace(minute=0, second=0, microsecond=0) + HOUR
    return PredictedFunding(row.name, window.end, row.context.funding, next_hour, 1)


class Interest(Wire):
    """`{"openInterest":"1000.2","markPx":"80.5",...}`"""

    openInterest: Num
    markPx: MaybeNum


class HeldCoin(Coin):
    context: Interest


def interest(row: HeldCoin, window: Window) -> OpenInterest | None:
    """Open interest in coins, and in USD at the mark price. The answer has no time: it is that of asking."""
    if row.isDelisted:
        return None
    coins, mark = row.context.openInterest, row.context.markPx
    return OpenInterest(row.name, window.end, coins, None if mark is None else coins * mark)


class Settlement(Wire):
    """`{"coin":"ABC","fundingRate":"0.0000125","premium":"0.0001","time":1795190400045}`"""

    coin: str
    fundingRate: Num
    time: Ms


def funding_history(window: Window) -> Request:
    """Settled rates of one coin since 2023-05-12."""
    return post("/info", {"type": "fundingHistory", **_span(window)}, costs=_weight(window, HOUR, 20))


def settlement(row: Settlement, window: Window) -> FundingRate:
    """What was paid, a fraction of one interval: an hour, and 8 hours until 2023-06-08."""
    return FundingRate(row.coin, row.time, row.fundingRate)


class Snapshot(Wire):
    """`{"t":1795212300000,"T":1795212359999,"s":"ABC","i":"1m","o":"80.1","c":"80.5","h":"80.9","l":"80.0",...}`"""

    coin: str = Field(alias="s")
    opens: Ms = Field(alias="t")
    open: Num = Field(alias="o")
    high: Num = Field(alias="h")
    low: Num = Field(alias="l")
    close: Num = Field(alias="c")
    volume: Num = Field(alias="v")
    trades: int = Field(alias="n")


def candles(dataset: spec.Dataset, interval: str, step: timedelta, every: timedelta) -> Feed:
    """The newest 5000 candles by open time, volume in coins; the value traded is not told."""

    def request(window: Window) -> Request:
        asked = {"type": "candleSnapshot", "req": {"interval": interval, **_span(window)}}
        return post("/info", asked, costs=_weight(window, step, 60))

    def candle(row: Snapshot, window: Window) -> Candle | None:
        if not window.holds(row.opens):
            return None  # the one that was growing at the start is sent too
        prices = (row.open, row.high, row.low, row.close)
        return Candle(row.coin, row.opens, step, *prices, row.volume, trades=row.trades)

    return Feed(
        dataset,
        "instrument",
        request,
        list[Json],
        spec.each(Snapshot, candle, symbol="s"),
        every,
        f"{DOCS}/info-endpoint#candle-snapshot",
        step=step,
        limit=PAGE,
        history=True,
        keeps=5000 * step,
    )


listed = spec.each(Coin, instrument, State.coins, "name")
estimates = spec.each(RatedCoin, estimate, State.coins, "name")
interests = spec.each(HeldCoin, interest, State.coins, "name")
settlements = spec.each(Settlement, settlement, symbol="coin")

FUNDING = Feed("funding", "instrument", funding_history, list[Json], settlements, 2 * MINUTES_5, INFO)

FEEDS = (
    Feed("instruments", "market", state, State, listed, HOUR, INFO),
    replace(FUNDING, step=HOUR, limit=PAGE, history=True),
    Feed("predicted_funding", "market", state, State, estimates, MINUTES_5, INFO),
    Feed("open_interest", "market", state, State, interests, MINUTES_5, INFO),
    candles("candles_1m", "1m", MINUTE, 3 * MINUTES_5),
    candles("candles_1h", "1h", HOUR, HOUR),
)
