"""Records become columns: the one place where the multiplier is applied and settlements are laid on the minute."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pyarrow as pa

from app.records import Candle, FundingRate, OpenInterest, PredictedFunding, Record
from app.services.reference import SeriesRef
from app.services.store import SCHEMAS

MINUTE = timedelta(minutes=1)
Row = dict[str, object]


def columns(records: Sequence[Record], series: Mapping[str, SeriesRef]) -> tuple[dict[str, pa.RecordBatch], set[str]]:
    """Facts by table as Arrow batches, in coins and USD; and the symbols that have no series."""
    rows: dict[str, list[Row]] = defaultdict(list)
    unknown: set[str] = set()
    for record in records:
        to = series.get(record.symbol)
        if to is None:
            unknown.add(record.symbol)
            continue
        fact, values = _values(record, to.multiplier)
        rows[fact].append({"series_id": to.id, **values})
    return {fact: pa.RecordBatch.from_pylist(found, SCHEMAS[fact]) for fact, found in rows.items()}, unknown


def _values(record: Record, multiplier: float) -> tuple[str, Row]:
    match record:
        case FundingRate():
            return "funding", {"ts": record.time, "rate": record.rate, "interval_hours": record.interval_hours}
        case PredictedFunding():
            return "predicted_funding", {
                "ts": record.time,
                "rate": record.rate,
                "interval_hours": record.interval_hours,
                "for_time": record.for_time,
            }
        case OpenInterest():
            return "open_interest", {
                "ts": record.time,
                "oi_base": scaled(record.oi_base, multiplier),
                "oi_usd": record.oi_usd,
            }
        case Candle():
            return ("perp_1m" if record.interval == MINUTE else "perp_1h"), _candle(record, multiplier)
        case _:
            raise TypeError(f"{type(record).__name__} is not a fact")


def _candle(record: Candle, multiplier: float) -> Row:
    """Prices a coin, quantities in coins."""
    return {
        "ts": record.time,
        "open": record.open / multiplier,
        "high": record.high / multiplier,
        "low": record.low / multiplier,
        "close": record.close / multiplier,
        "volume_base": scaled(record.volume_base, multiplier),
        "volume_usd": record.volume_usd,
        "buy_volume_base": scaled(record.buy_volume_base, multiplier),
        "trades": record.trades,
    }


def scaled(quantity: float | None, multiplier: float) -> float | None:
    """Quoted units → coins."""
    return None if quantity is None else quantity * multiplier
