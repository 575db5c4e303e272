"""Who and what: entities and their aliases, exchanges, sources, instruments with dated facts, series."""

from datetime import datetime

from sqlalchemy import DateTime, Float, ForeignKey, Index, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Moment, StoredAt


class Entity(Base):
    """What a thing is, whoever lists it: a coin, chain, protocol, stablecoin, equity or index."""

    __tablename__ = "entity"
    __table_args__ = (Index("ix_entity_symbol", func.lower(text("symbol"))),)

    id: Mapped[Id]
    canonical_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    symbol: Mapped[str]
    type: Mapped[str]
    sector: Mapped[str | None]
    created_at: Mapped[StoredAt]


class EntitySourceId(Base):
    """How one source calls an entity, and how many of it one quoted unit stands for."""

    __tablename__ = "entity_source_id"
    __table_args__ = (
        UniqueConstraint("source", "source_id_type", "source_id"),
        Index("ix_entity_source_id_lower", func.lower(text("source_id"))),
    )

    id: Mapped[Id]
    entity_id: Mapped[int] = mapped_column(ForeignKey("entity.id"), index=True)
    source: Mapped[str]
    source_id: Mapped[str]
    source_id_type: Mapped[str]
    multiplier: Mapped[float] = mapped_column(Float(53), server_default="1")


class Exchange(Base):
    """Where a thing trades. `funding_interval_hours` is what is assumed when nothing better is known.

    `generated`: it does not exist, and everything that trades there was made up for trying things out.
    """

    __tablename__ = "exchange"
    __table_args__ = (Index("ix_exchange_generated", "slug", postgresql_where=text("generated")),)

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    funding_interval_hours: Mapped[float] = mapped_column(Float(53), server_default="8")
    docs_url: Mapped[str | None]
    generated: Mapped[bool] = mapped_column(server_default=text("false"))


class Source(Base):
    """Who told us: an exchange itself, an aggregator, or an import. `on_request`: heard only if asked for by name.

    `generated`: what it tells was made up for trying things out.
    """

    __tablename__ = "source"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    on_request: Mapped[bool] = mapped_column(server_default=text("false"))
    generated: Mapped[bool] = mapped_column(server_default=text("false"))


class Instrument(Base):
    """One contract on one exchange, with its facts as they stand now."""

    __tablename__ = "instrument"
    __table_args__ = (
        UniqueConstraint("exchange_id", "kind", "symbol"),
        Index("ix_instrument_expires_at", "entity_id", "expires_at", postgresql_where=text("expires_at is not null")),
    )

    id: Mapped[Id]
    exchange_id: Mapped[int] = mapped_column(ForeignKey("exchange.id"))
    symbol: Mapped[str]
    kind: Mapped[str]
    entity_id: Mapped[int | None] = mapped_column(ForeignKey("entity.id"), index=True)
    base: Mapped[str | None]
    quote: Mapped[str | None]
    margin: Mapped[str | None]
    contract_size: Mapped[float | None] = mapped_column(Float(53))
    multiplier: Mapped[float] = mapped_column(Float(53), server_default="1")
    funding_interval_hours: Mapped[float | None] = mapped_column(Float(53))
    oi_sides: Mapped[int | None] = mapped_column(SmallInteger)
    expires_at: Mapped[Moment | None]
    strike: Mapped[float | None] = mapped_column(Float(53))
    option_type: Mapped[str | None]
    price_index: Mapped[str | None]
    tick_size: Mapped[float | None] = mapped_column(Float(53))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    listed_at: Mapped[Moment | None]
    delisted_at: Mapped[Moment | None]
    seen_at: Mapped[StoredAt]


class InstrumentFact(Base):
    """What was true of an instrument from `valid_from` until the next row of the same fact."""

    __tablename__ = "instrument_fact"

    instrument_id: Mapped[int] = mapped_column(ForeignKey("instrument.id"), primary_key=True)
    fact: Mapped[str] = mapped_column(primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str | None]
    source: Mapped[str]
    known_at: Mapped[StoredAt]


class Series(Base):
    """One instrument as told by one source. `preference`: the lower is preferred where several tell the same fact."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("instrument_id", "source_id"),)

    id: Mapped[Id]
    instrument_id: Mapped[int] = mapped_column(ForeignKey("instrument.id"))
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    preference: Mapped[int] = mapped_column(SmallInteger, server_default="0")
