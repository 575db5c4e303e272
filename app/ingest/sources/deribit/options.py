"""How all options of a currency stand, and their greeks, both by one summary.

Marks of a summary have all their digits; those of tickers and order books are rounded to four. Greeks are not in it and
are worked out: Deribit's own are of the same model, so asking for a thousand tickers would tell nothing more.
"""

from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter
from typing import Annotated

from pydantic import BeforeValidator

from app.ingest import spec
from app.ingest.sources.deribit.black76 import sensitivities, terms
from app.ingest.sources.deribit.reading import MaybePercent, MaybePrice, Text
from app.ingest.sources.deribit.rest import DOCS, SomeRows, ask
from app.ingest.sources.deribit.words import Family
from app.ingest.spec import Feed, MaybeNum, Ms, Num, Window, Wire
from app.records import Greeks, OptionSnapshot, Record, check_iv


def _expired_is_none(value: object) -> object:
    return None if value == "expired" else value


class Summary(Wire):
    """`{"instrument_name":"BTC-30APR26-77500-P","mark_price":0.02214434,"mark_iv":38.43,"underlying_price":...,...}`

    A side that is empty is null, a volatility in percent; `underlying_price` is the forward, `estimated_delivery_price`
    the index, which was once the word `expired`. Answers before 2024 lack the volatility.
    """

    instrument_name: Text
    base_currency: Text
    creation_timestamp: Ms
    bid_price: MaybePrice
    ask_price: MaybePrice
    mark_price: Num
    mark_iv: MaybePercent = None
    underlying_price: MaybePrice = None
    estimated_delivery_price: Annotated[Num | None, BeforeValidator(_expired_is_none)] = None
    open_interest: MaybeNum = None
    volume: MaybeNum = None


def snapshot(row: Summary) -> OptionSnapshot:
    """Prices as quoted: coins a coin of inverse options, USDC of linear ones."""
    return OptionSnapshot(
        row.instrument_name,
        row.creation_timestamp,
        row.bid_price,
        row.ask_price,
        row.mark_price,
        row.mark_iv,
        row.underlying_price,
        row.estimated_delivery_price,
        row.open_interest,
        row.volume,
    )


def greeks(row: Summary) -> Greeks | None:
    """By the forward and the volatility of the mark price; None without them, or once it has expired."""
    check_iv(row.mark_iv)
    of = terms(row.instrument_name)
    seconds = (of.expires_at - row.creation_timestamp).total_seconds()
    if row.mark_iv is None or row.underlying_price is None or seconds <= 0:
        return None
    found = sensitivities(row.underlying_price, row.mark_iv, seconds, of)
    of_all = (found.delta, found.gamma, found.vega, found.theta, found.rho)
    return Greeks(row.instrument_name, row.creation_timestamp, *of_all)


def _summaries(
    dataset: spec.Dataset, family: Family, make: Callable[[Summary], Record | None], every: timedelta
) -> Feed:
    request = ask("get_book_summary_by_currency", currency=family.currency, kind="option")

    def one(row: Summary, window: Window) -> Record | None:
        return make(row) if row.base_currency in family.coins else None

    rows = spec.each(Summary, one, attrgetter("result"), "instrument_name")
    docs = f"{DOCS}/public-get_book_summary_by_currency"
    return Feed(dataset, "market", spec.always(request), SomeRows, rows, every, docs, kinds=("option",))


def chain(family: Family, every: timedelta) -> Feed:
    """How every option of a currency stands."""
    return _summaries("option_chain", family, snapshot, every)


def all_greeks(family: Family, every: timedelta) -> Feed:
    """Greeks of every option of a currency."""
    return _summaries("greeks", family, greeks, every)
