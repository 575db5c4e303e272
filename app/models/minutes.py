"""The minute warehouse beside its facts: what its slices are called, which minutes are missing, and what is gone."""

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Moment, StoredAt

UNSETTLED, KNOWN = text("state in ('open', 'repairing')"), text("state <> 'repaired'")
REPAIRED = text("state = 'repaired'")


class Perpspec(Base):
    """A named slice of the minute rows of one exchange. `exchange` null: of all. `fields` by their public names."""

    __tablename__ = "perpspec"

    name: Mapped[str] = mapped_column(primary_key=True)
    exchange: Mapped[str | None]
    kind: Mapped[str]
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    interval: Mapped[str] = mapped_column(server_default="1m")
    created_at: Mapped[StoredAt]


class Gap(Base):
    """A stretch `[first, last)` of a series in which rows of a dataset are missing, and what is done about it.

    `reason`: outage, upstream_keeps_no_more, not_listed or not_fetched_yet. `state`: open, repairing, repaired or
    unfillable; but for repaired ones no two of a dataset overlap. `attempts` to repair it so far; the next one not
    before `next_try_at`, which while it is being repaired is when whoever does that is given up.
    """

    __tablename__ = "gap"
    __table_args__ = (
        Index("uq_gap_begin", "series_id", "dataset", "first", unique=True, postgresql_where=KNOWN),
        Index("ix_gap_repaired", "series_id", "dataset", "last", postgresql_where=REPAIRED),
        Index("ix_gap_unsettled", "next_try_at", postgresql_where=UNSETTLED),
        Index("ix_gap_first", "first"),
    )

    id: Mapped[Id]
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    dataset: Mapped[str]
    first: Mapped[Moment]
    last: Mapped[Moment]
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[StoredAt]
    noticed_at: Mapped[StoredAt]
    settled_at: Mapped[Moment | None]
    detail: Mapped[str | None]


class Retention(Base):
    """What retention removed of a fact table: everything before `removed_before`."""

    __tablename__ = "retention"

    fact: Mapped[str] = mapped_column(primary_key=True)
    removed_before: Mapped[Moment]


class Collector(Base):
    """A live connection to an upstream, as it last told of itself. Counts are since `started_at`."""

    __tablename__ = "collector"

    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    channel: Mapped[str]
    state: Mapped[str]
    subscriptions: Mapped[int] = mapped_column(server_default="0")
    started_at: Mapped[StoredAt]
    connected_at: Mapped[Moment | None]
    last_message_at: Mapped[Moment | None]
    messages: Mapped[int] = mapped_column(BigInteger, server_default="0")
    messages_per_s: Mapped[float | None] = mapped_column(Float(53))
    lag_s: Mapped[float | None] = mapped_column(Float(53))
    dropped: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reconnects: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]
    updated_at: Mapped[StoredAt]
