"""Tables, one file a subject."""

from app.models.backfill import Backfill, BackfillChunk, BudgetSpent
from app.models.base import Base
from app.models.facts import (
    Funding,
    Latest,
    MetricValue,
    OpenInterest,
    PerpHour,
    PerpMinute,
    PredictedFunding,
    Revision,
)
from app.models.imports import ImportBatch, ImportMade, ImportSpan
from app.models.live import LiveEvent
from app.models.metrics import Metric, MetricSeries, SourceAsset, SourceExchange, SourceProduct
from app.models.operation import ApiKey, Job, Pull, RawBody, Reject
from app.models.reference import Entity, EntitySourceId, Exchange, Instrument, InstrumentFact, Series, Source
from app.models.rollup import CoinHour, CoinHourReady

__all__ = [
    "ApiKey",
    "Backfill",
    "BackfillChunk",
    "Base",
    "BudgetSpent",
    "CoinHour",
    "CoinHourReady",
    "Entity",
    "EntitySourceId",
    "Exchange",
    "Funding",
    "ImportBatch",
    "ImportMade",
    "ImportSpan",
    "Instrument",
    "InstrumentFact",
    "Job",
    "Latest",
    "LiveEvent",
    "Metric",
    "MetricSeries",
    "MetricValue",
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
    "SourceAsset",
    "SourceExchange",
    "SourceProduct",
]
