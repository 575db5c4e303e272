"""Ticks as rows of their tables: the columns of `services.ticks.COLUMNS`, in their order. No I/O, no clock."""

from datetime import datetime

from app.records import Depth, OptionTrade, Quote
from app.services.ticks import Row

SIDES = {"buy": 1, "sell": -1}


def of_quote(quote: Quote, series: int, known_at: datetime) -> Row:
    """A row of `option_tick`."""
    return series, quote.time, quote.bid, quote.ask, quote.bid_amount, quote.ask_amount, known_at


def of_trade(trade: OptionTrade, series: int, known_at: datetime) -> Row:
    """A row of `option_trade`."""
    return (
        series,
        trade.time,
        trade.seq,
        trade.id,
        SIDES[trade.side],
        trade.price,
        trade.amount,
        trade.iv,
        trade.mark_price,
        trade.index_price,
        trade.liquidation,
        trade.is_block,
        trade.is_combo,
        known_at,
    )


def of_depth(depth: Depth, series: int, known_at: datetime) -> Row:
    """A row of `depth`."""
    sides = ([level[part] for level in side] for side in (depth.bids, depth.asks) for part in (0, 1))
    return series, depth.time, depth.change_id, *sides, known_at
