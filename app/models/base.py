"""What all tables share: one naming convention, one type for time."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import DateTime, Identity, MetaData, func
from sqlalchemy.orm import DeclarativeBase, mapped_column

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
StoredAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())]
Id = Annotated[int, mapped_column(Identity(always=True), primary_key=True)]


class Base(DeclarativeBase):
    """Parent of all tables."""

    metadata = MetaData(naming_convention=CONVENTION)
