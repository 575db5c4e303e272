"""Named SQL statements: `services/sql/*.sql`, each headed by `-- name: x` and a line that says what a row means."""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"
NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(subject: str) -> dict[str, str]:
    """All statements of one subject (one file), by name. The text pastes into psql; parameters are `$1`, `$2` …"""
    parts = NAME.split((FOLDER / f"{subject}.sql").read_text())
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def sql(subject: str, name: str) -> str:
    """One statement. Raises KeyError for a name that is not in the file."""
    return statements(subject)[name]


def subjects() -> list[str]:
    """The subjects there are, for the test that prepares every statement."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with its arguments, ready to be rendered.

    `start` and `end` are the places (from 0) of the arguments that bound its time: a page can narrow what is read.
    With `step` they are the first and last instant of a grid with about `rows` rows at each, and what is at an instant
    does not depend on how far the grid reaches: a page reads no more instants than fill it.
    """

    text: str
    arguments: tuple[object, ...]
    start: int | None = None
    end: int | None = None
    step: timedelta | None = None
    rows: int = 1
