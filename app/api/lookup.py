"""Many look-ups in one call: what was in force at each of many instants, for a backtest."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np
from fastapi import APIRouter, FastAPI, Request
from numpy.typing import NDArray
from pydantic_core import to_json
from starlette.responses import Response

from app.api.bodies import MIB, spooled
from app.api.deps import DatabaseDep
from app.api.errors import Unavailable, UnsupportedMedia
from app.api.funding_asking import PER_HOURS
from app.api.funding_rows import FRACTION, PER
from app.api.known import known_source
from app.api.lookup_names import Named, check_symbols, contracts_of, name, not_listed
from app.api.lookup_rows import MAX_ROWS, Question, Told, question, told
from app.api.paging import TimeFormat, TimeFormatParam
from app.api.render import MICROSECOND, meta, whole
from app.api.schemas import ColumnsEnvelope, OutTime, Row, column, columns_model, problems
from app.api.times import EARLIEST, TIME_SCHEMA, Window, utc_now
from app.db import Database
from app.services import generated, lookup
from app.services.lookup import Asked, InForce

JSON = "application/json"
SECOND = timedelta(seconds=1)
LATE = "rows in the future are answered as of now"
MAX_BYTES = 64 * MIB
AT_ONCE = 2
"""Look-ups answered at once; each may need some 200 MB."""
WAIT_SECONDS = 5.0


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.lookups = asyncio.Semaphore(AT_ONCE)
    yield


router = APIRouter(lifespan=_lifespan)


class LookedUp(Row):
    """What was in force at the instant each row asked about."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "asset")

    time: OutTime = column("The instant asked about.")
    exchange: str = column("The exchange asked about.")
    asset: str = column("The asset asked about, as answers call it.")
    rate: float | None = column("Settled rate in force; null: there is none.", PER)
    rate_native: float | None = column("The same as paid.", FRACTION)
    interval_hours: float | None = column("Interval valid then.", "hours")
    age_s: float | None = column("Time since it settled.", "seconds")


def _documented() -> dict[str, Any]:
    """Arguments of the route's decorator."""
    texts = {"exchange": "An exchange.", "asset": "Any name of an asset.", "instrument": "Native symbol of a contract."}
    fields: dict[str, Any] = {
        "time": {**TIME_SCHEMA, "description": "An instant."},
        **{name: {"type": "string", "description": about} for name, about in texts.items()},
    }
    needed = ["time", "exchange", "asset"]
    rows = {"type": "object", "required": needed, "properties": fields, "additionalProperties": False}
    arrays = {name: {"type": "array", "items": field} for name, field in fields.items()}
    columns = {"type": "object", "required": needed, "properties": arrays, "additionalProperties": False}
    schema = Question.model_json_schema()
    asked = schema["properties"] | {"rows": {"type": "array", "items": rows}, "columns": columns}
    forms = [{"required": ["rows"]}, {"required": ["columns"]}]
    body = {JSON: {"schema": {**schema, "properties": asked, "oneOf": forms}}}
    return {
        "tags": ["Funding"],
        "response_model": ColumnsEnvelope[columns_model(LookedUp)],
        "responses": problems(400, 401, 404, 408, 409, 413, 415, 503),
        "openapi_extra": {"requestBody": {"required": True, "content": body}},
    }


@router.post("/lookup", **_documented())
async def look_up(request: Request, db: DatabaseDep, time_format: TimeFormatParam = "iso") -> Response:
    """The rate in force at each of up to 100,000 instants, of an exchange's main contract of an asset.

    `rows` are objects of `time, exchange, asset` and, where another contract is meant, `instrument`; `columns` are the
    same as arrays. Answered as columns in the order asked, null where nothing is in force; no later fact is used.
    """
    _json_only(request)
    async with spooled(request, MAX_BYTES, f"Ask in parts of {MAX_ROWS:,} rows") as body, _turn(request):
        asked = await asyncio.to_thread(lambda: question(body.read_bytes()))
        await known_source(db, asked.source, "body.source")
        rows = await asyncio.to_thread(told, asked)
        return await _answer(request, db, asked, rows, time_format)


def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    packing = request.headers.get("content-encoding", "identity")
    if kind != JSON or packing != "identity":
        raise UnsupportedMedia(f"{JSON} is expected, as it is", headers={"Accept-Post": JSON})


@asynccontextmanager
async def _turn(request: Request) -> AsyncGenerator[None]:
    """One of the look-ups answered at once. Raises Unavailable where none is free for a while."""
    turns: asyncio.Semaphore = request.app.state.lookups
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await turns.acquire()
    except TimeoutError as error:
        raise Unavailable(f"{AT_ONCE} look-ups are being answered, as many as may", code="busy") from error
    try:
        yield
    finally:
        turns.release()


async def _answer(request: Request, db: Database, asked: Question, rows: Told, time_format: TimeFormat) -> Response:
    now = utc_now()
    named = await name(db, rows)
    codes, contracts = await asyncio.to_thread(contracts_of, rows, named)
    series = await lookup.series_of(db, contracts, asked.source)
    check_symbols(rows, codes, contracts, series)
    time = np.minimum(rows.time, (now - EARLIEST) // MICROSECOND)
    found = await lookup.in_force(db, Asked(time, codes), [ids or [] for ids in series], asked.known_at)
    data = await asyncio.to_thread(_written, rows, named, found, PER_HOURS[asked.per], time_format)
    notices = [*not_listed(named, contracts, series), *(LATE for _ in range(bool((time < rows.time).any())))]
    facts = meta(_window(rows, asked.known_at), per=asked.per, kind="settled", notices=notices)
    return whole(request, data, LookedUp, facts, time_format, await generated.exchanges(db))


def _window(rows: Told, known_at: datetime | None) -> Window | None:
    """From the first instant asked about to just after the last."""
    if not len(rows.time):
        return None
    first, last = (EARLIEST + int(us) * MICROSECOND for us in (rows.time.min(), rows.time.max()))
    return Window(first, last + SECOND, None, known_at)


def _written(rows: Told, named: Named, found: InForce, per_hours: float | None, time_format: TimeFormat) -> bytes:
    rate = found.rate if per_hours is None else found.rate * per_hours / found.interval_hours
    assets = [entity.asset if entity else "" for entity in named.assets]
    columns = {
        "time": (rows.time // 1000).tolist() if time_format == "ms" else _stamps(rows.time),
        "exchange": np.array(named.exchanges, dtype=object)[rows.exchange.codes].tolist(),
        "asset": np.array(assets, dtype=object)[rows.asset.codes].tolist(),
        "rate": rate.tolist(),
        "rate_native": found.rate.tolist(),
        "interval_hours": found.interval_hours.tolist(),
        "age_s": found.age_s.tolist(),
    }
    return to_json(columns, inf_nan_mode="null")


def _stamps(time: NDArray[np.int64]) -> list[str]:
    """RFC 3339 in UTC, a fraction only where there is one."""
    moments = time.astype("datetime64[us]")
    stamps: list[str] = np.datetime_as_string(moments, unit="s", timezone="UTC").tolist()
    for row in np.flatnonzero(time % 1_000_000).tolist():
        stamps[row] = np.datetime_as_string(moments[row : row + 1], timezone="UTC").item()
    return stamps
