"""What answers look like: rows with units, their envelope, problems. No field has a default: all are always there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.fields import FieldInfo

from app.api.errors import MEDIA_TYPE as PROBLEM_MEDIA
from app.api.forms import MEDIA, Form
from app.api.shape import Kind

OUT_TIME: Mapping[str, Any] = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]}
OutTime = Annotated[datetime, WithJsonSchema(dict(OUT_TIME))]
"""A time in an answer: RFC 3339 in UTC, or epoch milliseconds with `time_format=ms`."""

_KINDS: Mapping[Any, Kind] = {
    datetime: "time",
    str: "text",
    NoneType: "text",
    float: "number",
    int: "integer",
    bool: "boolean",
}


class Out(BaseModel):
    """Parent of everything in an answer: no field but those declared."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Row(Out):
    """Parent of rows. `keys` is their order, and names each row once: the base of paging."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "instrument")


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row: its name, what it holds, and its unit where it has one."""

    name: str
    kind: Kind
    unit: str | None


def column(description: str, unit: str | None = None, **more: Any) -> Any:
    """A field of a row: what it means, and its unit."""
    return Field(description=description, json_schema_extra={"x-unit": unit} if unit else None, **more)


OTHER_VALUE: dict[str, Any] = {"type": ["number", "string", "null"]}


