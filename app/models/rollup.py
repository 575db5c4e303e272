"""Rollups: what many instruments say together, kept so that reading it is cheap."""

from datetime import datetime

from sqlalchemy import DateTime, Float, ForeignKey, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Moment


class CoinHour(Base):
    """OI-weighted funding per 8 h of one entity at one full hour, and which exchanges stand behind it."""

    __tablename__ = "coin_1h"

    entity_id: Mapped[int] = mapped_column(ForeignKey("entity.id"), primary_key=True)
    ts: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    rate: Mapped[float | None] = mapped_column(Float(53))
    mean: Mapped[float | None] = mapped_column(Float(53))
    median: Mapped[float | None] = mapped_column(Float(53))
    min: Mapped[float | None] = mapped_column(Float(53))
    max: Mapped[float | None] = mapped_column(Float(53))
    instruments: Mapped[int] = mapped_column(Integer)
    oi_usd: Mapped[float | None] = mapped_column(Float(53))
    coverage: Mapped[float | None] = mapped_column(Float(53))
    present: Mapped[list[str]] = mapped_column(ARRAY(Text))
    stale: Mapped[list[str]] = mapped_column(ARRAY(Text))
    missing: Mapped[list[str]] = mapped_column(ARRAY(Text))


class CoinHourReady(Base):
    """Up to which hour the rollup of an entity equals its facts; every write of facts lowers it.

    `computed_at`: when the last of its hours were computed; null: not since this is kept.
    """

    __tablename__ = "coin_1h_ready"

    entity_id: Mapped[int] = mapped_column(ForeignKey("entity.id"), primary_key=True, autoincrement=False)
    first_ts: Mapped[Moment]
    ready_to: Mapped[Moment]
    computed_at: Mapped[Moment | None]
