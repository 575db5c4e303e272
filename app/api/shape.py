"""Statements around a statement: its rows as one JSON text, a page at a time, or as plain columns to be streamed.

The text is made of our own column names and of the inner statement; what callers sent are arguments, always.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Template
from typing import Literal

from app.services.generated import EXCHANGES

Kind = Literal["time", "text", "number", "integer", "boolean", "list", "json"]

PAGE = Template("""
with page as (
  select p.*, row_number() over () as "place."
  from (select q.* from (
$inner
  ) as q $after order by $order limit $limit::int + 1) as p
)
select $data as data, coalesce(bool_or("place." > $limit), false) as more, clock_timestamp() as made,
  $generated as generated$last
from page as q, lateral (select $columns) as r
""")
ALL = Template("""
select $columns from (
$inner
) as q order by $order limit $limit
""")
OBJECTS = """'[' || coalesce(string_agg(row_to_json(r)::text, ',') filter (where "place." <= {0}), '') || ']'"""
ARRAY = """'"{0}" : ' || coalesce({1}(r."{0}") filter (where "place." <= {2}){3}, '[]')"""
OBJECT = "'{{' || array_to_string(array[{}], ', ') || '}}'"
"""Put together as text: a function takes no more than a hundred arguments, and there may be more columns."""

_PLAIN = {
    "text": 'q."{0}"::text',
    "number": 'q."{0}"::float8',
    "integer": 'q."{0}"::bigint',
    "boolean": 'q."{0}"::boolean',
}
_TIME = {
    "iso": 'iso(q."{0}")',
    "ms": 'floor(extract(epoch from q."{0}") * 1000)::bigint',
    "us": "(date_part('epoch', q.\"{0}\") * 1000000)::bigint",
}
"""Microseconds by way of a float: twice as fast as exact numbers, and exact until the year 2106."""
_NESTED = {"json": 'to_json(q."{0}")', "text": 'to_json(q."{0}")::text', "typed": 'q."{0}"'}
_TEXT_KEY = 'coalesce(q."{0}", \'\') collate "C"'
_BOUND = {"time": "timestamptz", "text": "text", "number": "float8", "integer": "bigint"}


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns (name, kind) in order, the names that order rows, and how times and nested values are written.

    `times`: `iso`, or the epoch in `ms` or `us`. `nested`: `json`, `text` (JSON as text) or `typed`.
    """

    columns: tuple[tuple[str, Kind], ...]
    keys: tuple[str, ...]
    descending: bool = False
    times: Literal["iso", "ms", "us"] = "iso"
    nested: Literal["json", "text", "typed"] = "json"

    @property
    def key_kinds(self) -> tuple[Kind, ...]:
        """What each key holds."""
        kinds = dict(self.columns)
        return tuple(kinds[key] for key in self.keys)


def _expression(shape: Shape, name: str, kind: Kind) -> str:
    if kind == "time":
        form = _TIME[shape.times]
    elif kind == "list" or kind == "json":
        form = _NESTED["text" if kind == "json" and shape.nested == "typed" else shape.nested]
    else:
        form = _PLAIN[kind]
    return f'{form.format(name)} as "{name}"'


def _columns(shape: Shape) -> str:
    return ", ".join(_expression(shape, name, kind) for name, kind in shape.columns)


def _keys(shape: Shape) -> list[str]:
    """The keys as they are compared: text by code point, whatever the database's collation; absent text first."""
    collated = zip(shape.keys, shape.key_kinds, strict=True)
    return [_TEXT_KEY.format(key) if kind == "text" else f'q."{key}"' for key, kind in collated]


def _order(shape: Shape) -> str:
    return ", ".join(f"{key} {'desc' if shape.descending else 'asc'}" for key in _keys(shape))


def _after(shape: Shape, first: int) -> str:
    bounds = ", ".join(f"${first + n}::{_BOUND[kind]}" for n, kind in enumerate(shape.key_kinds))
    return f"where ({', '.join(_keys(shape))}) {'<' if shape.descending else '>'} ({bounds})"


def _data(shape: Shape, limit: str, *, arrays: bool) -> str:
    if not arrays:
        return OBJECTS.format(limit)
    parts = [
        ARRAY.format(
            name, *(("json_agg", limit, "") if kind in ("list", "json") else ("array_to_json(array_agg", limit, ")"))
        )
        for name, kind in shape.columns
    ]
    return OBJECT.format(", ".join(parts))


@lru_cache(maxsize=512)
def page(inner: str, arguments: int, shape: Shape, *, arrays: bool, after: bool) -> str:
    """One row: `data` (JSON text of a page), `more`, when it was `made`, the `generated` exchanges the store holds, and
    `key0` … of the last row if there is more.

    Arguments go on after the inner statement's: the limit, then (with `after`) the key to go on from.
    """
    limit = f"${arguments + 1}"
    last = [f', max({key}) filter (where "place." = {limit}) as key{n}' for n, key in enumerate(_keys(shape))]
    return PAGE.substitute(
        inner=inner,
        after=_after(shape, arguments + 2) if after else "",
        order=_order(shape),
        limit=limit,
        data=_data(shape, limit, arrays=arrays),
        last="".join(last),
        columns=_columns(shape),
        generated=EXCHANGES,
    )


@lru_cache(maxsize=512)
def everything(inner: str, arguments: int, shape: Shape) -> str:
    """All rows in order, column by column. One more argument: how many at most (null: all)."""
    return ALL.substitute(inner=inner, columns=_columns(shape), order=_order(shape), limit=f"${arguments + 1}")


def ndjson(inner: str, arguments: int, shape: Shape) -> str:
    """All rows in order, each as one JSON text."""
    return f"select row_to_json(r)::text as line from ({everything(inner, arguments, shape)}) as r"  # noqa: S608 - ours


def known(columns: Sequence[tuple[str, Kind]]) -> str:
    """A statement whose one argument is a JSON array of objects, and whose rows are these."""
    types = {"time": "timestamptz", "list": "text[]", "json": "jsonb", "boolean": "boolean", **_BOUND}
    typed = ", ".join(f'"{name}" {types[kind]}' for name, kind in columns)
    return f"select * from jsonb_to_recordset($1::jsonb) as r({typed})"  # noqa: S608 - ours
