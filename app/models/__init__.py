"""Tables, one file a subject."""

from app.models.base import Base
from app.models.facts import (
    Funding,
    Latest,
    OpenInterest,
    PerpHour,
    PerpMinute,
    PredictedFunding,
    Revision,
)
from app.models.operation import ApiKey, Job, Pull, RawBody, Reject
from app.models.reference import Entity, EntitySourceId, Exchange, Instrument, InstrumentFact, Series, Source
from app.models.rollup import CoinHour, CoinHourReady

__all__ = [
    "ApiKey",
    "Base",
    "CoinHour",
    "CoinHourReady",
    "Entity",
    "EntitySourceId",
    "Exchange",
    "Funding",
    "Instrument",
    "InstrumentFact",
    "Job",
    "Latest",
    "OpenInterest",
    "PerpHour",
    "PerpMinute",
    "PredictedFunding",
    "Pull",
    "RawBody",
    "Reject",
    "Revision",
    "Series",
    "Source",
]
