"""How each source stands, as `/quality/sources` tells it of the same pulls."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.cli.sources import configured

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.services.quality import Pulls

Facts = Mapping[str, Any]


def described(session: "Session") -> list[dict[str, Any]]:
    """All sources in plain words, with how often each of their feeds is asked."""
    from app.ingest import describing

    return [describing.source(source, session.settings) for source in configured().values()]


def expected(session: "Session") -> list[tuple[str, str, float | None]]:
    """Source, dataset and seconds between two times of what the settings have pulled or collected."""
    from app.ingest import describing

    told = [source for source in described(session) if source["pulled"]]
    feeds = [(source["source"], feed) for source in told for feed in source["schedule"]]
    asked: list[tuple[str, str, float | None]] = [
        (name, fact, feed["every_s"]) for name, feed in feeds for fact in feed["facts"]
    ]
    names = [source["source"] for source in told]
    return asked + (describing.collected(configured(names).values()) if session.settings.streams and names else [])


async def sources(session: "Session", jobs: Sequence[Facts], freshness: Sequence[Facts]) -> list[dict[str, Any]]:
    """A row a source: the fields of `/quality/sources`, and `newest` with its `age_s`, of all it tells.

    Whether any process pulls is told by the schedule: here a source stands as its last pulls went.
    """
    from app.services import quality

    told = described(session)
    asked = {source["source"]: _datasets(source) for source in told}
    pulls = await quality.source_states(session.db, asked)
    due = {job["source"]: job["next_run"] for job in sorted(jobs, key=_due, reverse=True) if job["next_run"]}
    return [_row(one, pulls[one["source"]], due.get(one["source"]), freshness) for one in told]


def _datasets(source: Facts) -> list[str]:
    return list(dict.fromkeys(feed["dataset"] for feed in source["schedule"]))


def _due(job: Facts) -> datetime:
    return job["next_run"] or datetime.max.replace(tzinfo=UTC)


def _row(source: Facts, pulls: "Pulls", due: datetime | None, freshness: Sequence[Facts]) -> dict[str, Any]:
    from app.api.source_states import standing

    now, mine = datetime.now(UTC), [row for row in freshness if row["source"] == source["source"]]
    state, reason, next_step = standing(source, pulls, due, now, scheduled=True)
    newest: datetime | None = max((row["newest"] for row in mine if row["newest"]), default=None)
    return {
        **{name: source[name] for name in ("source", "name", "key_setting", "key_present")},
        **{"state": state, "reason": reason, "next_step": next_step},
        **{"last_success_at": pulls.last_success_at, "last_failure_at": pulls.last_failure_at},
        "failures": pulls.failures,
        "datasets": len(_datasets(source)),
        "late": sum(bool(row["late"]) for row in mine) if source["pulled"] else None,
        "newest": newest,
        "age_s": newest and max(0.0, (now - newest).total_seconds()),
    }
