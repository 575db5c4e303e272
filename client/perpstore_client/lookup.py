"""Many look-ups in one request: rows or a frame as the columns of a body, and the columns of the answer as a table."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias, cast

import pyarrow as pa

from perpstore_client.frames import FACTS
from perpstore_client.question import Question
from perpstore_client.times import Moment, many_microseconds, microseconds, rfc_3339, written

Rows: TypeAlias = "Iterable[tuple[Moment, str, str]] | Iterable[Mapping[str, Any]] | pa.Table | Any"
"""Tuples `(time, exchange, asset)`, dictionaries with these names, or a frame of pandas, Polars or Arrow."""

NAMES = ("time", "exchange", "asset")
TIME = pa.timestamp("us", "UTC")
WORDS = frozenset(("exchange", "asset"))


def lookup(rows: Rows, per: str, known_at: Moment | None, source: str | None) -> Question:
    """POST /lookup of these rows. Raises ValueError or TypeError where they are of another shape."""
    times, exchanges, assets = _columns(rows)
    columns = {"time": [_stamp(us) for us in times], "exchange": exchanges, "asset": assets}
    more = {"known_at": None if known_at is None else written(known_at), "source": source}
    told = {"dataset": "funding", "per": per, "columns": columns, **{k: v for k, v in more.items() if v is not None}}
    body = json.dumps(told, separators=(",", ":")).encode()
    return Question("/lookup", {}, body, "application/json", partial(_read, times))


def _stamp(us: int) -> int | str:
    """Milliseconds where that says it all, and where it cannot be taken for seconds."""
    ms, rest = divmod(us, 1000)
    return ms if rest == 0 and ms >= 100_000_000_000 else rfc_3339(us)


def _columns(rows: Any) -> tuple[list[int], list[str], list[str]]:
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):
        time, exchange, asset = (rows[name] for name in NAMES)
        return _times(time), list(map(str, _plain(exchange))), list(map(str, _plain(asset)))
    told = [_row(row) for row in rows]
    times, exchanges, assets = zip(*told, strict=True) if told else ((), (), ())
    return [microseconds(time) for time in times], list(exchanges), list(assets)


def _row(row: Any) -> tuple[Moment, str, str]:
    values = tuple(cast("Mapping[str, Any]", row)[n] for n in NAMES) if isinstance(row, Mapping) else (*row,)
    if len(values) != len(NAMES):
        raise ValueError(f"rows of {', '.join(NAMES)} expected, not of {len(values)} values")
    return values


def _times(column: Any) -> list[int]:
    if hasattr(column, "to_pylist"):
        return [microseconds(moment) for moment in column.to_pylist()]
    return many_microseconds(column).tolist()


def _plain(column: Any) -> Iterable[Any]:
    return column.to_pylist() if hasattr(column, "to_pylist") else column


def _read(times: list[int], body: bytes) -> pa.Table:
    """The answer as a table; its times are those asked about."""
    found = cast("dict[str, Any]", json.loads(body))
    data: dict[str, list[Any]] = {**found["data"], "time": times}
    fields = [pa.field(name, _type(name)) for name in data]
    schema = pa.schema(fields, metadata={FACTS: json.dumps(found.get("meta", {})).encode()})
    return pa.Table.from_arrays(
        [pa.array(data[field.name], field.type) for field in fields],
        schema=schema,
    )


def _type(name: str) -> pa.DataType:
    return TIME if name == "time" else pa.string() if name in WORDS else pa.float64()