class OpenRow(Row):
    """Parent of rows that have more columns than those declared: which, depends on the question."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": OTHER_VALUE})


class _OpenColumns(Out):
    """The same as one array a column."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"additionalProperties": {"type": "array", "items": OTHER_VALUE}}
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The columns of the answer to one question, in order, and the keys of its rows."""

    columns: tuple[Column, ...]
    keys: tuple[str, ...]


Rows: TypeAlias = type[Row] | Chosen
"""What rows are made of: always the same columns, or those of a question."""


@cache
def columns(row: Rows) -> tuple[Column, ...]:
    """The fields of a row, in order."""
    if isinstance(row, Chosen):
        return row.columns
    fields = row.model_fields.items()
    return tuple(_column(field.alias or name, field.annotation, field.json_schema_extra) for name, field in fields)


def _column(name: str, annotation: Any, extra: Any) -> Column:
    more: Mapping[str, Any] = extra or {}
    return Column(name, _kind(annotation), more.get("x-unit"))


def _kind(annotation: Any) -> Kind:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _kind(next(part for part in get_args(annotation) if part is not type(None)))
    if origin is Literal:
        return _KINDS[type(get_args(annotation)[0])]
    if origin is list:
        return "list" if get_args(annotation)[0] is str else "json"
    return _KINDS.get(annotation, "json")


class WindowOut(Out):
    """The window as it was understood."""

    start: OutTime | None = Field(description="First instant, inclusive; null where an instant was asked for.")
    end: OutTime | None = Field(description="End, exclusive; null where an instant was asked for.")
    at: OutTime | None = Field(description="The instant asked for.")
    known_at: OutTime | None = Field(description="Only what was stored by then was used; null: all.")


class MetaOut(Out):
    """What has to be known to read the rows."""

    window: WindowOut | None = Field(description="The time asked about; null where the answer has none.")
    units: dict[str, str] = Field(description="Unit of each field that has one.")
    per: str | None = Field(description="What rates are per: native (one interval), 1h, 8h or 1y.")
    kind: str | None = Field(description="settled or predicted, where that matters.")
    contributors: list[str] | None = Field(description="Exchanges the answer is made of, where several are joined.")
    generated: list[str] = Field(
        description="Exchanges the store holds that do not exist: data to try things out with."
    )
    notices: list[str] = Field(description="Anything clamped, filled or assumed, and why an answer is empty.")
    request_id: str = Field(description="Id of this request, as in the header X-Request-ID and in the log.")


class PageOut(Out):
    """Where to go on."""

    next_cursor: str | None = Field(description="Cursor of the next page; null on the last.")
    next_url: str | None = Field(description="Address of the next page; null on the last.")


RowT = TypeVar("RowT")


class Envelope(Out, Generic[RowT]):
    """Rows, what has to be known to read them, and where to go on."""

    data: list[RowT] = Field(description="The rows.")
    meta: MetaOut
    page: PageOut


class ColumnsEnvelope(Out, Generic[RowT]):
    """The same with `format=columns`: one array a field, all of one length."""

    data: RowT = Field(description="The fields, each with the values of all rows.")
    meta: MetaOut
    page: PageOut


def _array_of(field: FieldInfo) -> Any:
    item: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return list[item]


@cache
def columns_model(row: type[Row]) -> type[BaseModel]:
    """The rows of a model as one array a field."""
    fields: dict[str, Any] = {
        name: (_array_of(field), Field(description=field.description, alias=field.alias))
        for name, field in row.model_fields.items()
    }
    base = _OpenColumns if issubclass(row, OpenRow) else Out
    return create_model(f"{row.__name__}Columns", __base__=base, __doc__=row.__doc__, **fields)


def _envelopes(rows: Sequence[type[Row]]) -> Any:
    """The JSON answers of a route of such rows, as a type."""
    parts: list[Any] = [part for row in rows for part in (Envelope[row], ColumnsEnvelope[columns_model(row)])]
    return Union[tuple(parts)]  # noqa: UP007 - of a list


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers of a route that are problems; any status not named may come as one too."""
    content: dict[str, Any] = {PROBLEM_MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    named: dict[int | str, dict[str, Any]] = {status: {"content": content} for status in statuses}
    return {**named, "default": {"description": "Any other problem", "content": content}}


def answers(*rows: type[Row], also: Sequence[int] = (404,)) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that renders such rows; `also`: its problems beside 400, 401 and 406."""
    streams = {media: {"schema": _stream_schema(form)} for form, media in MEDIA.items() if media != MEDIA["json"]}
    return {
        200: {"description": rows[0].__doc__, "model": _envelopes(rows), "content": streams},
        304: {"description": "Unchanged: `If-None-Match` names what would be answered."},
        **problems(400, 401, 406, *also),
    }


def _stream_schema(form: Form) -> dict[str, str]:
    binary = {"format": "binary"} if form in ("parquet", "arrow") else {}
    return {"type": "string", "description": f"Bare rows as {form}.", **binary}


class WrongOut(Out):
    """One thing that is wrong with a request."""

    parameter: str = Field(description="The parameter, or the field of the body.")
    value: str | None = Field(description="What was sent; null where nothing was.")
    reason: str = Field(description="What is wrong with it.")


class Problem(Out):
    """An error, as RFC 9457 has it. `code` is stable; `detail` is for people and may change."""

    type: str = Field(description="urn:perpstore:problem: and the code.")
    title: str = Field(description="The phrase of the status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, and what to do.")
    instance: str = Field(description="The path asked for.")
    code: str = Field(description="Stable name of the kind of error.")
    request_id: str | None = Field(description="Id of this request, as in the log.")
    errors: list[WrongOut] = Field(description="Each thing that is wrong with the request.")
    candidates: list[str] = Field(description="Names that may be meant: the nearest ones, or all of one symbol.")


def units(row: Rows, **other: str) -> dict[str, str]:
    """Unit of each field that has one; `other` for those that depend on the question."""
    return {c.name: c.unit for c in columns(row) if c.unit} | other


def all_rows(parent: type[Row] = Row) -> list[type[Row]]:
    """Every kind of row there is."""
    return [kind for child in parent.__subclasses__() for kind in (child, *all_rows(child))]


def fields(row: type[Row]) -> list[dict[str, Any]]:
    """The fields of a row as `/datasets` tells of them."""
    return [
        {
            "field": column.name,
            "kind": column.kind,
            "unit": column.unit,
            "nullable": NoneType in (field.annotation, *get_args(field.annotation)),
            "description": field.description,
        }
        for column, field in zip(columns(row), row.model_fields.values(), strict=True)
    ]
