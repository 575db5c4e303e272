"""`perpstore demo`: a small set of generated data to try every view with, marked as such, and out again."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import Failure, emit, note, say, stamp
from app.cli.options import Json, moment
from app.cli.progress import progress

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.services.demo import Loaded

NEXT = "open http://{host}:{port}/ beside `perpstore serve`; `perpstore demo --remove` takes it out again"


def demo(
    remove: Annotated[bool, typer.Option("--remove", help="Take all of it out again.")] = False,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Where it ends; default: now.")] = None,
    json: Json = False,
) -> None:
    """Load generated data to try things out with.

    Thirty days of exchanges that do not exist (demo-alpha, demo-beta, …): every answer says that the store holds them.
    Doing it again brings it up to now. What is real is not touched.

    \b
    Examples:
      perpstore demo
      perpstore demo --until 2026-11-20
      perpstore demo --remove
    """
    from app.cli.session import on_database

    if remove:
        return _show_removed(on_database(_remove), json=json)
    end = _end(moment("--until", until))

    async def work(session: "Session") -> "tuple[Loaded, bool]":
        return await _load(session, end)

    _show_loaded(*on_database(work), json=json)


def _end(until: datetime | None) -> datetime:
    from app.services.demo import EARLIEST

    now = datetime.now(UTC)
    if until is not None and not EARLIEST <= until <= now:
        raise Failure(f"--until {stamp(until)}: a time from {EARLIEST.date()} to now expected", 2)
    return (until or now).replace(microsecond=0)


async def _load(session: "Session", end: datetime) -> "tuple[Loaded, bool]":
    from app.services import demo, generated

    try:
        with progress("rows") as tell:
            loaded = await demo.load(session.db, end, lambda dataset, rows: tell(dataset, rows, None))
    except demo.NameTaken as error:
        raise Failure(f"{error}. Generated data would mix with it: use another database (DATABASE_URL)") from error
    return loaded, await generated.is_beside_real(session.db)


async def _remove(session: "Session") -> list[str]:
    from app.services import demo

    return await demo.remove(session.db)


def _show_loaded(loaded: "Loaded", beside_real: bool, *, json: bool) -> None:
    from app.cli.session import settings

    if json:
        document: dict[str, Any] = {
            "until": loaded.until,
            "exchanges": loaded.exchanges,
            "rows": loaded.rows,
            "new": loaded.new,
            "beside_real_data": beside_real,
        }
        return emit(document)
    rows = sum(loaded.rows.values())
    told = f"{rows:,} generated rows of {', '.join(loaded.exchanges)} until {stamp(loaded.until)}"
    say(f"{told}, {loaded.new:,} of them new")
    if beside_real:
        note("there is real data beside it: means over all exchanges count generated ones in until it is taken out")
    found = settings()
    note(NEXT.format(host=found.host, port=found.port))


def _show_removed(exchanges: list[str], *, json: bool) -> None:
    if json:
        emit({"removed": exchanges})
    elif exchanges:
        say(f"taken out: {', '.join(exchanges)}, and everything told of them")
    else:
        say("there was nothing generated to take out")
