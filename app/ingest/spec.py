"""The words a source file may use: facts and pure functions, no I/O, no clock.

A `Source` is a frozen value. Each of its `Feed`s says how one dataset is asked for (`request`), what the
answer looks like (`answer`, a wire model) and which records it holds (`rows`). The engine does the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.records import BadRecord, Instrument, Record

Dataset = Literal["instruments", "funding", "predicted_funding", "open_interest", "candles_1m", "candles_1h"]
Json = Any
_W = TypeVar("_W", bound="Wire")


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


class Trouble(StrEnum):
    """What to do next when an upstream does not answer the question."""

    UNAVAILABLE = "unavailable"  # try again with back-off
    THROTTLED = "throttled"  # wait as told, then try again
    MALFORMED = "malformed"  # keep the body, do not retry
    REFUSED = "refused"  # key, region or parameter: stop asking


@dataclass(frozen=True, slots=True)
class Problem:
    """What an answer says instead of data: the upstream's own code and words, and what to do about it."""

    trouble: Trouble
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Window:
    """What to ask for: `[start, end)`, of one instrument or (None) of all markets, from `cursor` on.

    `instruments` are all contracts of the source known so far, by symbol, for feeds that answer for many at once.
    """

    start: datetime
    end: datetime
    instrument: Instrument | None = None
    instruments: Mapping[str, Instrument] = field(default_factory=dict[str, Instrument])
    cursor: str | None = None

    @property
    def one(self) -> Instrument:
        """The one instrument asked for."""
        if self.instrument is None:
            raise ValueError("this window is for all markets")
        return self.instrument

    @property
    def symbol(self) -> str:
        """The native symbol of the one instrument asked for."""
        return self.one.symbol

    @property
    def start_ms(self) -> int:
        """First instant asked for, epoch milliseconds."""
        return round(self.start.timestamp() * 1000)

    @property
    def last_ms(self) -> int:
        """Last millisecond inside the window, for upstreams whose end is inclusive."""
        return round(self.end.timestamp() * 1000) - 1

    def holds(self, time: datetime) -> bool:
        """Whether `time` is inside, for upstreams whose answers reach past what was asked for."""
        return self.start <= time < self.end


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: path under the source's base URL, query, JSON body and what it costs of which budget."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: tuple[tuple[str, str], ...] = ()
    body: Json = None
    costs: tuple[tuple[str, float], ...] = ()


def get(path: str, *, costs: Mapping[str, float], **params: object) -> Request:
    """A GET of `path`; parameters that are None are left out."""
    query = tuple((name, str(value)) for name, value in params.items() if value is not None)
    return Request(path, params=query, costs=tuple(costs.items()))


def post(path: str, body: Json, *, costs: Mapping[str, float]) -> Request:
    """A POST of a JSON body to `path`."""
    return Request(path, method="POST", body=body, costs=tuple(costs.items()))


def always(request: Request) -> Callable[[Window], Request]:
    """The same request whatever the window, for upstreams that tell only how things stand now."""

    def same(window: Window) -> Request:
        return request

    return same


@dataclass(frozen=True, slots=True)
class Budget:
    """`limit` units in every `period`.

    `used_header` tells what the upstream has counted, `clock_aligned` that its period begins with the clock's.
    """

    limit: float
    period: timedelta
    used_header: str | None = None
    clock_aligned: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """How one dataset is asked for and read.

    `scope`: one request answers for all markets, or for one instrument. `rows` yields one item a row of the answer: a
    record, a `Bad` where it can be none, or None where it is not ours to keep; so their number tells a full page.
    `step` is the usual spacing of rows, `limit` how many one answer holds at most (None: all). `history`: a window in
    the past can be asked for; `keeps` says how far back (None: since listing). `every` is how often the schedule asks,
    `ready_after` how long after a full period the upstream is ready. `next_cursor` gives the token of the next page
    where the upstream pages by token.
    """

    dataset: Dataset
    scope: Literal["market", "instrument"]
    request: Callable[[Window], Request]
    answer: Any
    rows: Callable[[Any, Window], "Rows"]
    every: timedelta
    docs: str
    step: timedelta | None = None
    limit: int | None = None
    history: bool = False
    keeps: timedelta | None = None
    ready_after: timedelta = timedelta(seconds=20)
    next_cursor: Callable[[Any], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A row of an answer that could not become a record: whose it was, the stable code and the reason."""

    symbol: str | None
    code: str
    reason: str


Rows = Iterable[Record | Bad | None]
"""What an answer holds, one item a row: see `Feed`."""


def read_rows(
    model: type[_W], items: Iterable[Json], make: Callable[[_W], Record | None], symbol: str = "symbol"
) -> Iterator[Record | Bad | None]:
    """Records of the raw `items`, each read by itself: one bad row never costs the batch.

    `make` turns a wire row into a record, or None where the row is not ours to keep (a dated contract, a test symbol).
    A row that cannot be read becomes a `Bad` naming the value of its field `symbol`.
    """
    for item in items:
        try:
            yield make(model.model_validate(item))
        except BadRecord as bad:
            yield Bad(_name(item, symbol), bad.code, bad.reason)
        except ValueError as error:
            yield Bad(_name(item, symbol), "unreadable", str(error))


def _itself(answer: Json) -> Iterable[Json]:
    return answer


def each(
    model: type[_W],
    make: Callable[[_W], Record | None],
    items: Callable[[Any], Iterable[Json]] = _itself,
    symbol: str = "symbol",
) -> Callable[[Any, Window], Rows]:
    """`read_rows` for a feed whose records need no more than their own row; `items` finds the rows in the answer."""

    def rows(answer: Json, window: Window) -> Rows:
        return read_rows(model, items(answer), make, symbol)

    return rows


def _name(item: Json, field_name: str) -> str | None:
    value = cast("dict[str, Json]", item).get(field_name) if isinstance(item, dict) else None
    return value if isinstance(value, str) else None


def _no_problem(status: int, body: Json) -> Problem | None:
    return None


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream: facts, budgets and feeds. `problem` recognises errors the upstream sends as ordinary answers."""

    id: str
    name: str
    base_url: str
    budgets: Mapping[str, Budget]
    feeds: tuple[Feed, ...]
    docs: str
    terms: str
    key: str | None = None
    problem: Callable[[int, Json], Problem | None] = _no_problem

    def feed(self, dataset: str, scope: str | None = None) -> Feed | None:
        """The feed of a dataset (of that scope, if one is asked for), or None."""
        return next((f for f in self.feeds if f.dataset == dataset and scope in (None, f.scope)), None)
