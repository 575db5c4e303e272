"""What every reading route takes: the form of the answer, how times are written, and which page."""

import binascii
import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, cast
from urllib.parse import quote, urlencode

from fastapi import Depends, Header, Query, Request

from app.api.errors import bad_value
from app.api.forms import Form, accepted
from app.api.words import lower

TimeFormat = Literal["iso", "ms"]
Order = Literal["asc", "desc"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_PART_OF_THE_QUESTION = frozenset({"cursor", "limit", "format", "time_format"})
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")

FormParam = Annotated[
    Form | None,
    lower,
    Query(description="Form of the answer, instead of `Accept`. The last four stream all rows."),
]
TimeFormatParam = Annotated[TimeFormat, lower, Query(description="RFC 3339 or integer epoch milliseconds.")]
LimitParam = Annotated[int, Query(ge=1, le=10_000, description="Rows a page; of a stream: rows in all, where given.")]
OrderParam = Annotated[Order, lower, Query(description="`desc` for the newest first.")]
CursorParam = Annotated[
    str | None,
    Query(
        max_length=2000,
        pattern="^[A-Za-z0-9_=-]+$",
        description="`page.next_cursor` of the page before.",
    ),
]
AcceptHeader = Annotated[str | None, Header(include_in_schema=False)]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the page before ended, and what the first page was about: its window, and when what it shows was known."""

    key: tuple[object, ...]
    start: datetime
    end: datetime
    known: datetime


@dataclass(frozen=True, slots=True)
class Common:
    """What all reading routes take."""

    request: Request
    form: Form
    time_format: TimeFormat
    limit: int
    order: Order
    cursor: Cursor | None


def common(
    request: Request,
    format: FormParam = None,
    time_format: TimeFormatParam = "iso",
    limit: LimitParam = 1000,
    order: OrderParam = "asc",
    cursor: CursorParam = None,
    accept: AcceptHeader = None,
) -> Common:
    """Gather them; raises BadRequest for a cursor that is not of this question."""
    form = format or accepted(accept)
    return Common(request, form, time_format, limit, order, _read(request, cursor) if cursor else None)


def plain(request: Request) -> Common:
    """The form of an answer to a request that is not about reading."""
    return Common(request, "json", "iso", 1000, "asc", None)


CommonDep = Annotated[Common, Depends(common)]


def _question(request: Request) -> str:
    """A digest of what is asked: a cursor fits no other question."""
    asked = sorted((k, v) for k, v in request.query_params.multi_items() if k not in NOT_PART_OF_THE_QUESTION)
    return hashlib.blake2b(json.dumps([request.url.path, asked]).encode(), digest_size=8).hexdigest()


def _read(request: Request, cursor: str) -> Cursor:
    try:
        document = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        question, start, end, *key, known = cast("list[object]", document)
        if any(isinstance(part, int) and abs(part) >= 2**53 for part in (start, end, *key, known)):
            raise ValueError("beyond time")
        found = Cursor(tuple(key), _moment(start), _moment(end), _moment(known))
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error) as error:
        raise bad_value("cursor", cursor, "not a cursor of ours", code="bad_cursor") from error
    if question != _question(request):
        raise bad_value("cursor", cursor, "a cursor of another question", code="bad_cursor")
    return found


def _moment(us: object) -> datetime:
    if not isinstance(us, int):
        raise TypeError("microseconds expected")
    return EPOCH + timedelta(microseconds=us)


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def write_cursor(common: Common, start: datetime, end: datetime, key: tuple[object, ...], made: datetime) -> str:
    """The cursor of the page after the one that was `made` now and ended with `key`; times in it are microseconds."""
    known = common.cursor.known if common.cursor else made
    plain = [_us(part) if isinstance(part, datetime) else part for part in (start, end, *key, known)]
    text = json.dumps([_question(common.request), *plain], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_key(common: Common, kinds: tuple[str, ...]) -> tuple[object, ...] | None:
    """The key the page before ended with, as arguments of a statement; None on the first page."""
    if common.cursor is None:
        return None
    key = common.cursor.key
    if len(key) != len(kinds) or not all(map(_fits, key, kinds)):
        raise bad_value("cursor", None, "not a cursor of ours", code="bad_cursor")
    return tuple(_moment(part) if kind == "time" else part for part, kind in zip(key, kinds, strict=True))


def _fits(part: object, kind: str) -> bool:
    match part:
        case bool():
            return kind == "boolean"
        case int():
            return kind == "number" or kind in ("integer", "time")
        case float():
            return kind == "number"
        case str():
            return kind == "text" and "\0" not in part and part.isprintable()
        case _:
            return False


def next_url(common: Common, cursor: str) -> str:
    """The address of the next page: this one's with the cursor, absolute where the caller's host is told."""
    request = common.request
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    path = quote(request.scope.get("root_path", "") + request.url.path, safe="/:@!$&'()*+,;=~-._")
    host = request.headers.get("host", "")
    base = f"{request.scope['scheme']}://{host}" if HOST.fullmatch(host) else ""
    return f"{base}{path}?{urlencode([*kept, ('cursor', cursor)])}"
