"""Reading minutes by perpspec: as they are stored, with changes, side by side, and of all assets at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.db import Database
from app.services import slices_text
from app.services.minute_fields import STRENGTHS
from app.services.minute_fields import field as field_of
from app.services.perps import Margin
from app.services.perpspecs import Perpspec
from app.services.queries import Query, sql
from app.services.slices_text import Condition, Slice, Value

FEW = 50
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SELDOM = timedelta(minutes=15)
"""How often, for a first try, conditions hold: a page of a thousand rows then reads ten days at once."""
START, END = 6, 7
"""The places of the arguments that bound the time."""
AGE = """
select r.*, extract(epoch from {}::timestamptz - r.time - interval '1 minute')::float8 as age_s from ({}) r"""


@dataclass(frozen=True, slots=True)
class Members:
    """Series of the contracts a question is about, in lists of one length; `place` 1 is the preferred one of each.

    `contract`: where in the lists, from 1, the preferred series of the contract is.
    """

    series_id: list[int] = field(default_factory=list[int])
    contract: list[int] = field(default_factory=list[int])
    place: list[int] = field(default_factory=list[int])
    asset: list[str] = field(default_factory=list[str])
    exchange: list[str] = field(default_factory=list[str])
    instrument: list[str] = field(default_factory=list[str])

    @property
    def few(self) -> bool:
        """Whether it is cheaper to read each series by itself."""
        return len(self.series_id) <= FEW

    @property
    def arguments(self) -> tuple[object, ...]:
        """As statements take them."""
        return self.series_id, self.contract, self.place, self.asset, self.exchange, self.instrument


@dataclass(frozen=True, slots=True)
class Whose:
    """Which contracts are asked about: of these assets (None: of all), and fewer. None does not narrow."""

    entity_ids: tuple[int, ...] | None = None
    exchanges: tuple[str, ...] | None = None
    margin: Margin | None = None
    source: str | None = None
    instrument: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of minutes: slices of which contracts, the columns shown, and what has to hold of a row."""

    perpspecs: tuple[Perpspec, ...]
    members: Members
    values: tuple[Value, ...]
    conditions: tuple[Condition, ...] = ()
    known_at: datetime | None = None

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The perpspecs that have what is asked; one that lacks the field of a condition has no rows."""
        shown = {value.field.name for value in self.values}
        needed = {condition.value.field.name for condition in self.conditions}
        alike: dict[tuple[str, ...], list[Perpspec]] = {}
        for one in self.perpspecs:
            if not shown.isdisjoint(one.fields) and needed.issubset(one.fields):
                alike.setdefault(tuple(one.fields), []).append(one)
        return sliced((found, [one.exchange for one in found]) for found in alike.values())


def sliced(parts: Iterable[tuple[Sequence[Perpspec], Sequence[str | None]]]) -> tuple[Slice, ...]:
    """Slices of perpspecs that have the same fields, each read of its exchange (None: of all)."""
    found: list[Slice] = []
    first = 1
    for perpspecs, exchanges in parts:
        fields = tuple(map(field_of, perpspecs[0].fields))
        found.append(Slice(tuple(perpspecs), fields, tuple(exchanges), first))
        first += len(perpspecs)
    return tuple(found)


async def contracts(db: Database, perpspecs: Sequence[Perpspec], whose: Whose) -> Members:
    """The contract that is meant on each exchange the perpspecs are of, with the series that tell of it."""
    named = sorted({one.exchange for one in perpspecs if one.exchange})
    everywhere = any(one.exchange is None for one in perpspecs)
    narrow = (whose.margin, whose.instrument, whose.source, everywhere, whose.exchanges)
    found = await db.reads.fetch(sql("slices", "contracts"), whose.entity_ids, named, *narrow)
    told = {name: [row[name] for row in found] for name in Members.__dataclass_fields__ if name != "contract"}
    first = (number - row["place"] + 1 for number, row in enumerate(found, 1))
    return Members(**told, contract=list(first))


async def newest(db: Database) -> datetime | None:
    """The last minute of which anything is stored."""
    return await db.reads.fetchval(sql("slices", "newest"))


async def symbols(db: Database, entity_id: int) -> list[str]:
    """The native symbols of an asset's perpetuals."""
    return [row["symbol"] for row in await db.reads.fetch(sql("slices", "symbols"), entity_id)]


