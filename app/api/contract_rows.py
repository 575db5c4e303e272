"""Rows of answers about one option, future or perpetual."""

from typing import ClassVar, Literal

from app.api.schemas import OutTime, Row, column

AS_QUOTED = "as it is quoted: coins a coin (inverse options) or USD"
AS_COUNTED = "as its exchange counts: USD (inverse futures and perpetuals) or coins"


class ContractCandle(Row):
    """Prices and volumes of one instrument over one interval."""

    time: OutTime = column("When it opened; it is known when it closes.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol.")
    open: float = column("First price.", AS_QUOTED)
    high: float = column("Highest price.", AS_QUOTED)
    low: float = column("Lowest price.", AS_QUOTED)
    close: float = column("Last price.", AS_QUOTED)
    volume_base: float | None = column("Traded.", "coins")
    volume_quote: float | None = column("Paid for it.", AS_QUOTED.replace("coins a coin", "coins"))
    trades: int | None = column("How many trades; null: not told.")
    complete: bool | None = column("Whether every minute of it is known; null: made of trades.")
    made_of: Literal["minutes", "trades"] = column("What it is made of: minutes told, or trades where there are none.")
    source: str = column("Who told them.")


class QuoteRow(Row):
    """The best bid and ask from an instant on."""

    time: OutTime = column("From when on, to the millisecond.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol.")
    bid: float | None = column("Best bid; null: none.", AS_QUOTED)
    ask: float | None = column("Best ask; null: none.", AS_QUOTED)
    bid_amount: float | None = column("How much is bid for.", AS_COUNTED)
    ask_amount: float | None = column("How much is offered.", AS_COUNTED)
    source: str = column("Who told it.")


class QuoteCandle(Row):
    """The best bid and ask over one interval, as candles."""

    time: OutTime = column("When it began.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol.")
    bid_open: float | None = column("First best bid; null: none in all of it.", AS_QUOTED)
    bid_high: float | None = column("Highest.", AS_QUOTED)
    bid_low: float | None = column("Lowest.", AS_QUOTED)
    bid_close: float | None = column("Last.", AS_QUOTED)
    ask_open: float | None = column("First best ask; null: none in all of it.", AS_QUOTED)
    ask_high: float | None = column("Highest.", AS_QUOTED)
    ask_low: float | None = column("Lowest.", AS_QUOTED)
    ask_close: float | None = column("Last.", AS_QUOTED)
    quotes: int = column("How many quotes were told.")
    made_of: Literal["quotes", "hours", "hours,quotes"] = column(
        "What it is made of: quotes, the hours kept of those that are gone, or both."
    )
    source: str = column("Who told them.")


class TradeRow(Row):
    """One trade."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "instrument", "trade_seq")

    time: OutTime = column("When.")
    exchange: str = column("Where.")
    instrument: str = column("Native symbol.")
    trade_seq: int = column("Its number: one more than that of the trade of this instrument before.")
    trade_id: str = column("What its exchange calls it.")
    side: Literal["buy", "sell"] = column("What the taker did.")
    price: float = column("Price.", AS_QUOTED)
    amount: float = column("How much.", AS_COUNTED)
    iv: float | None = column("Implied volatility of the price.", "fraction per year")
    mark_price: float | None = column("The mark price then.", AS_QUOTED)
    index_price: float | None = column("The price index then.", "USD")
    liquidation: str | None = column("M, T or MT: maker, taker or both were liquidated; null: nobody.")
    is_block: bool = column("Whether it was a block trade.")
    is_combo: bool = column("Whether it was a leg of a combination.")
    source: str = column("Who told it.")


class DepthRow(Row):
    """An order book at an instant."""

    time: OutTime = column("The instant.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol.")
    change_id: int | None = column("Its exchange's number of the last change in it.")
    bids: list[list[float]] = column("Price and amount of each level, the best first.", f"{AS_QUOTED}; {AS_COUNTED}")
    asks: list[list[float]] = column("Price and amount of each level, the best first.", f"{AS_QUOTED}; {AS_COUNTED}")
    source: str = column("Who told it.")
