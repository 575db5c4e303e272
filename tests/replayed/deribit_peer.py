"""Who is connected to a replayed Deribit, and how much they may ask."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from websockets.asyncio.server import ServerConnection

PATIENCE, IDLE = timedelta(seconds=10), timedelta(seconds=60)
"""So long a `test_request` may stay unanswered, and so long a connection may have no use."""
CALLS, REFILL = 10, 10 / 3
"""Subscriptions at once, and a second."""


class Wrong(Exception):
    """An error in its own words: code and message."""


@dataclass(slots=True, eq=False)
class Peer:
    """Who is connected, and since when; `tested`: the request that is to be answered was sent then."""

    connection: ServerConnection
    since: datetime
    channels: set[str] = field(default_factory=set[str])
    logged_in: bool = False
    interval: timedelta | None = None
    beaten: datetime | None = None
    tested: datetime | None = None
    calls: float = CALLS
    called: datetime | None = None
