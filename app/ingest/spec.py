"""The words a source file may use: facts and pure functions, no I/O, no clock.

A `Source` is a frozen value. Each of its `Feed`s says how one dataset is asked for (`request`), what the
answer looks like (`answer`, a wire model) and which records it holds (`rows`). The engine does the rest.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal, TypeVar

from app.ingest.asking import Budget as Budget
from app.ingest.asking import Request as Request
from app.ingest.asking import at as at
from app.ingest.asking import get as get
from app.ingest.asking import post as post
from app.ingest.cover import Limit as Limit
from app.ingest.cover import boxes as boxes
from app.ingest.numbered import NumberedTrades as NumberedTrades
from app.ingest.socket import Answer as Answer
from app.ingest.socket import Channel as Channel
from app.ingest.socket import Known as Known
from app.ingest.socket import Message as Message
from app.ingest.socket import Said as Said
from app.ingest.socket import Socket as Socket
from app.ingest.window import Aim as Aim
from app.ingest.window import Window as Window
from app.ingest.wire import DOLLARS as DOLLARS
from app.ingest.wire import ArrayRow as ArrayRow
from app.ingest.wire import Bad as Bad
from app.ingest.wire import Bar as Bar
from app.ingest.wire import Json as Json
from app.ingest.wire import MaybeMs as MaybeMs
from app.ingest.wire import MaybeNum as MaybeNum
from app.ingest.wire import Ms as Ms
from app.ingest.wire import Num as Num
from app.ingest.wire import Rows as Rows
from app.ingest.wire import SomeRows as SomeRows
from app.ingest.wire import Table as Table
from app.ingest.wire import Wire as Wire
from app.ingest.wire import from_percent as from_percent
from app.ingest.wire import in_usd as in_usd
from app.ingest.wire import marked as marked
from app.ingest.wire import paid_by as paid_by
from app.ingest.wire import read_rows as read_rows
from app.ingest.wire import tried as tried
from app.records import Instrument, Kind, Metric, Record

Dataset = Literal[
    "instruments",
    "funding",
    "predicted_funding",
    "open_interest",
    "candles_1m",
    "candles_1h",
    "perp_1h",
    "perp_snapshot",
    "fundamentals",
    "long_short",
    "taker_volume",
    "liquidations",
    "mark_price",
    "option_chain",
    "greeks",
    "index_price",
    "volatility_index",
    "delivery_prices",
    "depth",
]
_W = TypeVar("_W", bound="Wire")


class Trouble(StrEnum):
    """What to do next when an upstream does not answer the question."""

    UNAVAILABLE = "unavailable"  # try again with back-off
    THROTTLED = "throttled"  # wait as told, then try again
    MALFORMED = "malformed"  # keep the body, do not retry
    REFUSED = "refused"  # key, region or parameter: stop asking
    ABSENT = "absent"  # there is no such thing, and nothing is wrong


@dataclass(frozen=True, slots=True)
class Problem:
    """What an answer says instead of data: the upstream's own code and words, and what to do about it."""

    trouble: Trouble
    code: str
    message: str


def told(
    status: int, code: int | str, message: str, *, too_many: Collection[object], busy: Collection[object]
) -> Problem:
    """What an upstream's own code means: too many requests, out of order, or (any other) asked wrongly."""
    if code in too_many or status in (418, 429):
        return Problem(Trouble.THROTTLED, str(code), message)
    broken = code in busy or status >= 500
    return Problem(Trouble.UNAVAILABLE if broken else Trouble.REFUSED, str(code), message)


def always(request: Request) -> Callable[[Window], Request]:
    """The same request whatever the window, for upstreams that tell only how things stand now."""

    def same(window: Window) -> Request:
        return request

    return same


