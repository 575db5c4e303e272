"""History on order: planned, started, watched, cancelled and resumed."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.deps import AdminDep, CommonDep, DatabaseDep, Slug, Time, admin, lower, nearest
from app.api.errors import BadRequest, Conflict, NotFound, Wrong, bad_value
from app.api.http import SmallBody
from app.api.known import known_exchanges
from app.api.openapi import documented
from app.api.paging import plain
from app.api.render import meta, render, render_known
from app.api.schemas import Envelope, OutTime, Row, column, problems
from app.db import Database
from app.services import backfills
from app.services.backfills import NothingToAsk, Plan
from app.services.entities import Entity, find_asset

router = APIRouter(dependencies=[Depends(admin)], route_class=SmallBody)
TAG = "Admin"
DENIED = (401, 403)
LONGEST = timedelta(days=3660)


class BackfillRow(Row):
    """A back-fill: what was asked for, and how far it has come."""

    keys: ClassVar[tuple[str, ...]] = ("id",)

    id: int = column("Its number.")
    source: str = column("Who is asked.")
    state: str = column("queued, running, cancelling, cancelled, succeeded, partial or failed.")
    asked_by: str = column("The key that ordered it, `command line`, or `schedule`.")
    datasets: list[str] = column("What is asked for.")
    assets: list[str] = column("Of which assets, by canonical id; empty: all.")
    exchanges: list[str] = column("On which exchanges; empty: all.")
    start: OutTime = column("From when on.")
    end: OutTime = column("Until when, exclusive.")
    created_at: OutTime = column("When it was ordered.")
    started_at: OutTime | None = column("When its first window was begun, since it was last resumed.")
    finished_at: OutTime | None = column("When it came to its end.")
    windows_planned: int = column("Windows it is cut in.")
    windows_done: int = column("Windows fetched and stored.")
    windows_failed: int = column("Windows that could not be had; resume tries them again.")
    requests: int = column("Requests made.")
    received: int = column("Rows received.")
    inserted: int = column("Of them new.")
    updated: int = column("Of them changed.")
    rejected: int = column("Of them refused.")
    last_time_reached: OutTime | None = column("The latest end of a window that is done.")
    eta: OutTime | None = column("When it will be done at the pace so far; null: not known.")
    errors: list[str] = column("What went wrong or was not there, ten of them at the most.")


class PlanRow(Row):
    """What a back-fill would do."""

    keys: ClassVar[tuple[str, ...]] = ("source",)

    source: str = column("Who would be asked.")
    datasets: list[str] = column("What for.")
    start: OutTime = column("From when on.")
    end: OutTime = column("Until when, exclusive.")
    windows: int = column("Windows it would be cut in.")
    requests: int = column("Requests it would make at the least.")
    rows: int = column("Rows it may bring at the most.")
    time_s: float = column("How long that takes as the source's budget allows.", "seconds")


class BackfillOrder(BaseModel):
    """History to fetch: `start` and `end`, or `days` back from now."""

    model_config = ConfigDict(extra="forbid")

    source: Slug = Field(description="A source, as `/sources` names it.")
    datasets: list[Slug] = Field(default=[], max_length=50, description="Which of its datasets; none: all it has.")
    assets: list[str] = Field(default=[], max_length=1000, description="Only of these assets.")
    exchanges: list[Slug] = Field(default=[], max_length=100, description="Only on these exchanges.")
    start: Time | None = Field(default=None, description="From when on.")
    end: Time | None = Field(default=None, description="Until when, exclusive; default now.")
    days: float | None = Field(default=None, gt=0, le=LONGEST.days, description="Instead of `start`.")
    dry_run: bool = Field(default=False, description="Only plan; the same as the query parameter.")


KeyHeader = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, description="The same order twice is one."),
]
DryRun = Annotated[bool, lower, Query(description="Only plan: requests, rows and time; nothing is started.")]
Number = Annotated[int, Path(ge=1, lt=2**31, description="Number of a back-fill.")]


def _window(order: BackfillOrder) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    if (order.start is None) == (order.days is None):
        raise bad_value("body.days", order.days, "give either `start` (and `end`) or `days`")
    end = min(order.end or now, now)
    start = order.start or end - timedelta(days=order.days or 0)
    if start >= end:
        raise bad_value("body.start", start.isoformat(), "not before the end")
    return start, end


async def _planned(request: Request, db: Database, order: BackfillOrder) -> tuple[Plan, list[Entity]]:
    known = [source["source"] for source in request.app.state.sources]
    if order.source not in known:
        wrong = [Wrong("body.source", order.source, f"no such source; there are {', '.join(known)}")]
        detail = f"source {order.source}: {wrong[0].reason}"
        raise BadRequest(detail, code="unknown_source", errors=wrong, candidates=nearest(order.source, known))
    await known_exchanges(db, order.exchanges, "body.exchanges")
    start, end = _window(order)
    assets = [await find_asset(db, name) for name in order.assets]
    wish = {
        "source": order.source,
        "start": start,
        "end": end,
        "datasets": tuple(order.datasets),
        "entities": tuple(asset.id for asset in assets) or None,
        "exchanges": tuple(order.exchanges) or None,
    }
    try:
        return await request.app.state.plan_backfill(wish), assets
    except NothingToAsk as error:
        raise BadRequest(str(error), code="nothing_to_ask", errors=[Wrong("body", None, str(error))]) from error


ORDERED: dict[str, Any] = {
    "tags": [TAG],
    "status_code": 202,
    "response_model": Envelope[BackfillRow] | Envelope[PlanRow],
    "responses": {
        200: {"description": "Only planned, or ordered before", "model": Envelope[PlanRow] | Envelope[BackfillRow]},
        202: {"description": "Ordered", "headers": {"Location": {"schema": {"type": "string"}}}},
        **problems(400, *DENIED, 404, 409, 413),
    },
}
CHANGED: dict[str, Any] = {
    "tags": [TAG],
    "status_code": 202,
    "response_model": Envelope[BackfillRow],
    "responses": problems(*DENIED, 404, 409),
}


@router.post("/admin/backfills", **ORDERED)
async def start_backfill(
    request: Request,
    db: DatabaseDep,
    key: AdminDep,
    order: BackfillOrder,
    idempotency_key: KeyHeader = None,
    dry_run: DryRun = False,
) -> Response:
    """Fetch history. What is stored stays, whatever becomes of the rest; `Location` tells how far it has come."""
    plan, assets = await _planned(request, db, order)
    if dry_run or order.dry_run:
        return await _plan(request, db, plan)
    asked = {
        "request": order.model_dump(mode="json", exclude={"dry_run"}),
        "datasets": list(plan.datasets),
        "assets": [asset.canonical_id for asset in assets],
        "exchanges": order.exchanges,
        "start": plan.start.isoformat(),
        "end": plan.end.isoformat(),
    }
    try:
        ordered = await backfills.order(db, order.source, asked, plan.pieces, asked_by=key.name, key=idempotency_key)
    except backfills.Conflict as error:
        raise Conflict(str(error), code="idempotency_key_reused") from error
    return await _one(request, db, ordered.id, 202 if ordered.new else 200)


async def _plan(request: Request, db: Database, plan: Plan) -> Response:
    row = {
        "source": plan.source,
        "datasets": list(plan.datasets),
        "start": plan.start.isoformat(),
        "end": plan.end.isoformat(),
        "windows": len(plan.pieces),
        "requests": plan.requests,
        "rows": plan.rows,
        "time_s": round(plan.seconds, 3),
    }
    return await render_known(db, [row], PlanRow, plain(request), meta(notices=["dry run: nothing was started"]))


async def _one(request: Request, db: Database, number: int, status: int) -> Response:
    response = await render(db, backfills.listing(number), BackfillRow, plain(request), meta())
    response.status_code = status
    location = f"{request.scope.get('root_path', '')}/admin/backfills/{number}"
    response.headers.update({"Cache-Control": "no-store", "Location": location})
    return response


@router.get("/admin/backfills", **documented(BackfillRow, *DENIED, tag=TAG))
async def list_backfills(db: DatabaseDep, common: CommonDep) -> Response:
    """All back-fills, oldest first; `order=desc` for the newest."""
    return await render(db, backfills.listing(), BackfillRow, common, meta())


async def _there(db: DatabaseDep, id: Number) -> int:
    if await backfills.state_of(db, id) is None:
        raise NotFound(f"No back-fill {id}", code="unknown_backfill")
    return id


There = Annotated[int, Depends(_there)]


@router.get("/admin/backfills/{id}", **documented(BackfillRow, *DENIED, 404, tag=TAG))
async def get_backfill(db: DatabaseDep, common: CommonDep, number: There) -> Response:
    """One back-fill: how far it has come, and when it will be done."""
    return await render(db, backfills.listing(number), BackfillRow, common, meta())


@router.post("/admin/backfills/{id}/cancel", **CHANGED)
async def cancel_backfill(request: Request, db: DatabaseDep, number: There) -> Response:
    """Stop a back-fill. What is stored stays; `resume` goes on with the rest."""
    return await _changed(request, db, number, backfills.cancel)


@router.post("/admin/backfills/{id}/resume", **CHANGED)
async def resume_backfill(request: Request, db: DatabaseDep, number: There) -> Response:
    """Go on with a back-fill that was cancelled, or try again what it could not get."""
    return await _changed(request, db, number, backfills.resume)


async def _changed(request: Request, db: Database, number: int, change: Any) -> Response:
    try:
        await change(db, number)
    except backfills.Conflict as error:
        raise Conflict(f"Back-fill {number}: {error}", code="backfill_state") from error
    return await _one(request, db, number, 202)
