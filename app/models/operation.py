"""Running it: pulls, rejects, bodies nobody could read, what went wrong, jobs, keys."""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Moment, StoredAt


class Pull(Base):
    """One run of one job: what was asked, what came and what became of it."""

    __tablename__ = "pull"
    __table_args__ = (
        Index("ix_pull_started_at", "started_at"),
        Index("ix_pull_source_dataset_finished_at", "source", "dataset", "finished_at"),
    )

    id: Mapped[Id]
    source: Mapped[str]
    dataset: Mapped[str]
    status: Mapped[str]
    started_at: Mapped[StoredAt]
    finished_at: Mapped[Moment | None]
    requests: Mapped[int] = mapped_column(server_default="0")
    received: Mapped[int] = mapped_column(server_default="0")
    inserted: Mapped[int] = mapped_column(server_default="0")
    updated: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]


class Reject(Base):
    """A row that was refused, why, and how often since when."""

    __tablename__ = "reject"
    __table_args__ = (
        UniqueConstraint("source", "dataset", "code", "symbol"),
        Index("ix_reject_last_seen", "last_seen"),
    )

    id: Mapped[Id]
    source: Mapped[str]
    dataset: Mapped[str]
    code: Mapped[str]
    symbol: Mapped[str]
    reason: Mapped[str]
    count: Mapped[int]
    first_seen: Mapped[StoredAt]
    last_seen: Mapped[StoredAt]


class RawBody(Base):
    """An answer that could not be read, as it came."""

    __tablename__ = "raw_body"
    __table_args__ = (Index("ix_raw_body_received_at", "received_at"),)

    id: Mapped[Id]
    source: Mapped[str]
    dataset: Mapped[str]
    request: Mapped[str]
    status: Mapped[int]
    reason: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[StoredAt]


class ErrorLog(Base):
    """Something that went wrong: where (`pull`, `collector`, `repair`, `request`), of what, the words, the context."""

    __tablename__ = "error_log"
    __table_args__ = (Index("ix_error_log_at", "at"),)

    id: Mapped[Id]
    at: Mapped[StoredAt]
    place: Mapped[str]
    source: Mapped[str | None]
    dataset: Mapped[str | None]
    code: Mapped[str]
    message: Mapped[str]
    context: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class Throttle(Base):
    """How often a source answered that it is asked too often (HTTP 429 and the like), and when it did last."""

    __tablename__ = "throttle"

    source: Mapped[str] = mapped_column(primary_key=True)
    answers: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[StoredAt]


class Job(Base):
    """What an operator said of a job of the derived schedule."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    paused: Mapped[bool]
    asked_at: Mapped[Moment | None]


class ApiKey(Base):
    """A key: only its hash is kept."""

    __tablename__ = "api_key"

    id: Mapped[Id]
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[StoredAt]
    last_used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
