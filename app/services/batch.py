"""Records become columns: the one place where the multiplier is applied and settlements are laid on the minute."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import pyarrow as pa

from app.records import (
    Candle,
    DeliveryPrice,
    Depth,
    FundingRate,
    Greeks,
    IndexPrice,
    Liquidation,
    OpenInterest,
    OptionFact,
    OptionSnapshot,
    PerpHour,
    PerpMinute,
    Position,
    PredictedFunding,
    Record,
)
from app.services.reference import SeriesRef
from app.services.store import SCHEMAS, WIDE_HOUR, WIDE_MINUTE

MINUTE = timedelta(minutes=1)
SIDES: Mapping[Position, int] = {"long": 1, "short": -1}
Row = dict[str, object]
OF_OPTIONS: Mapping[type[Record], str] = {
    OptionSnapshot: "option_1m",
    Greeks: "greeks",
    IndexPrice: "index_price",
    DeliveryPrice: "delivery_price",
}
"""Where what is told of options is stored, as it is told: their exchanges quote no multiples of coins."""


def columns(records: Sequence[Record], series: Mapping[str, SeriesRef]) -> tuple[dict[str, pa.RecordBatch], set[str]]:
    """Facts by table as Arrow batches, in coins and USD; and the symbols that have no series."""
    rows: dict[str, list[Row]] = defaultdict(list)
    unknown: set[str] = set()
    for record in records:
        to = series.get(record.symbol)
        if to is None:
            unknown.add(record.symbol)
            continue
        fact, values = _values(record, to)
        rows[fact].append({"series_id": to.id, **values})
    return {fact: pa.RecordBatch.from_pylist(found, SCHEMAS[fact]) for fact, found in rows.items()}, unknown


def _values(record: Record, to: SeriesRef) -> tuple[str, Row]:
    multiplier = to.multiplier
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
        case Liquidation():
            return "liquidation", _liquidation(record, multiplier)
        case OptionSnapshot() | Greeks() | IndexPrice() | DeliveryPrice():
            return OF_OPTIONS[type(record)], _as_told(record)
        case Candle() if to.kind == "option":
            return "option_1m", _option_candle(record)
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


def _as_told(record: OptionFact) -> Row:
    values = asdict(record)
    del values["symbol"]
    return {"ts": values.pop("time"), **values}


def _option_candle(record: Candle) -> Row:
    """Prices and volume as the option is quoted and counted."""
    prices = {"open": record.open, "high": record.high, "low": record.low, "close": record.close}
    return {"ts": record.time, **prices, "volume_base": record.volume_base, "volume_quote": record.volume_usd}


def _liquidation(record: Liquidation, multiplier: float) -> Row:
    return {
        "ts": apart(record.time, record.side, record.price, record.quantity),
        "side": SIDES[record.side],
        "price": record.price / multiplier,
        "quantity": record.quantity * multiplier,
    }


def apart(time: datetime, side: Position, price: float, quantity: float) -> datetime:
    """The key of a liquidation: its millisecond, and microseconds made of what it says; a finer time stays as it is.

    Told twice it has the same key, and of several in one millisecond each its own (but for one pair in a thousand).
    """
    if time.microsecond % 1000:
        return time
    return time + timedelta(microseconds=microseconds(side, price, quantity))


def microseconds(side: Position, price: float, quantity: float) -> int:
    """1 to 999, made of what a liquidation says: never 0, so that a key that is told again is not taken for a time."""
    return 1 + crc32(f"{side} {price!r} {quantity!r}".encode()) % 999


PRICES = frozenset({"open", "high", "low", "close", "liquidation_price", "mark_price", "index_price"})


def minutes(records: Sequence[PerpMinute], series: Mapping[str, SeriesRef]) -> pa.RecordBatch:
    """Minutes of perpetuals as a batch of `perp_1m`, in coins and USD: the columns that any of them tells.

    `series` by native symbol. Raises KeyError where one is missing.
    """
    return _wide(records, [series[record.symbol] for record in records], WIDE_MINUTE)


def hours(records: Sequence[PerpHour], series: Mapping[tuple[str, str], SeriesRef]) -> pa.RecordBatch:
    """Hours of perpetuals as a batch of `perp_1h`, in coins and USD: the columns that any of them tells.

    `series` by exchange and native symbol. Raises KeyError where one is missing.
    """
    return _wide(records, [series[record.exchange, record.symbol] for record in records], WIDE_HOUR)


def _wide(records: Sequence[PerpHour | PerpMinute], refs: Sequence[SeriesRef], schema: pa.Schema) -> pa.RecordBatch:
    told = {name for record in records for name in record.values}
    units = [ref.multiplier for ref in refs]
    plain = units.count(1.0) == len(units)
    columns: dict[str, list[object]] = {
        "series_id": [ref.id for ref in refs],
        "ts": [record.time for record in records],
    }
    for name in schema.names:
        if name in told:
            values = [record.values.get(name) for record in records]
            columns[name] = [*values] if plain else [_in_coins(name, *one) for one in zip(values, units, strict=True)]
    columns["known_at"] = [None] * len(records)
    fields: list[pa.Field[Any]] = [schema.field(name) for name in columns]
    return pa.RecordBatch.from_pydict(columns, pa.schema(fields))


def _in_coins(column: str, value: float | None, multiplier: float) -> float | None:
    """Prices a coin, quantities in coins; what is counted in anything else stays."""
    if value is None or multiplier == 1:
        return value
    if column in PRICES:
        return value / multiplier
    return value * multiplier if "_base" in column else value


def depths(records: Sequence[Depth], series: Mapping[str, SeriesRef], known_at: datetime) -> list[tuple[object, ...]]:
    """Order books as rows of `depth`, prices and amounts as they are told. Raises KeyError for one without a series."""
    return [
        (
            *(series[one.symbol].id, one.time, one.change_id),
            *([level[n] for level in side] for side in (one.bids, one.asks) for n in (0, 1)),
            known_at,
        )
        for one in records
    ]


def scaled(quantity: float | None, multiplier: float) -> float | None:
    """Quoted units → coins."""
    return None if quantity is None else quantity * multiplier
