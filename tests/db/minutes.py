"""Minutes written by hand, and the ledger as it stands."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from app.db import Database
from app.services.holes import Pulled, detect
from app.services.store import WIDE_MINUTE, put
from tests.db.facts import DAY

MINUTE = timedelta(minutes=1)
CANDLE = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume_base": 3.0}
WIDE = {
    "open_interest": {"oi_base": 5.0},
    "predicted_funding": {"predicted_rate": 1e-4},
    "long_short": {"long_short_ratio": 1.5},
    "taker_volume": {"buy_volume_base": 1.0},
}


def minute(number: int, day: datetime = DAY) -> datetime:
    """So many minutes after the start of the test day."""
    return day + number * MINUTE


async def tell(db: Database, series: int, minutes: Iterable[int], **values: float) -> None:
    """Store minutes of a series: candles, unless other `values` are told."""
    rows = [{"series_id": series, "ts": minute(number), **(values or CANDLE)} for number in minutes]
    if rows:
        names = (*rows[0], "known_at")
        await put(
            db, "perp_1m", [pa.RecordBatch.from_pylist(rows, pa.schema([WIDE_MINUTE.field(name) for name in names]))]
        )


async def look(db: Database, now: int, since: int | None = None, pulled: Iterable[str] = ("binance",)) -> None:
    """Detect, so many minutes after the start of the test day."""
    told = [Pulled(source, minute(now), minute(-100_000)) for source in pulled]
    await detect(db, told, minute(now), None if since is None else minute(since))


async def ledger(db: Database, series: int | None = None) -> list[tuple[Any, ...]]:
    """Dataset, first and last minute, state and reason of all gaps, in order."""
    rows = await db.reads.fetch(
        "select * from gap where $1::int is null or series_id = $1 order by dataset, first, id", series
    )
    return [
        (row["dataset"], (row["first"] - DAY) // MINUTE, (row["last"] - DAY) // MINUTE, row["state"], row["reason"])
        for row in rows
    ]
