"""Client of perpstore: its answers as DataFrames, live events, and a backtest provider."""

from perpstore_client.async_client import AsyncPerpstoreClient
from perpstore_client.backtest import Backtest, BestSpread, NotLoaded
from perpstore_client.client import PerpstoreClient
from perpstore_client.events import Event
from perpstore_client.problems import (
    Ambiguous,
    BadRequest,
    NoAccess,
    NotFound,
    PerpstoreError,
    Throttled,
    Unavailable,
    Wrong,
)

__all__ = [
    "Ambiguous",
    "AsyncPerpstoreClient",
    "Backtest",
    "BadRequest",
    "BestSpread",
    "Event",
    "NoAccess",
    "NotFound",
    "NotLoaded",
    "PerpstoreClient",
    "PerpstoreError",
    "Throttled",
    "Unavailable",
    "Wrong",
]
