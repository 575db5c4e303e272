"""The rules of each dataset: rows that cannot be true are refused, the others become columns of facts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.records import LARGEST_RATE, LARGEST_VALUE
from app.services.importing import values
from app.services.importing.frame import NO_TIME, Floats, Frame, Times
from app.services.intervals import IntervalKnown
from app.services.store import OPTION, SCHEMAS, WIDE_HOUR, WIDE_MINUTE

HOUR_US = 3_600_000_000
PREDICTED_AHEAD_US = 31 * 24 * HOUR_US
NOT_SAID = -9
KINDS = {"settled": 0, "predicted": 1}
KNOWN = {known.name.lower(): int(known) for known in IntervalKnown}
CANDLE_US = {"1m": HOUR_US // 60, "1h": HOUR_US}
WHOLE: Mapping[str, pa.Schema] = {**SCHEMAS, "perp_1m": WIDE_MINUTE, "perp_1h": WIDE_HOUR, "option": OPTION}
PRICES = ("open", "high", "low", "close")
OTHERS = ("volume_base", "volume_usd", "buy_volume_base", "trades")

Column = Floats | Times | NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Facts:
    """Columns by the names of `WHOLE`, and the rows that go to each fact."""

    columns: Mapping[str, Column]
    rows: Mapping[str, NDArray[np.bool_]]


def funding(frame: Frame) -> Facts:
    """Settled and predicted rates; `rate` is the fraction of one interval."""
    predicted = frame.one_of("kind", KINDS, 0, "bad_kind") == KINDS["predicted"]
    columns = {
        "ts": frame.times("time", required=True),
        "rate": _rate(frame),
        "interval_hours": _hours(frame),
        "interval_known": frame.one_of("interval_known", KNOWN, NOT_SAID, "bad_interval_known"),
        "for_time": frame.times("for_time", latest=frame.now_us + PREDICTED_AHEAD_US),
        "known_at": frame.times("known_at"),
    }
    return Facts(columns, {"funding": ~predicted, "predicted_funding": predicted})


def _rate(frame: Frame) -> Floats:
    native, plain = frame.numbers("rate_native"), frame.numbers("rate")
    rate = np.where(np.isnan(native), plain, native)
    frame.judge.refuse(np.isnan(rate), "no_value", lambda _: "`rate` is missing")
    beyond = np.abs(rate) > LARGEST_RATE
    reason = f"past {LARGEST_RATE} an interval: a rate is a fraction, 0.0001 is 0.01 %"
    frame.judge.refuse(beyond, "rate_out_of_range", lambda row: f"rate is {rate[row]}, {reason}")
    return rate


def _hours(frame: Frame) -> Floats:
    hours = frame.numbers("interval_hours")
    frame.judge.refuse(hours <= 0, "interval", lambda row: f"an interval of {hours[row]} hours")
    return hours


def open_interest(frame: Frame) -> Facts:
    """Coins, USD or both."""
    base, usd = frame.quantity("oi_base"), frame.quantity("oi_usd")
    neither = np.isnan(base) & np.isnan(usd)
    frame.judge.refuse(neither, "no_value", lambda _: "neither `oi_base` nor `oi_usd`")
    columns = {
        "ts": frame.times("time", required=True),
        "oi_base": base,
        "oi_usd": usd,
        "known_at": frame.times("known_at"),
    }
    return Facts(columns, {"open_interest": frame.everywhere})


def candles(frame: Frame) -> Facts:
    """Finished candles that begin on their grid, with prices that enclose each other."""
    opens, rows = intervals(frame)
    columns: dict[str, Column] = {
        "ts": opens,
        **{name: frame.quantity(name, required=True) for name in PRICES},
        **{name: frame.quantity(name) for name in OTHERS},
        "known_at": frame.times("known_at"),
    }
    enclosed(frame, *(columns[name] for name in PRICES))
    return Facts(columns, rows)


def intervals(frame: Frame) -> tuple[Times, Mapping[str, NDArray[np.bool_]]]:
    """When the interval of each row begins, on its grid and finished; and which rows are of which fact."""
    lengths = np.array(list(CANDLE_US.values()), dtype=np.int64)
    places = {name: at for at, name in enumerate(CANDLE_US)}
    interval = frame.one_of("interval", places, 0, "unsupported_interval", str)  # 1M is a month elsewhere
    opens = _opens(frame, lengths[np.clip(interval, 0, None)])
    return opens, {f"perp_{name}": interval == at for name, at in places.items()}


def _opens(frame: Frame, length: Times) -> Times:
    opens = frame.times("time", required=True)
    shown, refuse = frame.shown, frame.judge.refuse
    refuse(opens % length != 0, "misaligned_time", lambda row: f"{shown('time', row)}, not the start of an interval")
    refuse(opens + length > frame.now_us, "unfinished", lambda row: f"the interval of {shown('time', row)} is not over")
    return opens


def enclosed(frame: Frame, first: Column, high: Column, low: Column, last: Column) -> None:
    """Refuse rows whose highest and lowest price are not."""
    open_ended = (high < np.maximum(first, last)) | (low > np.minimum(first, last))
    reason = "do not enclose open and close"
    frame.judge.refuse(open_ended, "high_low", lambda row: f"high {high[row]} and low {low[row]} {reason}")


def fundamentals(frame: Frame) -> Facts:
    """Any metric of an asset. Which may be negative the catalogue knows: rows that are say so, and are judged there."""
    for name in ("asset", "metric"):
        frame.judge.refuse(frame.words(name).codes < 0, f"no_{name}", lambda _, name=name: f"`{name}` is missing")
    value = frame.numbers("value")
    frame.judge.refuse(np.isnan(value), "no_value", lambda _: "`value` is missing")
    large = np.abs(value) > LARGEST_VALUE
    frame.judge.refuse(large, "quantity_out_of_range", lambda row: f"{frame.shown('value', row)}, past any quantity")
    frame.mark("negative", value < 0)
    columns = {"ts": frame.times("time", required=True), "value": value, "known_at": frame.times("known_at")}
    return Facts(columns, {"metric_value": frame.everywhere})


def batches(
    facts: Facts, rows: NDArray[np.intp], series: NDArray[np.int32], units: Floats
) -> dict[str, pa.RecordBatch]:
    """The rows at these places as batches of the store, in coins: `units` coins were one unit of each row."""
    scale = None if (units == 1).all() else units
    found: dict[str, pa.RecordBatch] = {}
    for fact, mask in facts.rows.items():
        chosen = mask[rows]
        if chosen.any():
            part = rows[chosen], series[chosen], None if scale is None else scale[chosen]
            found[fact] = _batch(fact, facts.columns, *part)
    return found


def _batch(
    fact: str, columns: Mapping[str, Column], rows: NDArray[np.intp], series: NDArray[np.int32], scale: Floats | None
) -> pa.RecordBatch:
    arrays: dict[str, values.Column] = {"series_id": pa.array(series)}
    for name, kind in _kinds(fact, columns).items():
        taken = columns[name][rows]
        arrays[name] = _array(taken if scale is None else _scaled(name, taken, scale), kind)
    return pa.RecordBatch.from_pydict(arrays)


def _kinds(fact: str, columns: Mapping[str, Column]) -> dict[str, pa.DataType]:
    """The columns that go to a fact. Those that users added to minutes are of no schema, and are floats."""
    schema = WHOLE[fact]
    told: dict[str, pa.DataType] = {name: schema.field(name).type for name in schema.names if name in columns}
    return told | {name: pa.float64() for name in columns if fact == "perp_1m" and name not in told}


def _scaled(name: str, told: Column, units: Floats) -> Column:
    if name in (*PRICES, "price"):
        return told / units
    return told * units if name == "quantity" or "_base" in name else told


def _array(told: Column, kind: pa.DataType) -> values.Column:
    """Null for what is absent."""
    if pa.types.is_timestamp(kind):
        return pa.array(told, mask=told == NO_TIME).cast(kind)
    absent = np.isnan(told) if pa.types.is_floating(kind) else told == NOT_SAID
    return pa.array(told, mask=absent, type=kind)
