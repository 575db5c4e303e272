"""Trades asked for by their numbers, to fill what a socket left out."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from app.ingest import spec
from app.ingest.sources.deribit.listing import option
from app.ingest.sources.deribit.reading import trade
from app.ingest.sources.deribit.rest import DOCS, Answer, ask
from app.ingest.sources.deribit.words import INVERSE, LINEAR
from app.ingest.spec import Bad, Json, Request, Wire
from app.records import OptionTrade

MOST = 1000


class Trades(Wire):
    """`{"trades":[...],"has_more":false}`"""

    trades: list[Json]


def trades_request(symbol: str, first_seq: int, last_seq: int) -> Request:
    """Trades of an instrument from one number to another, both included: the first 1,000 of them, oldest first."""
    numbers = {"start_seq": first_seq, "end_seq": last_seq}
    return ask("get_last_trades_by_instrument", instrument_name=symbol, **numbers, sorting="asc", count=MOST)


def trades_rows(answer: Json) -> Iterator[OptionTrade | Bad]:
    """The trades of an answer. Raises ValueError, once it is read, where that is none."""
    for item in Answer[Trades].model_validate(answer).result.trades:
        yield spec.tried(trade, item, None)


def recent_request(kind: str, coin: str, start: datetime, end: datetime) -> Request:
    """Trades of all options or futures (perpetuals too) of a coin, or of all coins settled in USDC, oldest first."""
    currency = coin if coin in INVERSE else LINEAR
    times = {"start_timestamp": in_ms(start), "end_timestamp": in_ms(end) - 1}
    return ask("get_last_trades_by_currency", currency=currency, kind=kind, **times, sorting="asc", count=MOST)


def in_ms(time: datetime) -> int:
    """Epoch milliseconds."""
    return round(time.timestamp() * 1000)


RECENT = (partial(recent_request, "option"), partial(recent_request, "future"))
TRADES = spec.NumberedTrades(
    trades_request, trades_rows, MOST, f"{DOCS}/public-get_last_trades_by_instrument", RECENT, option
)
