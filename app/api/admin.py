"""For operators: pull now, see what was pulled, and the schedule."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slug, Slugs, admin, lower, nearest
from app.api.errors import BadRequest, NotFound, Wrong
from app.api.http import SmallBody
from app.api.openapi import documented
from app.api.paging import plain
from app.api.render import meta, render
from app.api.schemas import Envelope, OutTime, Row, column, problems
from app.db import Database
from app.services import log, quality

router = APIRouter(dependencies=[Depends(admin)], route_class=SmallBody)
TAG = "Admin"
DENIED = (401, 403)
NOBODY = "this process runs no schedule: the pull waits for one that does, on the same database"

Status = Literal["running", "succeeded", "partial", "failed"]
JobId = Annotated[
    str, Path(pattern="^[a-z0-9_]{1,64}:[a-z0-9_]{1,64}$", description="A job, as `/admin/jobs` names it.")
]


class PullRow(Row):
    """One run of one job: what came, and what became of it."""

    keys: ClassVar[tuple[str, ...]] = ("id",)

    id: int = column("Number of the pull.")
    source: str = column("Who was asked.")
    dataset: str = column("For what.")
    status: str = column("running, succeeded, partial or failed.")
    started_at: OutTime = column("When it began.")
    finished_at: OutTime | None = column("When it ended; null: it runs.")
    duration: float = column("How long it took, or has taken so far.", "seconds")
    requests: int = column("Requests made.")
    received: int = column("Rows received.")
    inserted: int = column("Of them new.")
    updated: int = column("Of them changed.")
    rejected: int = column("Of them refused.")
    error: str | None = column("What went wrong.")


class JobRow(Row):
    """One dataset of one source on the schedule."""

    keys: ClassVar[tuple[str, ...]] = ("id",)

    id: str = column("`source:dataset`.")
    source: str = column("Who is asked.")
    dataset: str = column("For what.")
    every_s: float = column("How often.", "seconds")
    paused: bool = column("Whether an operator paused it.")
    next_at: OutTime | None = column("When it is due next; null: it is paused.")
    asked_at: OutTime | None = column("When somebody asked for it to run now, and it has not begun yet.")
    last_pull: int | None = column("Number of its last pull in the last 7 days.")
    last_status: str | None = column("How that went.")
    last_started_at: OutTime | None = column("When that began.")
    last_finished_at: OutTime | None = column("When that ended.")
    last_error: str | None = column("What went wrong.")


class PullOrder(BaseModel):
    """What to pull now."""

    model_config = ConfigDict(extra="forbid")

    source: Slug = Field(description="A source, as `/sources` names it.")
    dataset: Slug | None = Field(default=None, description="One of its datasets; null: all, instruments first.")


def _jobs(request: Request) -> list[dict[str, Any]]:
    return request.app.state.jobs()


async def _answer(
    request: Request, db: Database, ids: Sequence[str], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    rows = [job for job in _jobs(request) if job["id"] in ids]
    notices = [] if request.app.state.scheduled or status != 202 else [NOBODY]
    response = await render(db, quality.jobs(rows), JobRow, plain(request), meta(notices=notices))
    response.status_code = status
    response.headers.update({"Cache-Control": "no-store", **(headers or {})})
    return response


ACCEPTED: dict[str, Any] = {
    "tags": [TAG],
    "status_code": 202,
    "response_model": Envelope[JobRow],
    "responses": {
        202: {"description": "Asked for", "headers": {"Location": {"schema": {"type": "string"}}}},
        **problems(400, *DENIED, 404, 413),
    },
}
DONE: dict[str, Any] = {**ACCEPTED, "status_code": 200, "responses": problems(400, *DENIED, 404, 413)}


def _wanted(request: Request, order: PullOrder) -> list[str]:
    """The jobs an order means, instruments first."""
    jobs = _jobs(request)
    of_source = [job for job in jobs if job["source"] == order.source]
    if not of_source:
        raise _unknown("source", order.source, [job["source"] for job in jobs])
    wanted = [job["id"] for job in of_source if order.dataset in (None, job["dataset"])]
    if not wanted:
        raise _unknown("dataset", order.dataset or "", [job["dataset"] for job in of_source])
    return sorted(wanted, key=lambda job: not job.endswith(":instruments"))


def _unknown(field: str, word: str, known: list[str]) -> BadRequest:
    there = list(dict.fromkeys(known))
    reason = f"no such {field}; there are {', '.join(there) or 'none'}"
    wrong = [Wrong(f"body.{field}", word, reason)]
    close = nearest(word, there)
    return BadRequest(f"{field} {word}: {reason}", code=f"unknown_{field}", errors=wrong, candidates=close)


@router.post("/admin/pulls", **ACCEPTED)
async def start_pull(request: Request, db: DatabaseDep, order: PullOrder) -> Response:
    """Pull now, whatever the schedule says. `Location` lists the pulls that come of it."""
    wanted = _wanted(request, order)
    last = await quality.last_pull(db)
    for job in wanted:
        await log.ask_job(db, job)
    dataset = f"&dataset={order.dataset}" if order.dataset else ""
    location = f"{request.scope.get('root_path', '')}/admin/pulls?source={order.source}{dataset}&after={last}"
    return await _answer(request, db, wanted, 202, {"Location": location})


@router.get("/admin/pulls", **documented(PullRow, *DENIED, tag=TAG))
async def list_pulls(
    db: DatabaseDep,
    common: CommonDep,
    source: Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")] = None,
    dataset: Annotated[Slugs, Query(description="Only of these datasets; comma list or repeated.")] = None,
    status: Annotated[Status | None, lower, Query(description="Only those that stand so.")] = None,
    after: Annotated[int | None, Query(ge=0, lt=2**53, description="Only pulls with a higher number.")] = None,
) -> Response:
    """The log of pulls, oldest first; `order=desc` for the newest."""
    query = quality.pulls(sources=source, datasets=dataset, status=status, after=after)
    return await render(db, query, PullRow, common, meta())


@router.get("/admin/pulls/{id}", **documented(PullRow, *DENIED, 404, tag=TAG))
async def get_pull(
    db: DatabaseDep, common: CommonDep, id: Annotated[int, Path(ge=1, lt=2**31, description="Number of a pull.")]
) -> Response:
    """One pull."""
    if not await quality.has_pull(db, id):
        raise NotFound(f"No pull {id}", code="unknown_pull")
    return await render(db, quality.pulls(one=id), PullRow, common, meta())


@router.get("/admin/jobs", **documented(JobRow, *DENIED, tag=TAG))
async def list_jobs(request: Request, db: DatabaseDep, common: CommonDep) -> Response:
    """The schedule: what is asked of whom, how often, and how it went last."""
    return await render(db, quality.jobs(_jobs(request)), JobRow, common, meta())


def _known(request: Request, id: JobId) -> str:
    ids = [job["id"] for job in _jobs(request)]
    if id not in ids:
        raise NotFound(f"No job {id}", code="unknown_job", candidates=nearest(id, ids))
    return id


KnownJob = Annotated[str, Depends(_known)]


@router.post("/admin/jobs/{id}/run", **ACCEPTED)
async def run_job(request: Request, db: DatabaseDep, job: KnownJob) -> Response:
    """Run a job now, paused or not. `Location` lists the pulls that come of it."""
    last = await quality.last_pull(db)
    await log.ask_job(db, job)
    source, _, dataset = job.partition(":")
    location = f"{request.scope.get('root_path', '')}/admin/pulls?source={source}&dataset={dataset}&after={last}"
    return await _answer(request, db, [job], 202, {"Location": location})


@router.post("/admin/jobs/{id}/pause", **DONE)
async def pause_job(request: Request, db: DatabaseDep, job: KnownJob) -> Response:
    """Leave a job out of the schedule until it is resumed."""
    await log.pause_job(db, job, True)
    return await _answer(request, db, [job])


@router.post("/admin/jobs/{id}/resume", **DONE)
async def resume_job(request: Request, db: DatabaseDep, job: KnownJob) -> Response:
    """Have a job on the schedule again."""
    await log.pause_job(db, job, False)
    return await _answer(request, db, [job])
