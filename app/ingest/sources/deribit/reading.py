"""What REST and the sockets of Deribit tell in the same words: trades, order books and percentages.

An absent price, amount or volatility of an option is 0.0 in tickers and books, null in summaries. Volatilities are
percent (but in `markprice.options`). Keys come in no order and new ones come.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from app.ingest import spec
from app.ingest.spec import Json, Ms, Num, Wire
from app.records import Depth, OptionTrade, Taker


def _zero_is_none(value: object) -> object:
    return None if isinstance(value, int | float) and not isinstance(value, bool) and value == 0 else value


Percent = Annotated[Num, AfterValidator(spec.from_percent)]
"""Percent → a fraction."""
MaybePercent = Annotated[Percent | None, BeforeValidator(_zero_is_none)]
"""Percent → a fraction, or None where there is none: null or 0.0."""
MaybePrice = Annotated[Num | None, BeforeValidator(_zero_is_none)]
"""A price or an amount, or None where a side is empty: null or 0.0."""
Text = Annotated[str, Field(min_length=1)]


class Deal(Wire):
    """`{"trade_id":"445682190","trade_seq":134,"timestamp":1789939017544,"instrument_name":"BTC-21SEP26-80000-P",...}`

    `trade_id` is unique within a family of currencies and has a prefix in most of them. `starbase_match_id` and
    `starbase_timestamp`, integers above 2^53, are not read. Old trades lack a mark price.
    """

    instrument_name: Text
    trade_id: Text
    trade_seq: int
    timestamp: Ms
    direction: Literal["buy", "sell"]
    price: Num
    amount: Num
    iv: MaybePercent = None
    mark_price: Num | None = None
    index_price: Num | None = None
    liquidation: Literal["M", "T", "MT"] | None = None
    block_trade_id: Text | None = None
    combo_id: Text | None = None


SIDES: Mapping[str, Taker] = {"buy": "buy", "sell": "sell"}


def trade(item: Json) -> OptionTrade:
    """A trade of an option, perpetual or future by its taker's side, price and amount as the exchange counts them.

    Amounts of inverse perpetuals and futures are USD, others coins. Raises ValueError where it can be none.
    """
    row = Deal.model_validate(item)
    return OptionTrade(
        row.instrument_name,
        row.timestamp,
        row.trade_seq,
        row.trade_id,
        SIDES[row.direction],
        row.price,
        row.amount,
        iv=row.iv,
        mark_price=row.mark_price,
        index_price=row.index_price,
        liquidation=row.liquidation,
        is_block=row.block_trade_id is not None,
        is_combo=row.combo_id is not None,
    )


class Book(Wire):
    """`{"instrument_name":"BTC-PERPETUAL","timestamp":1789939037426,"change_id":42,"bids":[[80836.5,65010.0],...],...}`

    Of `get_order_book` and of the grouped book channels; best levels first, an empty side is `[]`.
    """

    instrument_name: Text
    timestamp: Ms
    change_id: int
    bids: list[tuple[Num, Num]]
    asks: list[tuple[Num, Num]]


def depth(item: Json) -> Depth:
    """An order book as of its last change. Raises ValueError where it can be none."""
    row = Book.model_validate(item)
    return Depth(row.instrument_name, row.timestamp, row.change_id, tuple(row.bids), tuple(row.asks))
