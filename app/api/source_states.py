"""How each source stands: whether it tells, why not, and what to do about it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs
from app.api.openapi import documented
from app.api.quality import TAG, expected
from app.api.render import meta, render_known
from app.api.schemas import OutTime, Row, column
from app.api.times import utc_now
from app.services import quality, standing
from app.services.standing import State

router = APIRouter()

NO_SCHEDULE = "the scheduler is off (PERPSTORE_SCHEDULER): nothing is pulled by this process"


class SourceState(Row):
    """How one source stands."""

    keys: ClassVar[tuple[str, ...]] = ("source",)

    source: str = column("Who tells.")
    name: str = column("Its name.")
    state: State = column(
        "ok: its last pulls were answered; failing: it answers, but pulls fail; unreachable: its last pull got no "
        "answer at all; waiting: not asked yet; disabled: its key is missing; off: nobody pulls it, or all is paused."
    )
    reason: str | None = column("Why, in one line: of pulls the last error, and what is paused; null: all is ok.")
    next_step: str | None = column("What to do, or what happens next; null: nothing is to be done.")
    next_at: OutTime | None = column("When it is asked next; null: it is not, or another process does.")
    last_success_at: OutTime | None = column("When a pull last brought something; null: never in 30 days.")
    last_failure_at: OutTime | None = column("When a pull last failed; null: none of the last 300 of a dataset.")
    failures: int = column("Pulls that failed since the last success of each dataset that is not paused, 300 at most.")
    datasets: int = column("How many datasets it is to tell, as /quality/freshness names them.")
    late: int | None = column("How many of these are overdue, as /quality/freshness says; null: not pulled.")
    key_setting: str | None = column("The setting of its key; null: it needs none.")
    key_present: bool = column("Whether there is a key.")


@router.get("/quality/sources", **documented(SourceState, tag=TAG))
async def list_source_states(
    request: Request,
    db: DatabaseDep,
    common: CommonDep,
    source: Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")] = None,
) -> Response:
    """How each source stands, why it tells nothing, and what to do about it.

    A pull is of one dataset: a source is `failing` while the last pull of one of them failed.
    """
    sources = [one for one in request.app.state.sources if source is None or one["source"] in source]
    told = await quality.source_states(db, standing.datasets(sources))
    wanted, now = expected(request), utc_now()
    late = await quality.late(db, wanted, now, source)
    scheduled: bool = request.app.state.scheduled
    due = {job["source"]: _due(job) for job in sorted(request.app.state.jobs(), key=_due, reverse=True)}
    rows = list[dict[str, Any]]()
    for one in sources:
        name = one["source"]
        words = standing.standing(one, told, due.get(name), now, scheduled=scheduled)
        next_at = None if words[0] in ("disabled", "off") else due.get(name)
        rows.append({**standing.row(one, told, wanted, late.get(name, 0), words), "next_at": next_at})
    return await render_known(db, rows, SourceState, common, meta(notices=() if scheduled else (NO_SCHEDULE,)))


def _due(job: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(job["next_at"])
