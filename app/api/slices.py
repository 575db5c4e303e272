"""What questions about minutes share: which perpspecs and fields, which columns, and what has to be told."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, cast

from fastapi import Query

from app.api.deps import Names, Slugs, nearest
from app.api.errors import BadRequest, Wrong, bad_value
from app.api.schemas import Chosen, Column, OpenRow, columns
from app.db import Database
from app.services import perpspecs
from app.services.liquidations import lower_bound
from app.services.minute_fields import LIQUIDATED, MINUTES, field
from app.services.perpspecs import Perpspec
from app.services.slices_text import Condition, Operator, Value

PerpspecsParam = Annotated[Slugs, Query(description="Perpspecs, as `/perpspecs` names them; comma list or repeated.")]
FieldsParam = Annotated[
    Names, Query(description="Only these columns, fields or changes such as `c_chg_5m`; comma list or repeated.")
]
CONDITION = re.compile(r"\s*(\w+)\s*(>=|<=|!=|>|<|=)\s*([^\s<>=!]+)\s*", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
SIDES = ("long", "short")


async def registered(db: Database, words: Sequence[str] | None) -> tuple[Perpspec, ...]:
    """The perpspecs of these names, or all. Refuses names nobody registered, naming the nearest."""
    there = {one.name: one for one in await perpspecs.listed(db)}
    wrong = [word for word in words or () if word not in there]
    if wrong:
        close = [name for word in wrong for name in nearest(word, list(there), 1)]
        errors = [Wrong("perpspecs", word, "no such perpspec") for word in wrong]
        hint = f". Did you mean {', '.join(close)}?" if close else ". /perpspecs lists them"
        detail = f"No perpspec {', '.join(wrong)}{hint}"
        raise BadRequest(detail, code="unknown_perpspec", errors=errors, candidates=close)
    return tuple(there[word] for word in words) if words else tuple(there.values())


def values_of(asked: Iterable[Perpspec], *, changes: bool) -> Mapping[str, Value]:
    """The columns that perpspecs have together, by name: each field, followed by its changes."""
    fields = {name: field(name) for one in asked for name in one.fields}
    found = (
        Value(each, ago) for each in fields.values() for ago in (None, *(MINUTES if changes and each.changes else ()))
    )
    return {value.name: value for value in found}


def narrowed(there: Mapping[str, Value], words: Sequence[str] | None) -> tuple[Value, ...]:
    """The columns of these names, or all."""
    return tuple(_value("fields", word.lower(), word, there) for word in words) if words else tuple(there.values())


def conditions(there: Mapping[str, Value], words: Sequence[str] | None) -> tuple[Condition, ...]:
    """What has to hold: `c_chg_5m>3`, `lqside=long`."""
    return tuple(_condition(there, word) for word in words or ())


def _value(parameter: str, name: str, word: str, there: Mapping[str, Value]) -> Value:
    if name not in there:
        close = nearest(name, list(there), 3, 0.6)
        shown = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(there)}"
        reason = f"these perpspecs have no field {name}; {shown}"
        errors = [Wrong(parameter, word, reason)]
        raise BadRequest(f"{parameter}: {reason}", code="unknown_field", errors=errors, candidates=close)
    return there[name]


def _condition(there: Mapping[str, Value], word: str) -> Condition:
    found = CONDITION.fullmatch(word)
    if found is None:
        reason = f"a field, one of > >= < <= = != and a value expected, such as c_chg_5m>3; not {word!r}"
        raise bad_value("where", word, reason, code="bad_where")
    name, operator, told = found.groups()
    value = _value("where", name.lower(), word, there)
    return Condition(value, _operator(value, operator, word), _bound(value, told, word))


def _operator(value: Value, told: str, word: str) -> Operator:
    if value.field.kind == "text" and told not in ("=", "!="):
        raise bad_value("where", word, f"{value.name} is long or short: = or != expected", code="bad_where")
    return cast("Operator", told)  # `CONDITION` lets no other through


def _bound(value: Value, told: str, word: str) -> float | str:
    if value.field.kind == "text":
        if told.lower() not in SIDES:
            raise bad_value("where", word, f"{value.name} is long or short, not {told}", code="bad_where")
        return told.lower()
    if not NUMBER.fullmatch(told) or float(told) in (float("inf"), float("-inf")):
        raise bad_value("where", word, f"{value.name} is a number, {told} is none", code="bad_where")
    return float(told)


@lru_cache(maxsize=256)
def chosen(row: type[OpenRow], named: tuple[tuple[str, Value], ...], *, aged: bool = False) -> Chosen:
    """The columns of a kind of rows with these values under these names, and of those with an age that too."""
    age = (Column("age_s", "number", "seconds"),) if aged else ()
    values = (Column(name, value.field.kind, value.unit) for name, value in named)
    return Chosen((*columns(row), *age, *values), row.keys)


def by_name(values: Iterable[Value]) -> tuple[tuple[str, Value], ...]:
    """Values under their own names."""
    return tuple((value.name, value) for value in values)


def notices(asked: Iterable[Perpspec]) -> tuple[str, ...]:
    """What has to be told of these perpspecs."""
    return lower_bound({one.name: one.exchange for one in asked if LIQUIDATED.intersection(one.fields)})
