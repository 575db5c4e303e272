"""Facts: wide typed rows keyed `(series_id, ts)`, and what they said before they were changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Float, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app.models.base import Base, Id, Moment, StoredAt

KEPT_OF_IMPORT = text("batch_id is not null and kept is not null")
RANGE_BY_TIME = {"postgresql_partition_by": "RANGE (ts)"}


class Tick:
    """Key and time of receipt that facts and ticks have. Ticks are told once: no versions, no imports of them."""

    @declared_attr
    @classmethod
    def series_id(cls) -> Mapped[int]:
        return mapped_column(primary_key=True, autoincrement=False, sort_order=-2)

    @declared_attr
    @classmethod
    def ts(cls) -> Mapped[datetime]:
        return mapped_column(DateTime(timezone=True), primary_key=True, sort_order=-1)

    @declared_attr
    @classmethod
    def known_at(cls) -> Mapped[StoredAt]:
        return mapped_column(sort_order=9)


class Fact(Tick):
    """What all facts have. `ts` is the instant, or the start of the interval.

    `batch_id`: the import that wrote what the row says now; null: a pull.
    """

    @declared_attr
    @classmethod
    def batch_id(cls) -> Mapped[int | None]:
        return mapped_column(sort_order=10)


class Funding(Fact, Base):
    """Settled funding: the fraction of one interval, with the interval and how it is known (`services.intervals`)."""

    __tablename__ = "funding"

    rate: Mapped[float] = mapped_column(Float(53))
    interval_hours: Mapped[float] = mapped_column(Float(53))
    interval_known: Mapped[int] = mapped_column(SmallInteger)


class PredictedFunding(Fact, Base):
    """An estimate sampled at `ts` of what will be paid at `for_time`, for one interval."""

    __tablename__ = "predicted_funding"
    __table_args__ = (RANGE_BY_TIME,)

    rate: Mapped[float] = mapped_column(Float(53))
    interval_hours: Mapped[float | None] = mapped_column(Float(53))
    for_time: Mapped[Moment | None]


class OpenInterest(Fact, Base):
    """One-sided open interest at an instant, in coins (multiplier applied) and in USD."""

    __tablename__ = "open_interest"
    __table_args__ = (RANGE_BY_TIME,)

    oi_base: Mapped[float | None] = mapped_column(Float(53))
    oi_usd: Mapped[float | None] = mapped_column(Float(53))


class PerpMinute(Fact, Base):
    """One minute of one perpetual, from `ts` on: everything that is told of it, in one row.

    Prices a coin, quantities in coins (multiplier applied) and in USD. `predicted_rate` is the fraction of one interval
    of `predicted_interval_hours`. Open interest, predicted rate, mark and index price are first samples of the minute;
    `long_short_ratio` is accounts long ÷ accounts short. Liquidations are summed up, their price is the mean by
    quantity. Columns of users (`perpspec`) come after these.
    """

    __tablename__ = "perp_1m"
    __table_args__ = (Index("ix_perp_1m_ts", "ts"), RANGE_BY_TIME)

    open: Mapped[float | None] = mapped_column(Float(53))
    high: Mapped[float | None] = mapped_column(Float(53))
    low: Mapped[float | None] = mapped_column(Float(53))
    close: Mapped[float | None] = mapped_column(Float(53))
    volume_base: Mapped[float | None] = mapped_column(Float(53))
    volume_usd: Mapped[float | None] = mapped_column(Float(53))
    buy_volume_base: Mapped[float | None] = mapped_column(Float(53))
    trades: Mapped[float | None] = mapped_column(Float(53))
    sell_volume_base: Mapped[float | None] = mapped_column(Float(53))
    oi_base: Mapped[float | None] = mapped_column(Float(53))
    oi_usd: Mapped[float | None] = mapped_column(Float(53))
    predicted_rate: Mapped[float | None] = mapped_column(Float(53))
    predicted_interval_hours: Mapped[float | None] = mapped_column(Float(53))
    long_short_ratio: Mapped[float | None] = mapped_column(Float(53))
    liquidation_price: Mapped[float | None] = mapped_column(Float(53))
    long_liquidation_base: Mapped[float | None] = mapped_column(Float(53))
    short_liquidation_base: Mapped[float | None] = mapped_column(Float(53))
    mark_price: Mapped[float | None] = mapped_column(Float(53))
    index_price: Mapped[float | None] = mapped_column(Float(53))


class Liquidation(Fact, Base):
    """One liquidation: `side` 1 where a long was liquidated, -1 where a short was; price a coin, quantity in coins.

    `ts` is the millisecond told, plus microseconds made of what is told, so that those of one millisecond stay apart.
    """

    __tablename__ = "liquidation"
    __table_args__ = (RANGE_BY_TIME,)

    side: Mapped[int] = mapped_column(SmallInteger)
    price: Mapped[float] = mapped_column(Float(53))
    quantity: Mapped[float] = mapped_column(Float(53))


class PerpHour(Fact, Base):
    """One hour of one perpetual: its candle and, where an aggregator tells them, everything else of that hour.

    Prices a coin, quantities in coins (multiplier applied) and in USD, rates per 8 hours.
    """

    __tablename__ = "perp_1h"
    __table_args__ = (RANGE_BY_TIME,)

    open: Mapped[float | None] = mapped_column(Float(53))
    high: Mapped[float | None] = mapped_column(Float(53))
    low: Mapped[float | None] = mapped_column(Float(53))
    close: Mapped[float | None] = mapped_column(Float(53))
    volume_base: Mapped[float | None] = mapped_column(Float(53))
    volume_usd: Mapped[float | None] = mapped_column(Float(53))
    buy_volume_base: Mapped[float | None] = mapped_column(Float(53))
    trades: Mapped[float | None] = mapped_column(Float(53))
    sell_volume_base: Mapped[float | None] = mapped_column(Float(53))
    buy_volume_usd: Mapped[float | None] = mapped_column(Float(53))
    sell_volume_usd: Mapped[float | None] = mapped_column(Float(53))
    buy_trades: Mapped[float | None] = mapped_column(Float(53))
    sell_trades: Mapped[float | None] = mapped_column(Float(53))
    oi_base_high: Mapped[float | None] = mapped_column(Float(53))
    oi_base_low: Mapped[float | None] = mapped_column(Float(53))
    oi_base_close: Mapped[float | None] = mapped_column(Float(53))
    oi_usd_high: Mapped[float | None] = mapped_column(Float(53))
    oi_usd_low: Mapped[float | None] = mapped_column(Float(53))
    oi_usd_close: Mapped[float | None] = mapped_column(Float(53))
    funding_rate_8h: Mapped[float | None] = mapped_column(Float(53))
    funding_rate_8h_mean: Mapped[float | None] = mapped_column(Float(53))
    premium: Mapped[float | None] = mapped_column(Float(53))
    buy_liquidations: Mapped[float | None] = mapped_column(Float(53))
    sell_liquidations: Mapped[float | None] = mapped_column(Float(53))
    buy_liquidation_base: Mapped[float | None] = mapped_column(Float(53))
    sell_liquidation_base: Mapped[float | None] = mapped_column(Float(53))
    liquidation_base: Mapped[float | None] = mapped_column(Float(53))
    buy_liquidation_usd: Mapped[float | None] = mapped_column(Float(53))
    sell_liquidation_usd: Mapped[float | None] = mapped_column(Float(53))
    liquidation_usd: Mapped[float | None] = mapped_column(Float(53))


class MetricValue(Fact, Base):
    """One value of a metric of an entity; `series_id` is a `metric_series`."""

    __tablename__ = "metric_value"

    value: Mapped[float] = mapped_column(Float(53))


class Revision(Base):
    """An earlier version of a fact: what it said from `known_at` until `replaced_at`. Ids grow along the versions.

    `batch_id`: the import that wrote it; null: a pull. `kept`: columns the next version took over, being told nothing.
    `repeats`: not a version, but what somebody told of a row that said so already, on an import's word.
    """

    __tablename__ = "revision"
    __table_args__ = (
        Index("ix_revision_fact", "fact", "series_id", "ts"),
        Index("ix_revision_batch_id", "batch_id", "fact", postgresql_where=text("batch_id is not null")),
        Index("ix_revision_kept", "fact", "series_id", "ts", postgresql_where=KEPT_OF_IMPORT),
    )

    id: Mapped[Id]
    fact: Mapped[str]
    series_id: Mapped[int]
    ts: Mapped[Moment]
    known_at: Mapped[Moment]
    replaced_at: Mapped[Moment]
    said: Mapped[dict[str, Any]] = mapped_column(JSONB)
    batch_id: Mapped[int | None]
    kept: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    repeats: Mapped[bool] = mapped_column(server_default=text("false"))


class Latest(Base):
    """The newest fact of each kind a series has: every answer about now reads only this."""

    __tablename__ = "latest"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True, autoincrement=False)
    funding_ts: Mapped[Moment | None]
    rate: Mapped[float | None] = mapped_column(Float(53))
    interval_hours: Mapped[float | None] = mapped_column(Float(53))
    interval_known: Mapped[int | None] = mapped_column(SmallInteger)
    predicted_ts: Mapped[Moment | None]
    predicted_rate: Mapped[float | None] = mapped_column(Float(53))
    predicted_interval_hours: Mapped[float | None] = mapped_column(Float(53))
    predicted_for: Mapped[Moment | None]
    oi_ts: Mapped[Moment | None]
    oi_base: Mapped[float | None] = mapped_column(Float(53))
    oi_usd: Mapped[float | None] = mapped_column(Float(53))
    minute_ts: Mapped[Moment | None]
    minute_close: Mapped[float | None] = mapped_column(Float(53))
    hour_ts: Mapped[Moment | None]
    hour_close: Mapped[float | None] = mapped_column(Float(53))
