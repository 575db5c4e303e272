"""Minutes by perpspec: one row a perpspec and minute, or all perpspecs of a minute side by side."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Name, Window, WindowDep, lower, nearest
from app.api.errors import BadRequest, Wrong
from app.api.kept import kept
from app.api.openapi import documented
from app.api.perps import Asked, AskedDep, why_empty
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OpenRow, OutTime, column
from app.api.slices import PerpspecsParam, by_name, chosen, notices, registered, values_of
from app.db import Database
from app.services import slices
from app.services.perpspecs import Perpspec
from app.services.queries import Query as Statement
from app.services.slices import Question, Whose
from app.services.slices_text import Value

router = APIRouter(route_class=RememberedRoute)
LAST = "each row is the last of a minute closed at or before `at`, at most a day old; `age_s` is since its close"
JOINED = "each row is a minute; a field is null where its perpspec has none of it"


class PerpDatum(OpenRow):
    """What one perpspec has of one minute: its fields, and null in those of others; with `at` also `age_s`."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "perpspec")

    time: OutTime = column("When the minute began; what is told of it is known when it ends.")
    perpspec: str = column("Which slice of the minute.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")


class JoinedMinute(OpenRow):
    """Fields of several perpspecs side by side: `bin-ohlcv.c` and, of one of all exchanges, `rsi.okx.rsi1`."""

    keys: ClassVar[tuple[str, ...]] = ("time",)

    time: OutTime = column("When the minute began; what is told of it is known when it ends.")


InstrumentParam = Annotated[
    Name | None,
    Query(description="This contract, by its native symbol in any case, instead of each exchange's main one."),
]
JoinedParam = Annotated[bool, lower, Query(description="One row a minute, with a column for each perpspec's fields.")]


@router.get("/perp-data/{asset}", **documented(PerpDatum, 404, 409, 410, tag="Minutes", others=[JoinedMinute]))
async def asset_minutes(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    perpspecs: PerpspecsParam = None,
    instrument: InstrumentParam = None,
    joined: JoinedParam = False,
) -> Response:
    """Minutes of an asset by perpspec; all that are registered where none is named.

    On each exchange one contract is meant: one with candles before others, then the main one. With `at`: the last row
    of each perpspec by then, or with `joined` the minute that closed last.
    """
    found = await registered(db, perpspecs)
    values = tuple(values_of(found, changes=False).values())
    question = await asked_about(db, asked, window, found, instrument, values)

    async def why() -> str:
        return await why_no_minutes(db, asked, window, found, query)

    told = notices(found)
    if joined:
        first = window.start if window.at is None else slices.closed_by(window.at)
        query, named = slices.side_by_side(question, first, window.end if window.at is None else first + slices.MINUTE)
        row, told = chosen(JoinedMinute, named), (JOINED, *told)
    elif window.at is None:
        query, row = slices.during(question, window.start, window.end), chosen(PerpDatum, by_name(values))
    else:
        query = slices.last(question, window.at)
        row, told = chosen(PerpDatum, by_name(values), aged=True), (LAST, *told)
    shown, reason = await kept(db, "perp_1m", window, why)
    return await render(db, query, row, common, meta(shown, notices=told), why_empty=reason)


async def why_no_minutes(
    db: Database, asked: Asked, window: Window, found: Sequence[Perpspec], query: Statement
) -> str:
    """Why a statement over minutes of an asset has no rows."""
    if await slices.lacks_changes(db, query, found, window.known_at):
        return "no rows: fewer than 14 changes since a gap, and RSI(14) needs as many"
    return await why_empty(db, "minutes", asked, window)


async def asked_about(
    db: Database,
    asked: Asked,
    window: Window,
    found: tuple[Perpspec, ...],
    instrument: str | None,
    values: tuple[Value, ...],
) -> Question:
    """The question about an asset. Refuses a contract nobody knows."""
    whose = Whose((asked.asset.id,), asked.exchanges, asked.margin, asked.source, instrument)
    members = await slices.contracts(db, found, whose)
    if instrument and not members.series_id:
        await _check_listed(db, asked, instrument)
    return Question(found, members, values, known_at=window.known_at)


async def _check_listed(db: Database, asked: Asked, instrument: str) -> None:
    """Refuse a contract nobody knows."""
    there = await slices.symbols(db, asked.asset.id)
    if instrument.lower() not in {symbol.lower() for symbol in there}:
        close = nearest(instrument, there)
        errors = [Wrong("instrument", instrument, "no perpetual of this asset")]
        detail = f"No perpetual {instrument} of this asset; there are {', '.join(there[:10]) or 'none'}"
        raise BadRequest(detail, code="unknown_instrument", errors=errors, candidates=close)
