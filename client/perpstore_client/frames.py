"""Tables of Arrow as the frames people work with, the facts about the rows kept beside them."""

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import pyarrow as pa

FrameName = Literal["pandas", "polars", "arrow"]
Frame = TypeVar("Frame")
FACTS = b"perpstore"


def facts(table: pa.Table | pa.RecordBatch) -> dict[str, Any]:
    """What has to be known to read the rows: `units`, `per`, `kind`, `window`, `contributors`, `notices`."""
    found: Mapping[bytes, bytes] = table.schema.metadata or {}
    return json.loads(found.get(FACTS, b"{}"))


def _pandas(table: pa.Table) -> Any:
    frame = table.to_pandas()
    frame.attrs.update(facts(table))
    return frame


def _polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)


_FRAMES: Mapping[str, Callable[[pa.Table], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "arrow": lambda table: table,
}


def shaper(name: FrameName | None) -> Callable[[pa.Table], Any]:
    """Makes frames of tables; None: pandas where it is installed, else polars, else Arrow. Raises ValueError."""
    found = name or next(frame for frame in _FRAMES if frame == "arrow" or find_spec(frame))
    if found not in _FRAMES:
        raise ValueError(f"frame: {', '.join(_FRAMES)} expected, not {name!r}")
    return _FRAMES[found]
