"""The page of the command line: what every command says of itself."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from typing import Any, cast
from unittest.mock import patch

import typer

from app.cli.commands import app, run
from scripts.pages import NOTE

WIDTH = "110"
INTRO = """# Command line

Every command takes `--json` and works beside a running `serve` and without one. Results go to standard output,
everything else to standard error; the exit code is 0, 1 for a failure, 2 for a line that cannot be understood, 130
after Ctrl-C.

"""


def command_line() -> str:
    """The help of every command."""
    parts = [f"## {' '.join(('perpstore', *path))}\n\n```text\n{_help(path)}\n```\n" for path in _paths(())]
    return NOTE + INTRO + "\n".join(parts)


def _paths(path: tuple[str, ...], command: Any = None) -> Iterator[tuple[str, ...]]:
    """This command, then those in it."""
    here = command or typer.main.get_command(app)
    yield path
    for name, inner in cast("Mapping[str, Any]", getattr(here, "commands", {})).items():
        if not inner.hidden:
            yield from _paths((*path, name), inner)


def _help(path: tuple[str, ...]) -> str:
    with patch.dict(os.environ, {"COLUMNS": WIDTH}), redirect_stdout(io.StringIO()) as told:
        run([*path, "--help"])
    return "\n".join(line.rstrip() for line in told.getvalue().strip().splitlines())
