"""Back-fills: what was ordered, and the chunks it is cut in; and what was spent of the budgets of sources."""

from typing import Any

from sqlalchemy import Float, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Moment, StoredAt

UNFINISHED = text("state in ('queued', 'running')")


class Backfill(Base):
    """An order for history. `asked` is the request as it was understood."""

    __tablename__ = "backfill"

    id: Mapped[Id]
    source: Mapped[str]
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    asked_by: Mapped[str]
    created_at: Mapped[StoredAt]
    started_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]
    error: Mapped[str | None]


class BackfillChunk(Base):
    """A piece of a back-fill that is fetched and stored as one. `worker` is the process at it, by its lock."""

    __tablename__ = "backfill_chunk"
    __table_args__ = (Index("ix_backfill_chunk_unfinished", "backfill_id", "number", postgresql_where=UNFINISHED),)

    backfill_id: Mapped[int] = mapped_column(ForeignKey("backfill.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    dataset: Mapped[str]
    piece: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="queued")
    worker: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    requests: Mapped[int] = mapped_column(server_default="0")
    received: Mapped[int] = mapped_column(server_default="0")
    inserted: Mapped[int] = mapped_column(server_default="0")
    updated: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]
    finished_at: Mapped[Moment | None]


class BudgetSpent(Base):
    """What was spent of a source's budget, by any process on this database."""

    __tablename__ = "budget_spent"
    __table_args__ = (Index("ix_budget_spent_budget_at", "budget", "at"), {"prefixes": ["UNLOGGED"]})

    id: Mapped[Id]
    budget: Mapped[str]
    at: Mapped[StoredAt]
    cost: Mapped[float] = mapped_column(Float(53))
