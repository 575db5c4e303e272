"""What Deribit tells of perpetuals and futures: estimates, open interest, settlements and order books."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from operator import attrgetter

from app.ingest import spec
from app.ingest.sources.deribit.reading import Text, depth
from app.ingest.sources.deribit.rest import DOCS, HOUR, MINUTE, Answer, Rows, SomeRows, ask
from app.ingest.sources.deribit.words import Family
from app.ingest.spec import Bad, Feed, Json, MaybeNum, Ms, Num, Request, Window, Wire
from app.records import FundingRate, OpenInterest, PredictedFunding, Record, check_quantity

LEVELS = 20
A_MONTH = 720 + 1  # hours of settlements, of the 744 that an answer has at most, and one more: see `Feed.limit`
INTEREST_HOURS = 8


class Summary(Wire):
    """`{"instrument_name":"BTC-PERPETUAL","mark_price":80831.57,"open_interest":787799210,"current_funding":0.0,...}`

    Dated futures have no key `current_funding`. Open interest of inverse contracts is USD, of linear ones coins.
    """

    instrument_name: Text
    base_currency: Text
    quote_currency: Text
    creation_timestamp: Ms
    mark_price: Num
    open_interest: MaybeNum = None
    current_funding: MaybeNum = None


def estimate(row: Summary) -> PredictedFunding | None:
    """`current_funding` is the rate of this instant per 8 hours, paid continuously; told for one hour."""
    if row.current_funding is None:
        return None
    rate = row.current_funding / INTEREST_HOURS
    return PredictedFunding(row.instrument_name, row.creation_timestamp, rate, None, 1.0)


def interest(row: Summary) -> OpenInterest | None:
    """Open interest of a perpetual in coins and in USD, one of them by the mark price."""
    if row.current_funding is None:
        return None
    check_quantity("mark_price", row.mark_price)
    told = row.open_interest
    if told is None:
        base = usd = None
    elif row.quote_currency == "USD":
        base, usd = told / row.mark_price, told
    else:
        base, usd = told, spec.in_usd(told * row.mark_price, row.quote_currency)
    return OpenInterest(row.instrument_name, row.creation_timestamp, base, usd)


def summaries(
    dataset: spec.Dataset, family: Family, make: Callable[[Summary], Record | None], every: timedelta
) -> Feed:
    """How all perpetuals of a currency stand. Each dataset asks for itself: the answer is rebuilt every 2 s."""
    request = ask("get_book_summary_by_currency", currency=family.currency, kind="future")

    def one(row: Summary, window: Window) -> Record | None:
        return make(row) if row.base_currency in family.coins else None

    rows = spec.each(Summary, one, attrgetter("result"), "instrument_name")
    docs = f"{DOCS}/public-get_book_summary_by_currency"
    return Feed(dataset, "market", spec.always(request), SomeRows, rows, every, docs)


class Settlement(Wire):
    """`{"timestamp":1789855200000,"index_price":81079.79,"interest_1h":0.0000251,"interest_8h":0.0002003,...}`"""

    timestamp: Ms
    interest_1h: Num


def funding_history(window: Window) -> Request:
    """Settled hours of one perpetual. A row stamped exactly with the start is left out, so a millisecond before it."""
    times = {"start_timestamp": window.start_ms - 1, "end_timestamp": window.last_ms}
    return ask("get_funding_rate_history", instrument_name=window.symbol, **times)


def settlement(row: Settlement, window: Window) -> FundingRate:
    """What was paid in the hour that ends here; `interest_8h` is the sum of eight hours and would count each again."""
    return FundingRate(window.symbol, row.timestamp, row.interest_1h, 1.0)


FUNDING = Feed(
    "funding",
    "instrument",
    funding_history,
    Rows,
    spec.each(Settlement, settlement, attrgetter("result")),
    10 * MINUTE,
    f"{DOCS}/public-get_funding_rate_history",
    step=HOUR,
    limit=A_MONTH,
    history=True,
)


def order_book(window: Window) -> Request:
    """The best levels of one book, now."""
    return ask("get_order_book", instrument_name=window.symbol, depth=LEVELS)


Book = Answer[dict[str, Json]]


def books(answer: Book, window: Window) -> Iterator[Record | Bad]:
    """The one book, as of its last change."""
    yield spec.tried(depth, answer.result, window.symbol)


def order_books(every: timedelta) -> Feed:
    """Order books of perpetuals and dated futures."""
    docs = f"{DOCS}/public-get_order_book"
    return Feed("depth", "instrument", order_book, Book, books, every, docs, kinds=("perp", "future"))
