"""What just became known, for those who listen: an outbox that is emptied after a while."""

from typing import Any

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, StoredAt


class LiveEvent(Base):
    """The rows of one write that are the newest of their series. Ids grow in the order of the commits."""

    __tablename__ = "live_event"
    __table_args__ = (Index("ix_live_event_at", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[StoredAt]
    fact: Mapped[str]
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
