"""Trades asked for by their numbers, to fill what a socket left out."""

from collections.abc import Iterator

from app.ingest import spec
from app.ingest.sources.deribit.reading import trade
from app.ingest.sources.deribit.rest import DOCS, Answer, ask
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


TRADES = spec.NumberedTrades(trades_request, trades_rows, MOST, f"{DOCS}/public-get_last_trades_by_instrument")
