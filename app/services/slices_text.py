"""Statements over minutes, made for the perpspecs, fields and conditions of a question: only what is asked is computed.

The text is made of registered names alone; what callers sent are arguments, always. Arguments 1 to 6 are the members
(a list each of series, contract, place, asset, exchange, instrument), 7 and 8 bound the time, 9 are the exchanges of
the perpspecs (null: all). Numbers of others are told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Literal

from app.services.minute_fields import STRENGTHS, Field
from app.services.perpspecs import Perpspec

Operator = Literal[">", ">=", "<", "<=", "=", "!="]

MINUTES = Template("""with member as materialized (
  select * from unnest($$1::int[], $$2::int[], $$3::int[], $$4::text[], $$5::text[], $$6::text[])
    as m(series_id, contract, place, asset, exchange, instrument)
), minute as (
  select m.contract, m.place, m.exchange, k.ts$columns
  from member m $minutes$strengths
)""")
DURING = Template("k.ts >= $first and k.ts < $$8::timestamptz")
AT = Template("k.ts = any(array[$times])")
"""No range beside it: the planner would take the two for independent, expect nobody, and join in nested loops."""
ONE_BY_ONE = Template("""cross join lateral (
    select * from perp_1m_known($known) k where k.series_id = m.series_id and $during offset 0
  ) k""")
"""Series by series, along the key: minutes of few series lie apart, and a scan of whole days would be chosen."""
TOGETHER = Template("join perp_1m_known($known) k on k.series_id = m.series_id and $during")
STRENGTH = Template("""
  left join (
    select x.series_id, s.* from member x
    cross join lateral rsi_minutes(x.series_id, $first, $$8::timestamptz, $known) s
  ) r on r.series_id = k.series_id and r.ts = k.ts""")
STRENGTH_THEN = Template("""
  left join (
    select s.series_id, at.ts, s.rsi1, s.rsi60 from unnest(array[$times]) as at(ts)
    cross join lateral rsi_at(array(select series_id from member), at.ts, $known) s
  ) r on r.series_id = k.series_id and r.ts = k.ts""")
ONE_EACH = Template("""
    select distinct on (contract$minute) contract, ts, $values
    from minute
    where num_nonnulls($all) > 0$whose
    order by contract, ts$newest, place""")
SLICE = Template("""
select v.ts as time, p.name as perpspec, ($$4::text[])[v.contract] as asset, ($$5::text[])[v.contract] as exchange,
  ($$6::text[])[v.contract] as instrument, $shown
from (
  select contract, ts, $computed from ($one_each
  ) one$windows
) v join unnest(($$$names::text[])[$numbers], ($$9::text[])[$numbers]) as p(name, exchange)
  on ($$5::text[])[v.contract] = coalesce(p.exchange, ($$5::text[])[v.contract])
where v.ts >= $$7::timestamptz and v.ts < $$8::timestamptz$conditions""")
WINDOW = (
    "w{0} as (partition by contract order by ts "
    "range between interval '{0} minutes' preceding and interval '{0} minutes' preceding)"
)


@dataclass(frozen=True, slots=True)
class Value:
    """One column: a field as it is, or its change against the value exactly `ago` minutes before."""

    field: Field
    ago: int | None = None

    @property
    def name(self) -> str:
        """What the column is called."""
        return self.field.name if self.ago is None else f"{self.field.name}_chg_{self.ago}m"

    @property
    def unit(self) -> str | None:
        """What it is counted in."""
        return self.field.unit if self.ago is None else "percent" if self.field.kind == "number" else None

    @property
    def type(self) -> str:
        """Its type in SQL."""
        return "float8" if self.field.kind == "number" else "text"

    @property
    def expression(self) -> str:
        """The value out of the fields of one minute and, for a change, of those in a window of that one before."""
        now, before = f'"{self.field.name}"', f'first_value("{self.field.name}") over w{self.ago}'
        if self.ago is None:
            return now
        if self.field.kind == "number":
            return f'100 * ({now} / nullif({before}, 0) - 1) as "{self.name}"'
        return f'case when {now} <> {before} then {now} end as "{self.name}"'


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold of a value. It does not hold of one that is null."""

    value: Value
    operator: Operator
    bound: float | str


