"""What `perpstore status` says on one screen: what is there, how each source stands, what is wrong and what to do."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.cli.console import say, size, span, table
from app.cli.facts import where

LARGEST, WRONGS, LONGEST = 5, 8, 72
SOON_DAYS = 14
LIVE_GAPS = ("open", "repairing", "unfillable")
STATES = r"(?m)^\S+ +(?:(?P<good>ok)|(?P<odd>late|waiting|off|needs key)|(?P<bad>failing|unreachable))(?= |$)"
MARKS = r"(?m)^(?P<bad>!)"
Facts = Mapping[str, Any]


def show(found: Facts) -> None:
    """Print it: in colours where a person watches who wants them, the same words everywhere."""
    text = "\n".join(lines(found))
    painted(text) if sys.stdout.isatty() else say(text)


def painted(text: str) -> None:
    """States in colours, which say nothing that the words do not. NO_COLOR and TERM=dumb are heeded."""
    from rich.console import Console
    from rich.highlighter import RegexHighlighter
    from rich.theme import Theme

    class States(RegexHighlighter):
        highlights = (STATES, MARKS)

    theme = Theme({"good": "green", "odd": "yellow", "bad": "red"})
    Console(theme=theme, highlighter=States()).print(text, markup=False, soft_wrap=True)


def lines(found: Facts) -> Iterator[str]:
    """The screen, some forty lines."""
    database, forecast = found["database"], found["forecast"]
    yield f"database    PostgreSQL {database['version'].split()[0]}, {where(database)}"
    yield f"size        {size(database['bytes'])}: {_largest(found['tables'])}"
    yield f"disk        {told_of_disk(forecast)}"
    yield f"schedule    {_schedule(found['scheduler'])}"
    yield f"collectors  {_collectors(found['collectors'])}"
    yield from told_of_generated(found["generated"])
    yield "\n" + table(("SOURCE", "STATE", "NEWEST", "LATE", "LAST ERROR"), map(_source, found["sources"]))
    yield "\n" + _gaps(found["gaps"])
    wrong = list(wrongs(found))
    yield "\n" + ("Nothing is wrong." if not wrong else "\n".join(f"! {line}" for line in wrong[:WRONGS]))
    if len(wrong) > WRONGS:
        yield f"! and {len(wrong) - WRONGS} more: `perpstore status --json`"
    yield "All tables, datasets and pulls: `perpstore status --all`"


def told_of_generated(exchanges: Sequence[str]) -> Iterator[str]:
    """That there is data made up to try things out with, if there is."""
    if exchanges:
        yield f"generated   {', '.join(exchanges)}; `perpstore demo --remove` takes it out"


def told_of_disk(forecast: Facts) -> str:
    """How full it is, what a day adds, and what comes of that."""
    disk, a_day, most = forecast["disk"], forecast["bytes_per_day"], forecast["settles_at_bytes"]
    told = f"{size(disk['free'])} free of {size(disk['total'])}" if disk else "not known (PERPSTORE_DATABASE_DIR)"
    grows = "no day has ended yet" if a_day is None else f"{size(a_day)} a day"
    settles = "" if most is None else f", the database settles at {size(most)}"
    full = "" if forecast["full_in_days"] is None else f", full in {forecast['full_in_days']:.0f} days"
    return f"{told}, {grows}{settles}{full}"


def state_of(source: Facts) -> str:
    """The state in a word or two: late is what tells, but not all in time."""
    if source["state"] == "disabled":
        return "needs key"
    return "late" if source["state"] == "ok" and source["late"] else source["state"]


def _source(source: Facts) -> tuple[object, ...]:
    late = f"{source['late']} of {source['datasets']}" if state_of(source) in ("ok", "late", "failing") else None
    error = source["reason"] if source["state"] in ("failing", "unreachable") else ""
    return source["source"], state_of(source), span(source["age_s"]) or None, late, _short(error or "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _largest(tables: Sequence[Facts]) -> str:
    return ", ".join(f"{row['table']} {size(row['bytes'])}" for row in tables[:LARGEST])


def _schedule(scheduler: Facts) -> str:
    paused = sum(job["paused"] for job in scheduler["jobs"])
    runs = "running" if scheduler["running"] else "no process runs it"
    return f"{runs}, {len(scheduler['jobs'])} jobs" + (f", {paused} paused" if paused else "")


def _collectors(rows: Sequence[Facts]) -> str:
    states = Counter(row["state"] for row in rows)
    return ", ".join(f"{count} {state}" for state, count in states.most_common()) or "none"


def _gaps(counts: Iterable[Facts]) -> str:
    found: dict[str, Counter[str]] = {}
    for row in counts:
        if row["state"] in LIVE_GAPS:
            found.setdefault(row["dataset"], Counter())[row["state"]] += row["gaps"]
    if not found:
        return "gaps        none known"
    heads = ("GAPS IN", *(state.upper() for state in LIVE_GAPS))
    return table(heads, ((name, *(of[state] for state in LIVE_GAPS)) for name, of in sorted(found.items())))


def wrongs(found: Facts) -> Iterator[str]:
    """What is wrong, the worst first, each with the next step."""
    full, scheduler = found["forecast"]["full_in_days"], found["scheduler"]
    if full is not None and full <= SOON_DAYS:
        yield f"the disk is full in {full:.0f} days. Set PERPSTORE_RETENTION_DAYS, or give it more room"
    if not scheduler["running"]:
        step = "Run" if scheduler["enabled"] else "Set PERPSTORE_SCHEDULER=on and run"
        yield f"nothing is pulled: no process runs the schedule. {step} `perpstore serve`"
    order = {"failing": 0, "unreachable": 0, "late": 1, "needs key": 2}
    for source in sorted(found["sources"], key=lambda one: order.get(state_of(one), 3)):
        yield from _of_source(source)
    for row in found["collectors"]:
        if row["state"] == "waiting":
            behind = f", {span(row['lag_s'])} behind" if row["lag_s"] else ""
            yield f"collector {row['id']} waits{behind}. It connects again by itself; the log of `serve` says why"
    if found["counts"]["rejects"]:
        yield f"{found['counts']['rejects']:,} rows were refused. GET /quality/rejects names them and why"


def _of_source(source: Facts) -> Iterator[str]:
    name = source["source"]
    match state_of(source):
        case "failing" | "unreachable" | "needs key" as state:
            yield f"{name} {state.replace('needs key', 'needs a key')}: {source['next_step']}"
        case "late":
            late = f"{source['late']} of {source['datasets']} datasets"
            yield f"{name} is late with {late}. `perpstore pull {name}` asks now"
        case _:
            pass
