"""Minutes with their changes over 1, 5 and 10 minutes: of one asset, of all at one minute, and a scan of the store."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Names, Window, WindowDep
from app.api.errors import bad_value
from app.api.kept import kept
from app.api.known import known_source
from app.api.openapi import documented
from app.api.perp_data import InstrumentParam, PerpDatum, asked_about, why_no_minutes
from app.api.perps import AskedDep, MarginParam, SourceParam
from app.api.remembered import RememberedRoute
from app.api.render import meta, render
from app.api.schemas import OpenRow, OutTime, column
from app.api.slices import (
    FieldsParam,
    PerpspecsParam,
    by_name,
    chosen,
    conditions,
    narrowed,
    notices,
    registered,
    values_of,
)
from app.api.times import At, End, KnownAt, Start, instant, stamp, utc_now, window
from app.db import Database
from app.services import slices
from app.services.minute_fields import STRENGTHS
from app.services.perpspecs import Perpspec
from app.services.slices import Question, Whose

router = APIRouter(route_class=RememberedRoute)
CHANGES = "changes are in percent of the value exactly so many minutes before; null where that is missing or zero"
STORED = "without perpspecs all are asked that are stored; {} is computed: name it"


class MinuteOfAsset(OpenRow):
    """What one perpspec has of one minute of one asset: its fields and their changes, null in those of others."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "instrument", "perpspec")

    time: OutTime = column("When the minute began; what is told of it is known when it ends.")
    asset: str = column("Of what.")
    perpspec: str = column("Which slice of the minute.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")


WhereParam = Annotated[
    Names,
    Query(description="What has to hold: `c_chg_5m>3`, `lqside=long`, with > >= < <= = !=; all of a list or repeated."),
]


def moments(common: CommonDep, start: Start = None, end: End = None, at: At = None, known_at: KnownAt = None) -> Window:
    """The instant asked about, which is now where nothing is said, or the window of a scan."""
    if start is None and end is None:
        return instant(common, at or utc_now(), known_at)
    return window(common, start, end, at, known_at)


@router.get("/rolling/{asset}", **documented(PerpDatum, 404, 409, 410, tag="Minutes"))
async def asset_rolling(
    db: DatabaseDep,
    common: CommonDep,
    asked: AskedDep,
    window: WindowDep,
    perpspecs: PerpspecsParam = None,
    fields: FieldsParam = None,
    instrument: InstrumentParam = None,
) -> Response:
    """Minutes of an asset by perpspec, with changes over 1, 5 and 10 minutes; with `at`, of the minute closed last.

    `<field>_chg_5m` is in percent of the value exactly 5 minutes before, null where that is missing or zero;
    `lqside_chg_5m` is the side where it differs from that. `fields` narrows the columns.
    """
    found = await registered(db, perpspecs)
    values = narrowed(values_of(found, changes=True), fields)
    question = await asked_about(db, asked, window, found, instrument, values)
    if window.at is None:
        query = slices.during(question, window.start, window.end)
    else:
        query = slices.at(question, slices.closed_by(window.at))

    async def why() -> str:
        return await why_no_minutes(db, asked, window, found, query)

    told = (CHANGES, *notices(found))
    shown, reason = await kept(db, "perp_1m", window, why)
    return await render(
        db, query, chosen(PerpDatum, by_name(values)), common, meta(shown, notices=told), why_empty=reason
    )


@router.get("/rolling", **documented(MinuteOfAsset, 410, tag="Minutes"))
async def rolling(
    db: DatabaseDep,
    common: CommonDep,
    window: Annotated[Window, Depends(moments)],
    perpspecs: PerpspecsParam = None,
    fields: FieldsParam = None,
    where: WhereParam = None,
    margin: MarginParam = "all",
    source: SourceParam = None,
) -> Response:
    """All assets at one minute (`at`; without it the one closed last), or with `start` or `end` a scan of the store.

    `where` keeps rows in which all of it holds; nothing holds of what is null. A scan needs it. Of each asset and
    exchange the main contract counts. What is not asked for is not computed.
    """
    if window.at is None and not where:
        raise bad_value("where", None, "a scan over a window needs one, such as where=c_chg_5m>3", code="where_missing")
    await known_source(db, source)
    found = await registered(db, perpspecs)
    found = found if perpspecs else _stored(found, fields, where)
    there = values_of(found, changes=True)
    values, held = narrowed(there, fields), conditions(there, where)
    whose = Whose(margin=None if margin == "all" else margin, source=source)
    members = await slices.contracts(db, found, whose)
    question = Question(found, members, values, held, window.known_at)
    if not question.slices:
        raise bad_value("where", ",".join(where or ()), "no perpspec has all of these fields", code="bad_where")
    if window.at is None:
        query = slices.during(question, window.start, window.end)
    else:
        query = slices.across(question, slices.closed_by(window.at))

    async def why() -> str:
        if not held and await slices.lacks_changes(db, query, found, window.known_at):
            return "no rows: fewer than 14 changes since a gap, and RSI(14) needs as many"
        return await _why(db, filtered=bool(held), known=window.known_at is not None)

    left_out = (STORED.format("rsi"),) if not perpspecs else ()
    told = (CHANGES, *left_out, *notices(found))
    row = chosen(MinuteOfAsset, by_name(values))
    shown, reason = await kept(db, "perp_1m", window, why)
    return await render(db, query, row, common, meta(shown, notices=told), why_empty=reason)


def _stored(found: tuple[Perpspec, ...], *asked: list[str] | None) -> tuple[Perpspec, ...]:
    """All but those that are computed, unless what is asked for names a field of theirs."""
    named = {name for words in asked for word in words or () for name in STRENGTHS if word.lower().startswith(name)}
    return tuple(one for one in found if named or not STRENGTHS.intersection(one.fields))


async def _why(db: Database, *, filtered: bool, known: bool) -> str:
    last = await slices.newest(db)
    if last is None:
        return "no rows: no minute is stored yet"
    left = f"that these filters{' and known_at' if known else ''} leave"
    held = "in which `where` holds" if filtered else left
    return f"no rows: nothing {held}; the newest minute stored begins {stamp(last)}"
