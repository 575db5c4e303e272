"""How a source stands, as its description and its pulls tell: whether it tells, why not, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from app.services.quality import Pulls

State = Literal["ok", "failing", "unreachable", "waiting", "disabled", "off"]
Words = tuple[State, str | None, str | None]
"""A state, the reason for it and what to do next."""
Expected = tuple[str, str, float | None]
"""A source, a fact it is to tell, and the seconds between two times it is asked; None: nobody can say."""
Facts = Mapping[str, Any]
NO_PULLS = Pulls(None, None, 0, running=False, error=None, unanswered=False)
TURNS_MISSED = 2


def expected(sources: Sequence[Facts], collected: Sequence[Expected]) -> list[Expected]:
    """What is expected of all sources that are pulled, and of their collectors.

    What is asked for as one but stored as several facts is expected of each of these.
    """
    pulled = [(source["source"], feed) for source in sources if source["pulled"] for feed in source["schedule"]]
    return [*((source, fact, feed["every_s"]) for source, feed in pulled for fact in feed["facts"]), *collected]


def datasets(sources: Sequence[Facts]) -> dict[str, list[str]]:
    """What each source is pulled for, by source."""
    return {one["source"]: list(dict.fromkeys(feed["dataset"] for feed in one["schedule"])) for one in sources}


def row(
    source: Facts, told: Mapping[str, Pulls], wanted: Sequence[Expected], late: int, words: Words
) -> dict[str, Any]:
    """The fields of `/quality/sources` that do not depend on who asks; `late` of the facts `wanted` of sources."""
    (state, reason, next_step), pulls = words, told.get(source["source"], NO_PULLS)
    facts = {fact for name, fact, _ in wanted if name == source["source"]}
    facts |= {fact for feed in source["schedule"] for fact in feed["facts"]}
    return {
        **{name: source[name] for name in ("source", "name", "key_setting", "key_present")},
        **{"state": state, "reason": reason, "next_step": next_step},
        **{"last_success_at": pulls.last_success_at, "last_failure_at": pulls.last_failure_at},
        "failures": pulls.failures,
        "datasets": len(facts),
        "late": late if source["pulled"] else None,
    }


def standing(
    source: Facts, told: Mapping[str, Pulls], due: datetime | None, now: datetime, *, scheduled: bool
) -> Words:
    """How a source stands. `told`: how the pulls of each source went; `due`: when this one is asked next.

    `scheduled`: this process pulls. Where it does not, another one on the same database may: its pulls are recent.
    """
    pulls = told.get(source["source"], NO_PULLS)
    if source["disabled"]:
        return "disabled", source["disabled"], f"set {source['key_setting']} in .env and restart"
    if not source["pulled"]:
        return "off", "PERPSTORE_SOURCES does not name it", "add it to PERPSTORE_SOURCES and restart"
    if not (scheduled or _is_recent(source["schedule"], pulls, now)):
        pull = f"`perpstore pull {source['source']}` asks once"
        return "off", "the scheduler is off", f"set PERPSTORE_SCHEDULER=on and restart; {pull}"
    if not source["schedule"]:
        return "ok", "nothing of it is pulled: it is collected", "/admin/collectors says how"
    if {feed["dataset"] for feed in source["schedule"]} <= set(pulls.paused):
        return "off", _paused(pulls), "resume its jobs: /admin/jobs names them"
    again = f"it is asked again at {due.astimezone(UTC).isoformat().replace('+00:00', 'Z')}" if due else None
    return _by_pulls(pulls, again or "it is asked again when its turn comes")


def _is_recent(schedule: Sequence[Facts], told: Pulls, now: datetime) -> bool:
    """Whether somebody pulled a source in its last turns."""
    last = max(filter(None, (told.last_success_at, told.last_failure_at)), default=None)
    turn = timedelta(seconds=min((feed["every_s"] for feed in schedule), default=0))
    return told.running or (last is not None and now - last <= TURNS_MISSED * turn)


def _by_pulls(told: Pulls, again: str) -> Words:
    last, failed = told.last_success_at, told.last_failure_at
    if failed is None and last is None:
        return "waiting", "its first pull is running" if told.running else "not asked yet", again
    if not told.failures or failed is None:
        return "ok", _paused(told), None
    beside = f" ({_paused(told)})" if told.paused else ""
    if told.unanswered and (last is None or last < failed):
        return "unreachable", f"{told.error}{beside}", f"check the network; {again}"
    return "failing", f"{told.error}{beside}", f"{again}; /admin/errors has all that went wrong"


def _paused(told: Pulls) -> str | None:
    return f"paused: {', '.join(told.paused)}" if told.paused else None
