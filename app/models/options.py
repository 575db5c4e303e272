"""Ticks of options and of what they are hedged with, and what is told of options minute by minute."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Float, Identity, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Moment
from app.models.facts import RANGE_BY_TIME, Fact, Tick


class OptionTick(Tick, Base):
    """The best bid and ask from a millisecond on, the last that was told of it; null where a side is empty.

    Of options, and of the perpetuals and futures they are hedged with. Prices as the instrument is quoted (an inverse
    option: coins a coin), amounts as its exchange counts them.
    """

    __tablename__ = "option_tick"
    __table_args__ = (RANGE_BY_TIME,)

    bid: Mapped[float | None] = mapped_column(Float(53))
    ask: Mapped[float | None] = mapped_column(Float(53))
    bid_amount: Mapped[float | None] = mapped_column(Float(53))
    ask_amount: Mapped[float | None] = mapped_column(Float(53))


class OptionTrade(Tick, Base):
    """One trade. `trade_seq` grows by one with each of an instrument; `side` 1 where the taker bought, else -1.

    `iv` is a fraction; `liquidation` M, T or MT: maker, taker or both were liquidated.
    """

    __tablename__ = "option_trade"
    __table_args__ = (RANGE_BY_TIME,)

    trade_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, sort_order=0)
    trade_id: Mapped[str]
    side: Mapped[int] = mapped_column(SmallInteger)
    price: Mapped[float] = mapped_column(Float(53))
    amount: Mapped[float] = mapped_column(Float(53))
    iv: Mapped[float | None] = mapped_column(Float(53))
    mark_price: Mapped[float | None] = mapped_column(Float(53))
    index_price: Mapped[float | None] = mapped_column(Float(53))
    liquidation: Mapped[str | None]
    is_block: Mapped[bool] = mapped_column(server_default=text("false"))
    is_combo: Mapped[bool] = mapped_column(server_default=text("false"))


class Depth(Tick, Base):
    """An order book at an instant: prices and amounts of both sides, the best first; `change_id` of its last change."""

    __tablename__ = "depth"
    __table_args__ = (RANGE_BY_TIME,)

    change_id: Mapped[int | None] = mapped_column(BigInteger)
    bid_prices: Mapped[list[float]] = mapped_column(ARRAY(Float(53)))
    bid_amounts: Mapped[list[float]] = mapped_column(ARRAY(Float(53)))
    ask_prices: Mapped[list[float]] = mapped_column(ARRAY(Float(53)))
    ask_amounts: Mapped[list[float]] = mapped_column(ARRAY(Float(53)))


class OptionMinute(Fact, Base):
    """What is told of one option about once a minute: its candle (at the start of the minute), or how it stands.

    How it stands is stored at the instant it is of, so that no minute knows of it before. Prices as the option is
    quoted, `mark_iv` a fraction, `open_interest` and `volume_24h` in coins, `underlying_price` the forward in USD.
    """

    __tablename__ = "option_1m"
    __table_args__ = (RANGE_BY_TIME,)

    open: Mapped[float | None] = mapped_column(Float(53))
    high: Mapped[float | None] = mapped_column(Float(53))
    low: Mapped[float | None] = mapped_column(Float(53))
    close: Mapped[float | None] = mapped_column(Float(53))
    volume_base: Mapped[float | None] = mapped_column(Float(53))
    volume_quote: Mapped[float | None] = mapped_column(Float(53))
    bid: Mapped[float | None] = mapped_column(Float(53))
    ask: Mapped[float | None] = mapped_column(Float(53))
    mark_price: Mapped[float | None] = mapped_column(Float(53))
    mark_iv: Mapped[float | None] = mapped_column(Float(53))
    underlying_price: Mapped[float | None] = mapped_column(Float(53))
    index_price: Mapped[float | None] = mapped_column(Float(53))
    open_interest: Mapped[float | None] = mapped_column(Float(53))
    volume_24h: Mapped[float | None] = mapped_column(Float(53))


class Greeks(Fact, Base):
    """Greeks as somebody told them, of one coin of the underlying, in USD.

    `delta` not adjusted by the premium; `gamma` a USD; `vega` of one percentage point of IV; `theta` of a day; `rho` of
    one percentage point.
    """

    __tablename__ = "greeks"
    __table_args__ = (RANGE_BY_TIME,)

    delta: Mapped[float | None] = mapped_column(Float(53))
    gamma: Mapped[float | None] = mapped_column(Float(53))
    vega: Mapped[float | None] = mapped_column(Float(53))
    theta: Mapped[float | None] = mapped_column(Float(53))
    rho: Mapped[float | None] = mapped_column(Float(53))


class IndexPrice(Fact, Base):
    """A price index, or a volatility index as a fraction: its value is `close`; of a candle, which starts at `ts`, all.

    A value without `open` is of the instant `ts`.
    """

    __tablename__ = "index_price"
    __table_args__ = (RANGE_BY_TIME,)

    open: Mapped[float | None] = mapped_column(Float(53))
    high: Mapped[float | None] = mapped_column(Float(53))
    low: Mapped[float | None] = mapped_column(Float(53))
    close: Mapped[float | None] = mapped_column(Float(53))


class DeliveryPrice(Fact, Base):
    """What contracts on an index are delivered at, at the instant `ts` of their expiry."""

    __tablename__ = "delivery_price"

    price: Mapped[float | None] = mapped_column(Float(53))


class OptionTickHour(Base):
    """The best bids and asks of an hour as candles; null where a side was empty all the hour. `quotes`: how many."""

    __tablename__ = "option_tick_1h"
    __table_args__ = (Index("ix_option_tick_1h_ts", "ts"),)

    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ts: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    bid_open: Mapped[float | None] = mapped_column(Float(53))
    bid_high: Mapped[float | None] = mapped_column(Float(53))
    bid_low: Mapped[float | None] = mapped_column(Float(53))
    bid_close: Mapped[float | None] = mapped_column(Float(53))
    ask_open: Mapped[float | None] = mapped_column(Float(53))
    ask_high: Mapped[float | None] = mapped_column(Float(53))
    ask_low: Mapped[float | None] = mapped_column(Float(53))
    ask_close: Mapped[float | None] = mapped_column(Float(53))
    quotes: Mapped[int]


class TradesComplete(Base):
    """Until when a collector of ticks (`deribit:BTC`) has stored every trade there was, or knows that it cannot."""

    __tablename__ = "trades_complete"

    collector: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[Moment]


class OptionTickLate(Base):
    """An hour of which quotes came so late that it may have been rolled up without them; gone once it is anew."""

    __tablename__ = "option_tick_late"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    series_id: Mapped[int]
    ts: Mapped[Moment]