@dataclass(frozen=True, slots=True)
class Slice:
    """Perpspecs that have the same fields, and the exchange each is read of (None: of all); `first` counts them from 1.

    Several exchanges are read at once: a statement with a part for each perpspec takes longer to plan than to run.
    """

    perpspecs: tuple[Perpspec, ...]
    fields: tuple[Field, ...]
    exchanges: tuple[str | None, ...]
    first: int

    @property
    def numbers(self) -> str:
        """The places of its perpspecs in lists of those of all slices."""
        return f"{self.first}:{self.first + len(self.perpspecs) - 1}"


def head(
    slices: Sequence[Slice], values: Iterable[Value], *, few: bool, known: int | None, instant: bool = False
) -> str:
    """The common tables `member` and `minute`: what is stored of the members, as far back as `values` look.

    `few`: there are so few that each is read by itself. `instant`: of one minute, and those it is compared with.
    """
    back = sorted({value.ago or 0 for value in values})
    fields = [field for one in slices for field in one.fields]
    strong = any(field.name in STRENGTHS for field in fields)
    columns = sorted({column for field in fields for column in field.columns})
    first = f"$7::timestamptz - interval '{back[-1]} minutes'" if back else "$7::timestamptz"
    times = ", ".join(f"$7::timestamptz - interval '{n} minutes'" for n in back)
    told = f"${known}::timestamptz" if known else "null"
    during = AT.substitute(times=times) if instant else DURING.substitute(first=first)
    strengths = STRENGTH_THEN if instant else STRENGTH
    return MINUTES.substitute(
        columns="".join(f', {"r" if column in STRENGTHS else "k"}."{column}"' for column in columns),
        minutes=(ONE_BY_ONE if few else TOGETHER).substitute(known=told, during=during),
        strengths=strengths.substitute(first=first, times=times, known=told) if strong else "",
    )


def one_each(one: Slice, fields: Iterable[Field], *, newest: bool = False) -> str:
    """One row a contract and minute with data (or the newest), of the preferred source that has any: `fields` of it."""
    return ONE_EACH.substitute(
        minute="" if newest else ", ts",
        newest=" desc" if newest else "",
        values=", ".join(f'{field.value} as "{field.name}"' for field in fields),
        all=", ".join(field.value for field in one.fields),
        whose="" if None in one.exchanges else f" and exchange = any(($9::text[])[{one.numbers}])",
    )


def rows(
    one: Slice,
    shown: Sequence[Value],
    conditions: Mapping[int, Condition],
    *,
    names: int,
    newest: bool = False,
) -> str:
    """A row a perpspec, contract and minute of one slice, with null in the columns that are not its own.

    `conditions`: by the numbers of the arguments that are their bounds. `names`: that of the perpspecs' names.
    """
    own = {field.name for field in one.fields}
    values = {
        value.name: value for value in (*shown, *(c.value for c in conditions.values())) if value.field.name in own
    }
    fields = {value.field.name: value.field for value in values.values()}
    windows = sorted({value.ago for value in values.values() if value.ago is not None})
    return SLICE.substitute(
        numbers=one.numbers,
        names=names,
        shown=", ".join(_shown(value, value.name in values) for value in shown),
        computed=", ".join(value.expression for value in values.values()),
        one_each=one_each(one, fields.values(), newest=newest),
        windows="\n  window " + ", ".join(map(WINDOW.format, windows)) if windows else "",
        conditions="".join(_condition(n, condition) for n, condition in conditions.items()),
    )


def _shown(value: Value, own: bool) -> str:
    return f'v."{value.name}"' if own else f'null::{value.type} as "{value.name}"'


def _condition(number: int, condition: Condition) -> str:
    return f' and v."{condition.value.name}" {condition.operator} ${number}::{condition.value.type}'


def joined(slices: Sequence[tuple[Slice, Sequence[str]]]) -> str:
    """One row a minute: each slice's fields under these names, side by side."""
    tables = [_side(number, one, names) for number, (one, names) in enumerate(slices, 1)]
    shown = ", ".join(f'"{name}"' for _, names in slices for name in names)
    return f"select time, {shown} from {' full join '.join(t + (' using (time)' if n else '') for n, t in tables)}"


def _side(number: int, one: Slice, names: Sequence[str]) -> tuple[int, str]:
    named = ", ".join(f'"{f.name}" as "{name}"' for f, name in zip(one.fields, names, strict=True))
    each = one_each(one, one.fields)
    return number - 1, f"(select ts as time, {named} from ({each}) one where ts >= $7::timestamptz) s{number}"
