"""How each source stands: whether it tells, why not, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs
from app.api.openapi import documented
from app.api.quality import TAG, expected
from app.api.render import meta, render_known
from app.api.schemas import OutTime, Row, column
from app.api.times import stamp, utc_now
from app.services import quality

router = APIRouter()

State = Literal["ok", "failing", "unreachable", "waiting", "disabled", "off"]
Words = tuple[State, str | None, str | None]
"""A state, the reason for it and what to do next."""
NO_SCHEDULE = "the scheduler is off (PERPSTORE_SCHEDULER): nothing is pulled by this process"
TURNS_MISSED = 2


class SourceState(Row):
    """How one source stands."""

    keys: ClassVar[tuple[str, ...]] = ("source",)

    source: str = column("Who tells.")
    name: str = column("Its name.")
    state: State = column(
        "ok: its last pulls were answered; failing: it answers, but pulls fail; unreachable: its last pull got no "
        "answer at all; waiting: not asked yet; disabled: its key is missing; off: nobody pulls it."
    )
    reason: str | None = column("Why, in one line: of pulls the last error; null: it is ok.")
    next_step: str | None = column("What to do, or what happens next; null: nothing is to be done.")
    next_at: OutTime | None = column("When it is asked next; null: it is not, or another process does.")
    last_success_at: OutTime | None = column("When a pull last brought something; null: never in 30 days.")
    last_failure_at: OutTime | None = column("When a pull last failed; null: never in 30 days.")
    failures: int = column("Pulls that failed, each since the last success of its dataset.")
    datasets: int = column("How many datasets it is asked for.")
    late: int | None = column("How many of what it tells are overdue, as /quality/freshness says; null: not pulled.")
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
    told = await quality.source_states(db, {one["source"]: _datasets(one) for one in sources})
    late = await quality.late(db, expected(request), utc_now())
    scheduled: bool = request.app.state.scheduled
    due = {job["source"]: _due(job) for job in sorted(request.app.state.jobs(), key=_due, reverse=True)}
    rows = [_row(one, told[one["source"]], late, due.get(one["source"]), scheduled=scheduled) for one in sources]
    return await render_known(db, rows, SourceState, common, meta(notices=() if scheduled else (NO_SCHEDULE,)))


def _due(job: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(job["next_at"])


def _datasets(source: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(feed["dataset"] for feed in source["schedule"]))


def _row(
    source: Mapping[str, Any], told: quality.Pulls, late: Mapping[str, int], due: datetime | None, *, scheduled: bool
) -> dict[str, Any]:
    state, reason, next_step = standing(source, told, due, utc_now(), scheduled=scheduled)
    return {
        **{name: source[name] for name in ("source", "name", "key_setting", "key_present")},
        **{"state": state, "reason": reason, "next_step": next_step},
        "next_at": None if state in ("disabled", "off") else due,
        **{"last_success_at": told.last_success_at, "last_failure_at": told.last_failure_at},
        "failures": told.failures,
        "datasets": len(_datasets(source)),
        "late": late.get(source["source"], 0) if source["pulled"] else None,
    }


def standing(
    source: Mapping[str, Any], told: quality.Pulls, due: datetime | None, now: datetime, *, scheduled: bool
) -> Words:
    """How a source stands, as `describing.source` and its pulls tell. `due`: when it is asked next.

    `scheduled`: this process pulls. Where it does not, another one on the same database may: its pulls are recent.
    """
    if source["disabled"]:
        return "disabled", source["disabled"], f"set {source['key_setting']} in .env and restart"
    if not source["pulled"]:
        return "off", "PERPSTORE_SOURCES does not name it", "add it to PERPSTORE_SOURCES and restart"
    if not (scheduled or _is_recent(source["schedule"], told, now)):
        pull = f"`perpstore pull {source['source']}` asks once"
        return "off", "the scheduler is off", f"set PERPSTORE_SCHEDULER=on and restart; {pull}"
    return _by_pulls(told, f"it is asked again at {stamp(due)}" if due else "it is asked again when its turn comes")


def _is_recent(schedule: Sequence[Mapping[str, Any]], told: quality.Pulls, now: datetime) -> bool:
    """Whether somebody pulled a source in its last turns."""
    last = max(filter(None, (told.last_success_at, told.last_failure_at)), default=None)
    turn = timedelta(seconds=min(feed["every_s"] for feed in schedule))
    return told.running or (last is not None and now - last <= TURNS_MISSED * turn)


def _by_pulls(told: quality.Pulls, again: str) -> Words:
    last, failed = told.last_success_at, told.last_failure_at
    if failed is None and last is None:
        return "waiting", "its first pull is running" if told.running else "not asked yet", again
    if not told.failures or failed is None:
        return "ok", None, None
    if told.unanswered and (last is None or last < failed):
        return "unreachable", told.error, f"check the network; {again}"
    return "failing", told.error, f"{again}; /admin/errors has all that went wrong"
