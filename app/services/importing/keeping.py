"""What an import brings that will not be kept: rows older than their facts are."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from app.services.importing.judge import Mask
from app.services.importing.values import EPOCH, MICROSECOND
from app.services.together import part_of, tables

CALLED: Mapping[str, str] = {
    "perp_1m": "minutes",
    "perp_1h": "hours",
    "liquidation": "liquidations",
    "open_interest": "open interest",
    "predicted_funding": "predicted rates",
    "funding": "settled rates",
    "metric_value": "metrics",
    "option_1m": "states of options",
    "greeks": "greeks",
    "index_price": "index prices",
}


def older(parts: Mapping[str, pa.RecordBatch], kept: Mapping[str, int], now: datetime) -> dict[str, int]:
    """How many rows of each fact are of before the days it is kept."""
    facts = {table: rows for fact, rows in parts.items() for table in tables(fact)}
    days = {fact: kept.get(fact, 0) for fact in facts}
    return {fact: _before(facts[fact], fact, now - timedelta(days=count)) for fact, count in days.items() if count}


def _before(rows: pa.RecordBatch, fact: str, first: datetime) -> int:
    times = rows.column("ts").cast(pa.int64()).to_numpy()
    return int(np.count_nonzero((times < (first - EPOCH) // MICROSECOND) & _told(rows, fact)))


def _told(rows: pa.RecordBatch, fact: str) -> Mask:
    """Rows that say something of the fact: of those of several tables not every one does."""
    columns = [np.asarray(rows.column(name).is_valid()) for name in part_of(fact)]
    return np.logical_or.reduce(columns) if columns else np.ones(rows.num_rows, dtype=np.bool_)


def notices(old: Mapping[str, int], kept: Mapping[str, int]) -> list[str]:
    """The same in words."""
    return [
        f"{count:,} {'row is' if count == 1 else 'rows are'} older than the {kept[fact]} days that {CALLED[fact]} "
        f"are kept: {'it' if count == 1 else 'they'} will be removed"
        for fact, count in old.items()
        if count
    ]
