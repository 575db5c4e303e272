"""CoinGecko: how perpetuals of all exchanges stand now, as an aggregator tells it; there is no history.

Funding is in percent of the exchange's own interval, whose hours are not told; open interest in USD. Times are epoch
seconds; some numbers are text. `/derivatives` calls an exchange by its display name, which changes; the list of
exchanges has the ids that do not. Answers are cached for a minute, and a sample is of the time of asking.

A month has 10,000 calls. Of 31 days: all perpetuals every half hour 1,488, the exchanges every hour 744, what trades on
each of them once a day 31: with a hundred exchanges 5,332, and up to 250 exchanges fit. Half an hour, for some 15,000
perpetuals at a time make 1.4 million rows a day as it is.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator

from app.ingest import spec
from app.ingest.spec import Aim, Feed, Json, MaybeNum, Request, Rows, Window, Wire, get
from app.records import BadRecord, PerpSnapshot, Product, Venue

DOCS = "https://docs.coingecko.com/reference"
PATH = "/api/v3/derivatives"
CALL = {"calls": 1.0, "month": 1.0}
HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=31)
STALE = DAY
LARGEST = 0.1  # of the position an interval, far past what exchanges cap theirs at: the rest is rubbish

SLUGS = {
    "binance_futures": "binance",
    "bingx_futures": "bingx",
    "bitfinex_futures": "bitfinex",
    "bitget_futures": "bitget",
    "dydx_perpetual": "dydx",
    "gate_futures": "gate",
    "huobi_dm": "htx",
    "kraken_futures": "kraken",
    "kumex": "kucoin",
    "mxc_futures": "mexc",
    "okex_swap": "okx",
    "phemex_futures": "phemex",
}
"""Our slugs by CoinGecko's ids, where they are not the same. Other ids are slugs as they are, with hyphens."""


def problem(status: int, body: Json) -> spec.Problem | None:
    """`{"status":{"error_code":429,"error_message":"..."}}` or `{"error":"..."}`; 404: there is no such exchange."""
    match body:
        case {"status": {"error_code": int(code), "error_message": str(message)}}:
            pass
        case {"error": str(message)}:
            code = status
        case _:
            return None
    if status == 404:
        return spec.Problem(spec.Trouble.ABSENT, str(code), message)
    return spec.told(status, code, message, too_many={429}, busy={500, 503})


def signed(request: Request, key: str | None) -> Request:
    """The key in the header of its plan, which the host tells. Without one, calls are free and fewer."""
    if key is None:
        return request
    plan = "pro" if "//pro-api." in (request.host or "") else "demo"
    return replace(request, headers=(*request.headers, (f"x-cg-{plan}-api-key", key)))


class ListedExchange(Wire):
    """`{"id":"foo_futures","name":"Foo (Futures)"}`"""

    id: str
    name: str


def venue(row: ListedExchange, window: Window) -> Venue:
    """An exchange under our slug."""
    return Venue(SLUGS.get(row.id, row.id.lower().replace("_", "-")), row.id, row.name)


def _unwrapped(tickers: Json) -> Json:
    """One client met tickers within tickers."""
    match tickers:
        case {"tickers": inner}:
            return inner
        case _:
            return tickers


class Exchange(Wire):
    """`{"name":"Foo (Futures)","open_interest_btc":1.5,"tickers":[...]}`"""

    name: str
    tickers: Annotated[list[Json], BeforeValidator(_unwrapped)]


class Traded(Wire):
    """`{"symbol":"ABC_USDT","base":"ABC","target":"USDT","coin_id":"abc-coin","contract_type":"perpetual",...}`"""

    symbol: str
    base: str
    coin_id: str | None = None
    contract_type: Literal["perpetual", "futures"]


def traded(row: Traded, window: Window) -> Product | None:
    """A perpetual of the exchange asked for, and the coin it is of where CoinGecko knows."""
    if row.contract_type != "perpetual":
        return None
    return Product(window.exchanges[0], row.symbol, row.coin_id or "", base=row.base)


def tickers(window: Window) -> Request:
    """What trades on one exchange, by its id."""
    return get(f"{PATH}/exchanges/{window.subjects[0]}", costs=CALL, include_tickers="unexpired")


def pieces(aim: Aim) -> Iterator[Window]:
    """An exchange a request."""
    for one in aim.venues:
        yield Window(aim.start, aim.end, subjects=(one.id,), exchanges=(one.exchange,))


class Ticker(Wire):
    """`{"market":"Foo (Futures)","symbol":"ABCUSDT","contract_type":"perpetual","funding_rate":0.01,...}`"""

    market: str
    symbol: str
    contract_type: Literal["perpetual", "futures"]
    funding_rate: MaybeNum = None
    open_interest: MaybeNum = None
    last_traded_at: AwareDatetime


def snapshot(asked_at: datetime, item: Json) -> PerpSnapshot | None:
    """A perpetual as it stands. What has not traded for a day stands still: it would pass for what is so now."""
    row = Ticker.model_validate(item)
    if row.contract_type != "perpetual":
        return None
    if asked_at - row.last_traded_at > STALE:
        raise BadRecord("stale", f"last traded at {row.last_traded_at.isoformat()}, more than a day before")
    rate = None if row.funding_rate is None else spec.from_percent(row.funding_rate)
    if rate is not None and abs(rate) > LARGEST:
        raise BadRecord("rate_out_of_range", f"rate {rate} is past {LARGEST} an interval")
    return PerpSnapshot(row.market, row.symbol, asked_at, rate, row.open_interest)


def snapshots(answer: list[Json], window: Window) -> Rows:
    """All perpetuals; of one told twice the first counts."""
    seen: set[str | None] = set()
    for item in answer:
        name = _name(item)
        made = spec.tried(partial(snapshot, window.start), item, name)
        if isinstance(made, PerpSnapshot) and name in seen:
            made = spec.Bad(name, "duplicate", "told twice: the first counts")
        if isinstance(made, PerpSnapshot):
            seen.add(name)
        yield made


def _name(item: Json) -> str | None:
    match item:
        case {"market": str(market), "symbol": str(symbol)}:
            return f"{market}:{symbol}"
        case _:
            return None


exchanges = spec.always(get(f"{PATH}/exchanges/list", costs=CALL))
derivatives = spec.always(get(PATH, costs=CALL))
sold = spec.each(Traded, traded, lambda answer: answer.tickers)
listed = spec.each(ListedExchange, venue, symbol="id")

SOURCE = spec.Source(
    id="coingecko",
    name="CoinGecko",
    base_url="https://api.coingecko.com",
    # demo plan: 30 calls a minute; without a key fewer
    budgets={"calls": spec.Budget(10, timedelta(minutes=1)), "month": spec.Budget(10_000, MONTH)},
    feeds=(
        Feed("instruments", "market", exchanges, spec.SomeRows, listed, HOUR, f"{DOCS}/derivatives-exchanges-list"),
        Feed("instruments", "batch", tickers, Exchange, sold, DAY, f"{DOCS}/derivatives-exchanges-id", pieces=pieces),
        Feed("perp_snapshot", "market", derivatives, spec.SomeRows, snapshots, HOUR / 2, f"{DOCS}/derivatives-tickers"),
    ),
    docs=DOCS,
    terms="https://www.coingecko.com/en/api_terms",
    key="COINGECKO_API_KEY",
    key_required=False,
    on_request=True,
    signed=signed,
    problem=problem,
)
