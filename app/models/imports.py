"""Imports: each write over the API or the command line, where its facts lie, and what it made beside them."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Moment, StoredAt


class ImportBatch(Base):
    """One write: who brought what, and what became of it. `state`: running, stored, failed or taken_back.

    Counts are of rows that are stored, so that they are true of an import that failed half-way too.
    """

    __tablename__ = "import_batch"
    __table_args__ = (Index("ix_import_batch_state", "state"),)

    id: Mapped[Id]
    dataset: Mapped[str]
    source: Mapped[str]
    who: Mapped[str]
    via: Mapped[str]
    file: Mapped[str | None]
    state: Mapped[str]
    started_at: Mapped[StoredAt]
    finished_at: Mapped[Moment | None]
    taken_back_at: Mapped[Moment | None]
    received: Mapped[int] = mapped_column(server_default="0")
    inserted: Mapped[int] = mapped_column(server_default="0")
    updated: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")


class ImportSpan(Base):
    """From when to when an import told of a series: where its rows are looked for when it is taken back."""

    __tablename__ = "import_span"
    __table_args__ = (Index("ix_import_span_series_id", "series_id"),)

    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), primary_key=True, autoincrement=False)
    fact: Mapped[str] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first: Mapped[Moment]
    last: Mapped[Moment]


class ImportMade(Base):
    """What an import made: an entity, exchange, source, instrument or series, or an instrument it gave its entity."""

    __tablename__ = "import_made"

    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    made_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
