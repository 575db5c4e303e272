"""Reading what upstreams send: wire models, the kinds of values in them, and rows that become records one by one.

Sources take these words from `app.ingest.spec`.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.records import BadRecord, PerpMinute, Record

Json = Any
_W = TypeVar("_W", bound="Wire")
_A = TypeVar("_A")
_T = TypeVar("_T")


class Wire(BaseModel):
    """The few fields we read of an upstream's JSON, in its own spelling; what we do not read may change freely."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ArrayRow(Wire):
    """A row sent as an array: its fields are the first columns, in the order they are declared."""

    @model_validator(mode="before")
    @classmethod
    def _by_position(cls, value: Json) -> Json:
        if not isinstance(value, list):
            raise ValueError("an array expected")
        return dict(zip(cls.model_fields, cast("list[Json]", value), strict=False))


def _from_ms(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("epoch milliseconds expected")
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value} is no time") from error


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        raise ValueError("a number, or a string holding one, expected")
    return value


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


def _never_is_none(value: object) -> object:
    return None if not isinstance(value, bool) and value in ("", "0", 0) else value


Ms = Annotated[datetime, BeforeValidator(_from_ms)]
"""Epoch milliseconds, as an integer or as digits → an aware datetime."""
Num = Annotated[float, BeforeValidator(_number)]
"""A number, bare or quoted; an empty string is not one."""
MaybeNum = Annotated[Num | None, BeforeValidator(_blank_is_none)]
"""A number, or None where the upstream sends null or an empty string."""
MaybeMs = Annotated[Ms | None, BeforeValidator(_never_is_none)]
"""Epoch milliseconds, or None where the upstream sends null, an empty string or 0."""
SomeRows = Annotated[list[Json], Field(min_length=1)]
"""Rows of an answer that always has some: there an empty list is not an answer."""


class Table(Wire):
    """CSV text whose header has all names in `needs`, wherever they stand. Its rows are objects of text by name.

    No text at all is a table without header and rows. A line with other than as many cells as the header stays a list,
    which no wire model takes for a row.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    header: tuple[str, ...]
    rows: list[Json]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Json) -> Json:
        if not isinstance(value, str):
            raise ValueError("text expected")
        try:
            header, *lines = [line for line in csv.reader(value.splitlines()) if line] or [[]]
        except csv.Error as error:
            raise ValueError(f"no CSV: {error}") from error
        if header and (not cls.needs <= set(header) or len(set(header)) < len(header)):
            raise ValueError(f"{','.join(sorted(cls.needs))} expected in the header, each once")
        rows = (dict(zip(header, line, strict=True)) if len(line) == len(header) else line for line in lines)
        return {"header": header, "rows": list(rows)}


class Bar(ArrayRow):
    """The columns that candles sent as arrays begin with everywhere; what `volume` counts differs."""

    opens: Ms
    open: Num
    high: Num
    low: Num
    close: Num
    volume: Num

    @property
    def prices(self) -> tuple[float, float, float, float]:
        """Open, high, low and close."""
        return self.open, self.high, self.low, self.close


DOLLARS = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDE", "USD1"})


def in_usd(amount: float | None, quote: str) -> float | None:
    """An amount of the quote currency as USD: stablecoins count as dollars, of other currencies nothing is said."""
    return amount if quote in DOLLARS else None


@dataclass(frozen=True, slots=True)
class Bad:
    """A row of an answer that could not become a record: whose it was, the stable code and the reason."""

    symbol: str | None
    code: str
    reason: str


Rows = Iterable[Record | Bad | None]
"""What an answer holds, one item a row: see `Feed`."""


def tried(make: Callable[[_A], _T], of: _A, symbol: str | None) -> _T | Bad:
    """What `make` makes of something, or a `Bad` with this symbol where it can be nothing that is true."""
    try:
        return make(of)
    except BadRecord as bad:
        return Bad(symbol, bad.code, bad.reason)
    except (ValueError, ArithmeticError) as error:  # a price of nothing is divided by, or a number has no end
        return Bad(symbol, "unreadable", str(error))


def read_rows(
    model: type[_W], items: Iterable[Json], make: Callable[[_W], _T], symbol: str = "symbol"
) -> Iterator[_T | Bad]:
    """What `make` makes of the raw `items`, each read by itself: one bad row never costs the batch.

    `make` turns a wire row into a record, or None where the row is not ours to keep (a dated contract, a test symbol).
    A row that cannot be read becomes a `Bad` naming the value of its field `symbol`.
    """

    def one(item: Json) -> _T:
        return make(model.model_validate(item))

    for item in items:
        yield tried(one, item, _name(item, symbol))


def _name(item: Json, field_name: str) -> str | None:
    value = cast("dict[str, Json]", item).get(field_name) if isinstance(item, dict) else None
    return value if isinstance(value, str) else None


def from_percent(value: float) -> float:
    """Percent as a fraction, by its digits: 0.0012 → 0.000012, which dividing would miss by a hair."""
    return float(Decimal(repr(value)) / 100)


def marked(symbol: str, time: datetime, mark: float, index: float | None = None) -> PerpMinute:
    """Mark and (None: not told) index price as samples of the minute they were told in. Raises BadRecord."""
    prices = {"mark_price": mark, "index_price": index}
    minute = time.replace(second=0, microsecond=0)
    return PerpMinute(symbol, minute, {name: price for name, price in prices.items() if price is not None})


def paid_by(payer: str, rate: float) -> float:
    """An unsigned rate with its direction as a signed one: positive where longs pay. Raises ValueError."""
    if payer not in ("long", "short"):
        raise ValueError(f"{payer!r} is neither long nor short")
    return abs(rate) if payer == "long" else 0.0 - abs(rate)  # a zero has no sign