async def lacks_changes(db: Database, query: Query, perpspecs: Sequence[Perpspec], known_at: datetime | None) -> bool:
    """Whether only RSI is asked, and there are candles in the window of a statement: too few of them for any."""
    if not all(STRENGTHS.issuperset(one.fields) for one in perpspecs):
        return False
    series, first, last = (query.arguments[place] for place in (0, START, END))
    text = """select exists (select from perp_1m_known($4) k
      where k.series_id = any($1::int[]) and k.ts >= $2 and k.ts < $3 and k.close is not null)"""
    return await db.reads.fetchval(text, series, first, last, known_at)


def closed_by(moment: datetime) -> datetime:
    """The minute that closed last at or before an instant."""
    return EPOCH + (moment - EPOCH) // MINUTE * MINUTE - MINUTE


def during(question: Question, start: datetime, end: datetime) -> Query:
    """Rows of minutes that open in `[start, end)`."""
    text, arguments = _stacked(question, start, end)
    step, rows = (SELDOM, 1) if question.conditions else (MINUTE, len(question.perpspecs))
    return Query(text, arguments, start=START, end=END, step=step, rows=rows)


def at(question: Question, minute: datetime) -> Query:
    """Rows of one minute."""
    return Query(*_stacked(question, minute, minute + MINUTE))


def across(question: Question, minute: datetime) -> Query:
    """The same where there are many contracts: nothing is read but the minutes that are compared."""
    return Query(*_stacked(question, minute, minute + MINUTE, instant=True))


def last(question: Question, moment: datetime) -> Query:
    """The newest row of each perpspec and contract that closed by an instant, at most a day before, with its age."""
    minute = closed_by(moment)
    text, arguments = _stacked(question, minute + MINUTE - DAY, minute + MINUTE, newest=True)
    return Query(AGE.format(f"${len(arguments) + 1}", text), (*arguments, moment))


def side_by_side(question: Question, start: datetime, end: datetime) -> tuple[Query, tuple[tuple[str, Value], ...]]:
    """One row a minute that opens in `[start, end)`, and its columns by name: `bin-ohlcv.c`, `rsi.okx.rsi1`."""
    there = sorted(set(question.members.exchange))
    sides = [side for one in question.perpspecs for side in _sides(one, there)]
    slices = sliced(([one], [exchange]) for one, exchange, _ in sides)
    named = [
        (each, [".".join((*prefix, field.name)) for field in each.fields])
        for each, (_, _, prefix) in zip(slices, sides, strict=True)
    ]
    arguments = [*question.members.arguments, start, end, [exchange for _, exchange, _ in sides]]
    known = _known(question, arguments)
    head = slices_text.head(slices, question.values, few=question.members.few, known=known)
    text = f"{head}\n{slices_text.joined(named)}"
    columns = tuple((name, Value(each)) for side, names in named for name, each in zip(names, side.fields, strict=True))
    return Query(text, tuple(arguments), start=START, end=END, step=MINUTE), columns


def _sides(one: Perpspec, there: Sequence[str]) -> list[tuple[Perpspec, str | None, tuple[str, ...]]]:
    """A perpspec of one exchange as it is; one of all exchanges once for each there is."""
    if one.exchange or not there:
        return [(one, one.exchange, (one.name,))]
    return [(one, exchange, (one.name, exchange)) for exchange in there]


def _known(question: Question, arguments: list[object]) -> int | None:
    """The number of the argument that says when a row has to be known, added here."""
    if question.known_at is None:
        return None
    arguments.append(question.known_at)
    return len(arguments)


def _stacked(
    question: Question, start: datetime, end: datetime, *, instant: bool = False, newest: bool = False
) -> tuple[str, tuple[object, ...]]:
    """All slices, one after the other."""
    slices, conditions = question.slices, question.conditions
    exchanges = [exchange for one in slices for exchange in one.exchanges]
    arguments = [*question.members.arguments, start, end, exchanges]
    known = _known(question, arguments)
    arguments.append([each.name for one in slices for each in one.perpspecs])
    names = len(arguments)
    bounds = dict(enumerate(conditions, names + 1))
    read = (*question.values, *(condition.value for condition in conditions))
    parts = [slices_text.rows(one, question.values, bounds, names=names, newest=newest) for one in slices]
    head = slices_text.head(slices, read, few=question.members.few, known=known, instant=instant)
    return head + "\nunion all".join(parts), (*arguments, *(condition.bound for condition in conditions))