def _of_all(contract: Instrument) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Feed:
    """How one dataset is asked for and read.

    `scope`: one request answers for all markets, for one instrument, or for a batch: then `pieces` tells which
    requests cover an aim, the most wanted first; each piece is a window. `rows` yields one item a row of the answer: a
    record, a `Bad` where it can be none, or None where it is not ours to keep; so their number tells a full page.
    `step` is the usual spacing of rows, `limit` how many one answer holds at most (None: all). `history`: a window in
    the past can be asked for; `keeps` says how far back (None: since listing). `every` is how often the schedule asks,
    `ready_after` how long after a full period the upstream is ready. `next_cursor` gives the token of the next page
    where the upstream pages by token. `needs_key`: not to be asked without one. `kinds`: of which instruments it tells,
    `tells_of`: of which of those, where it is not of all.
    """

    dataset: Dataset
    scope: Literal["market", "instrument", "batch"]
    request: Callable[[Window], Request]
    answer: Any
    rows: Callable[[Any, Window], Rows]
    every: timedelta
    docs: str
    step: timedelta | None = None
    limit: int | None = None
    history: bool = False
    keeps: timedelta | None = None
    ready_after: timedelta = timedelta(seconds=20)
    next_cursor: Callable[[Any], str | None] | None = None
    pieces: Callable[[Aim], Iterable[Window]] | None = None
    needs_key: bool = False
    kinds: tuple[Kind, ...] = ("perp",)
    tells_of: Callable[[Instrument], bool] = _of_all

    def is_about(self, contract: Instrument) -> bool:
        """Whether it tells of an instrument."""
        return contract.kind in self.kinds and self.tells_of(contract)

    @property
    def facts(self) -> tuple[str, ...]:
        """What it is stored as; a mark price only stands beside the facts of a minute."""
        several = {"perp_snapshot": ("predicted_funding", "open_interest"), "mark_price": ()}
        return several.get(self.dataset, (self.dataset,))

    def cut(self, aim: Aim) -> list[Window]:
        """The requests that cover an aim, the most wanted first; none of a feed that is not asked in batches."""
        return list(self.pieces(aim)) if self.pieces else []


def _itself(answer: Json) -> Iterable[Json]:
    return answer


def each(
    model: type[_W],
    make: Callable[[_W, Window], Record | None],
    items: Callable[[Any], Iterable[Json]] = _itself,
    symbol: str = "symbol",
) -> Callable[[Any, Window], Rows]:
    """`rows` of a feed whose records need but their own row and the window; `items` finds the rows in the answer."""

    def rows(answer: Json, window: Window) -> Rows:
        for item in read_rows(model, items(answer), lambda row: make(row, window), symbol):
            if isinstance(item, Bad) and item.symbol is None and window.instrument is not None:
                item = replace(item, symbol=window.symbol)
            yield item

    return rows


def _no_problem(status: int, body: Json) -> Problem | None:
    return None


def _as_it_is(source: "Source", words: Mapping[str, str]) -> "Source":
    return source


def _unsigned(request: Request, key: str | None) -> Request:
    return request


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream: facts, budgets and feeds. `problem` recognises errors the upstream sends as ordinary answers.

    `key` names the setting of its key, without which it is not asked at all if `key_required`; `signed` is a request
    with the key in it, made as it is sent and shown to nobody. `answers` says what bodies hold: JSON, or text that
    goes to the wire model as it is. `metrics` are those it is known to tell. What an `on_request` source tells is left
    out of answers that do not ask for it by name. `sockets` tell the minute as it passes; `polls`
    tell what no socket does, and are asked for the contracts whose minutes are collected. `configured` is the source as
    its own settings have it: the words of `PERPSTORE_<SOURCE>_…` by the rest of their names, in lower case.
    `trades` fill what a socket left out.
    """

    id: str
    name: str
    base_url: str
    budgets: Mapping[str, Budget]
    feeds: tuple[Feed, ...]
    docs: str
    terms: str
    key: str | None = None
    key_required: bool = True
    signed: Callable[[Request, str | None], Request] = _unsigned
    answers: Literal["json", "text"] = "json"
    metrics: tuple[Metric, ...] = ()
    on_request: bool = False
    sockets: tuple[Socket, ...] = ()
    polls: tuple[Feed, ...] = ()
    problem: Callable[[int, Json], Problem | None] = _no_problem
    configured: Callable[["Source", Mapping[str, str]], "Source"] = _as_it_is
    trades: NumberedTrades | None = None

    def feed(self, dataset: str, scope: str | None = None) -> Feed | None:
        """The feed of a dataset (of that scope, if one is asked for), or None."""
        return next((f for f in self.feeds if f.dataset == dataset and scope in (None, f.scope)), None)

    def kinds(self, dataset: str | None = None) -> tuple[Kind, ...]:
        """Of which instruments a dataset is (without one: all it tells)."""
        told: list[Kind] = [kind for f in self.feeds if dataset in (None, f.dataset) for kind in f.kinds]
        return tuple(dict.fromkeys(told))
