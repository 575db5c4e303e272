"""How far long work has come: moving lines where a person watches, now and then a plain one where none does."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from app.cli.console import note

EVERY_SECONDS = 10.0


class Tell(Protocol):
    """Shows how much of `what` is done, of how much where that is known."""

    def __call__(self, what: str, done: int, total: int | None = None, /) -> None: ...


@contextmanager
def progress(unit: str) -> Generator[Tell]:
    """Something to call with how many units are done."""
    if sys.stderr.isatty():
        with _moving(unit) as tell:
            yield tell
    else:
        yield _plain(unit)


def _plain(unit: str) -> Tell:
    """Of what a line was shown, the end is shown too."""
    told, shown = time.monotonic(), dict[str, int]()

    def tell(what: str, done: int, total: int | None = None, /) -> None:
        nonlocal told
        ended = what in shown and done == total != shown[what]
        if ended or time.monotonic() - told >= EVERY_SECONDS:
            told, shown[what] = time.monotonic(), done
            note(f"{what}: {done:,}{f' of {total:,}' if total else ''} {unit}")

    return tell


@contextmanager
def _moving(unit: str) -> Generator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(20), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int | None = None, /) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total)

        yield tell
