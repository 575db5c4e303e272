"""What all answers of DefiLlama have in common: hosts, days, and single numbers that fail by themselves."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import quote

from pydantic import BeforeValidator, TypeAdapter

from app.ingest import spec
from app.ingest.sources.defillama.naming import Told
from app.ingest.spec import Aim, Bad, Feed, Json, MaybeNum, Request, Rows, Window
from app.records import BadRecord, MetricValue

DOCS = "https://api-docs.defillama.com"
API = "https://api.llama.fi"
STABLECOINS = "https://stablecoins.llama.fi"
BRIDGES = "https://bridges.llama.fi"
HOUR, DAY, READY = timedelta(hours=1), timedelta(days=1), timedelta(minutes=5)
COSTS = {"requests": 1}

_number: TypeAdapter[float | None] = TypeAdapter(MaybeNum)


def ask(host: str, path: str, *words: str, **params: object) -> Request:
    """A GET of `path` of a free host; `words` are names that end the path, encoded."""
    return spec.at(host, spec.get("/".join([path, *(quote(word, safe="") for word in words)]), costs=COSTS, **params))


def midnight(time: datetime) -> datetime:
    """00:00 UTC of the day: what is told of now replaces what was told earlier in the day."""
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _from_seconds(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("epoch seconds expected")
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value} is no time") from error


Time = Annotated[datetime, BeforeValidator(_from_seconds)]
"""Epoch seconds, as an integer or as digits, → the time as sent: mostly 00:00 UTC, and it stays what it is."""


class Dated(spec.Wire):
    """A point of a history, of the day that its time is in."""

    date: Time


class Point(spec.ArrayRow, Dated):
    """`[1752710400, 16946528.5]`: seconds of 00:00 UTC, amount"""

    amount: Json = None


_D = TypeVar("_D", bound=Dated)


def number(raw: Json) -> float | None:
    """A number, bare or quoted; None where there is none. Raises ValueError."""
    return _number.validate_python(raw)


def value(told: Told, id_type: str, id: str, time: datetime) -> MetricValue | Bad | None:
    """One number as a value: None where it is missing, `Bad` where it can be none, so that it costs no other."""
    try:
        amount = number(told.raw)
        return None if amount is None else MetricValue(told.metric, id_type, id, time, amount)
    except BadRecord as bad:
        return Bad(id, bad.code, bad.reason)
    except ValueError:
        return Bad(id, "unreadable", f"{told.metric.name} is {str(told.raw)[:80]!r}")


def values(numbers: Iterable[Told], id_type: str, id: str, time: datetime) -> Iterator[MetricValue | Bad]:
    """Of the numbers of one thing those that are told."""
    items = (value(told, id_type, id, time) for told in numbers)
    return (item for item in items if item is not None)


def only(amounts: Json) -> Json:
    """The one amount of `{"peggedEUR":12.5}`, whatever the peg; None of none, all of them where there are several."""
    if not isinstance(amounts, dict):
        return amounts
    told = list(cast("dict[str, Json]", amounts).values())
    return None if not told else told[0] if len(told) == 1 else told


def days(
    model: type[_D], items: Iterable[Json], numbers: Callable[[_D], Iterable[Told]], id_type: str, window: Window
) -> Rows:
    """The days of one thing that are inside the window, each at its own time.

    The last day upstream is the one that runs now, and not whole. A window ends at the last midnight at the latest, so
    that day is never inside.
    """
    id = window.subjects[0]
    for item in items:
        try:
            row = model.model_validate(item)
        except ValueError as error:
            yield Bad(id, "unreadable", str(error))
            continue
        if window.holds(row.date):
            yield from values(numbers(row), id_type, id, row.date)


Pieces = Callable[[Aim], Iterable[Window]]


def pieces(id_type: str, columns: Iterable[str], *, live: bool, keyed: Iterable[str] = ()) -> Pieces:
    """One request a thing and column, all things of the first column first; those `keyed` where there is a key."""

    def windows(aim: Aim) -> Iterator[Window]:
        for column in (*columns, *(keyed if aim.keyed else ())) if aim.live is live else ():
            for id in aim.assets.get(id_type, ()):
                yield Window(aim.start, aim.end, subjects=(id,), columns=(column,))

    return windows


def batch(
    request: Callable[[Window], Request],
    answer: Any,
    rows: Callable[[Any, Window], Rows],
    windows: Pieces,
    *,
    history: bool,
    needs_key: bool = False,
) -> Feed:
    """One request a thing: how it stands now, or all its days."""
    return Feed(
        "fundamentals",
        "batch",
        request,
        answer,
        rows,
        HOUR,
        DOCS,
        step=DAY if history else None,
        history=history,
        ready_after=READY,
        pieces=windows,
        needs_key=needs_key,
    )
