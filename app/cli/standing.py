"""How each source stands, as `/quality/sources` tells it of the same pulls."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.cli.sources import configured

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.services.standing import Expected

Facts = Mapping[str, Any]


def described(session: "Session") -> list[dict[str, Any]]:
    """All sources in plain words, with how often each of their feeds is asked."""
    from app.ingest import describing

    return [describing.source(source, session.settings) for source in configured().values()]


def expected(session: "Session") -> "list[Expected]":
    """What the settings have pulled or collected."""
    from app.ingest import describing
    from app.services import standing

    told = described(session)
    names = [source["source"] for source in told if source["pulled"]]
    streamed = describing.collected(configured(names).values()) if session.settings.streams and names else []
    return standing.expected(told, streamed)


async def sources(session: "Session", jobs: Sequence[Facts], freshness: Sequence[Facts]) -> list[dict[str, Any]]:
    """A row a source: the fields of `/quality/sources`, and `newest` with its `age_s`, of all it tells.

    Whether any process pulls is told by the schedule: here a source stands as its last pulls went.
    """
    from app.services import quality, standing

    told, wanted = described(session), expected(session)
    pulls = await quality.source_states(session.db, standing.datasets(told))
    due = {job["source"]: job["next_run"] for job in sorted(jobs, key=_due, reverse=True) if job["next_run"]}
    now, rows = datetime.now(UTC), list[dict[str, Any]]()
    for one in told:
        mine = [row for row in freshness if row["source"] == one["source"]]
        words = standing.standing(one, pulls, due.get(one["source"]), now, scheduled=True)
        late = sum(bool(row["late"]) for row in mine)
        rows.append({**standing.row(one, pulls, wanted, late, words), **_newest(mine, now)})
    return rows


def _due(job: Facts) -> datetime:
    return job["next_run"] or datetime.max.replace(tzinfo=UTC)


def _newest(mine: Sequence[Facts], now: datetime) -> dict[str, Any]:
    newest: datetime | None = max((row["newest"] for row in mine if row["newest"]), default=None)
    return {"newest": newest, "age_s": newest and max(0.0, (now - newest).total_seconds())}
