"""Tables, one file a subject."""

from app.models.backfill import Backfill, BackfillChunk, BudgetSpent
from app.models.base import Base
from app.models.facts import (
    Funding,
    Latest,
    Liquidation,
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
from app.models.minutes import Collector, Gap, Perpspec, Retention
from app.models.operation import ApiKey, ErrorLog, Job, Pull, RawBody, Reject, Throttle
from app.models.options import (
    DeliveryPrice,
    Depth,
    Greeks,
    IndexPrice,
    OptionMinute,
    OptionTick,
    OptionTickHour,
    OptionTickLate,
    OptionTrade,
    TradesComplete,
)
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
    "Collector",
    "DeliveryPrice",
    "Depth",
    "Entity",
    "EntitySourceId",
    "ErrorLog",
    "Exchange",
    "Funding",
    "Gap",
    "Greeks",
    "ImportBatch",
    "ImportMade",
    "ImportSpan",
    "IndexPrice",
    "Instrument",
    "InstrumentFact",
    "Job",
    "Latest",
    "Liquidation",
    "LiveEvent",
    "Metric",
    "MetricSeries",
    "MetricValue",
    "OpenInterest",
    "OptionMinute",
    "OptionTick",
    "OptionTickHour",
    "OptionTickLate",
    "OptionTrade",
    "PerpHour",
    "PerpMinute",
    "Perpspec",
    "PredictedFunding",
    "Pull",
    "RawBody",
    "Reject",
    "Retention",
    "Revision",
    "Series",
    "Source",
    "SourceAsset",
    "SourceExchange",
    "SourceProduct",
    "Throttle",
    "TradesComplete",
]
