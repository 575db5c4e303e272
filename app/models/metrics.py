"""Open-ended metrics of entities: what each means, whose it is, and things as sources list them."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Moment, StoredAt


class Metric(Base):
    """What a source calls one of its numbers. `column_name`: the column of `perp_1h` that holds it, null: its own."""

    __tablename__ = "metric"
    __table_args__ = (UniqueConstraint("source", "name"), Index("ix_metric_canonical", func.lower(text("canonical"))))

    id: Mapped[Id]
    source: Mapped[str]
    name: Mapped[str]
    canonical: Mapped[str]
    unit: Mapped[str]
    domain: Mapped[str]
    granularity: Mapped[str]
    covers: Mapped[str]
    signed: Mapped[bool] = mapped_column(server_default=text("false"))
    column_name: Mapped[str | None]
    about: Mapped[str] = mapped_column(server_default="")
    added_at: Mapped[StoredAt]


class MetricSeries(Base):
    """One metric of one entity, on one exchange where it is told by exchange."""

    __tablename__ = "metric_series"
    __table_args__ = (
        UniqueConstraint("metric_id", "entity_id", "exchange_id", postgresql_nulls_not_distinct=True),
        Index("ix_metric_series_entity_id", "entity_id"),
    )

    id: Mapped[Id]
    metric_id: Mapped[int] = mapped_column(ForeignKey("metric.id"))
    entity_id: Mapped[int] = mapped_column(ForeignKey("entity.id"))
    exchange_id: Mapped[int | None] = mapped_column(ForeignKey("exchange.id"))


class SourceAsset(Base):
    """A thing as a source lists it. `entity_id` null: nobody is sure what it is, and `reason` says why.

    `found_by`: what tied it to its entity: `source_id` (the map), `name` or `coingecko_id`.
    """

    __tablename__ = "source_asset"
    __table_args__ = (Index("ix_source_asset_entity_id", "entity_id"),)

    source: Mapped[str] = mapped_column(primary_key=True)
    id_type: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    ticker: Mapped[str | None]
    coingecko_id: Mapped[str | None]
    entity_id: Mapped[int | None] = mapped_column(ForeignKey("entity.id"))
    found_by: Mapped[str | None]
    reason: Mapped[str | None]
    first_seen: Mapped[StoredAt]
    seen_at: Mapped[StoredAt]


class SourceProduct(Base):
    """A perpetual as an aggregator lists it: `coin` is the aggregator's name of what trades."""

    __tablename__ = "source_product"
    __table_args__ = (Index("ix_source_product_instrument_id", "instrument_id"),)

    source: Mapped[str] = mapped_column(primary_key=True)
    instrument_id: Mapped[int] = mapped_column(ForeignKey("instrument.id"), primary_key=True, autoincrement=False)
    coin: Mapped[str]
    begins: Mapped[Moment | None]
    active: Mapped[bool]
    seen_at: Mapped[StoredAt]


class SourceExchange(Base):
    """An exchange as an aggregator lists it, by its id and name there; `listed_at`: when its perpetuals were."""

    __tablename__ = "source_exchange"

    source: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    exchange_id: Mapped[int] = mapped_column(ForeignKey("exchange.id"))
    listed_at: Mapped[Moment | None]
    seen_at: Mapped[StoredAt]
