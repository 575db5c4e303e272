"""The SQL prompt as people use it: commands, scripts and a terminal, none of which can change anything."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db import Database
from tests.conftest import ROOT
from tests.e2e.test_cli import COMMAND, Done, Environment, lines

MANY = "select g, g / 7.0::float8 as f, now() as t from generate_series(1, {}) g"
ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


@pytest.fixture
def environment(clean_database: Database, tmp_path: Path) -> Environment:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
    return {**ours, "DATABASE_URL": clean_database.dsn, "HOME": str(tmp_path)}


def query(environment: Environment, *words: str, script: str = "") -> Done:
    command = [*COMMAND, "query", *words]
    return subprocess.run(command, input=script, capture_output=True, text=True, env=environment, cwd=ROOT)


def test_rows_in_three_formats(environment: Environment) -> None:
    asked = ("-c", "select slug, null as nothing from exchange where slug in ('okx', 'bybit') order by slug")
    shown = query(environment, *asked)
    assert shown.stdout == "slug   nothing\nbybit  -\nokx    -\n"
    assert shown.stderr == "2 rows\n"
    found = query(environment, *asked, "--json", "-c", "select timestamptz '2026-01-02' as t")
    documents = found.stdout.replace("]\n[", "]\0[").split("\0")
    assert [json.loads(text) for text in documents] == [
        [{"slug": "bybit", "nothing": None}, {"slug": "okx", "nothing": None}],
        [{"t": "2026-01-02T00:00:00Z"}],
    ]
    assert query(environment, *asked, "--csv").stdout == "slug,nothing\nbybit,\nokx,\n"


def test_a_script_ends_at_its_first_error_and_says_where(environment: Environment) -> None:
    done = query(environment, "--csv", script="select 1 as a; -- fine\nselect 2 as b,\n  nope;\nselect 3 as c;")
    assert done.returncode == 1
    assert done.stdout == "a\n1\n"
    assert done.stderr == 'perpstore: column "nope" does not exist at line 3, column 3\n'


def test_a_write_is_refused(environment: Environment) -> None:
    done = query(environment, "-c", "insert into source (slug) values ('x') returning id")
    assert (done.returncode, done.stdout) == (1, "")
    assert lines(done.stderr) == [
        "perpstore: cannot execute INSERT in a read-only transaction: a query only reads "
        "(SELECT, WITH, VALUES, TABLE, SHOW, EXPLAIN)"
    ]


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_many_rows_take_no_more_memory_than_few(environment: Environment, form: str) -> None:
    few, many = (_peak(environment, form, MANY.format(rows)) for rows in (1_000, 200_000))
    assert many < few + 15_000


def _peak(environment: Environment, form: str, text: str) -> int:
    """Kilobytes a query took at most."""
    process = subprocess.Popen(
        [*COMMAND, "query", form, "-c", text], stdout=subprocess.DEVNULL, env=environment, cwd=ROOT
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def test_whoever_reads_may_stop_reading(environment: Environment) -> None:
    command = [*COMMAND, "query", "--csv", "-c", MANY.format(500_000)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "g,f,t\n"
        process.stdout.close()
        assert process.stderr.read() == ""


class Terminal:
    """A prompt on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def until(self, end: str) -> str:
        """What is shown until it ends so."""
        assert self.process.stdout
        file, shown, deadline = self.process.stdout.fileno(), "", time.monotonic() + 30
        while not shown.endswith(end):
            assert select.select([file], [], [], max(0, deadline - time.monotonic()))[0], shown
            shown += os.read(file, 65_536).decode().replace("\r", "")
        return shown

    def interrupt(self) -> None:
        """Ctrl-C until the prompt is there: Python misses one that comes after its prompt and before it waits."""
        assert self.process.stdin
        assert self.process.stdout
        for _ in range(20):
            self.process.stdin.write(b"\x03")
            if select.select([self.process.stdout.fileno()], [], [], 1.5)[0]:
                self.until("perpstore> ")
                return
        raise AssertionError("Ctrl-C is not heeded")

    def type(self, text: str, end: str = "perpstore> ") -> str:
        """Type, and what is shown until the next prompt."""
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        return self.until(end)


@pytest.fixture
def terminal(environment: Environment) -> Iterator[Terminal]:
    command = [sys.executable, "-c", ON_A_TERMINAL, *COMMAND, "query"]
    there = {**environment, "TERM": "dumb"}
    with subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=there, cwd=ROOT
    ) as process:
        found = Terminal(process)
        try:
            found.until("perpstore> ")
            yield found
        finally:
            process.kill()


def test_the_prompt(terminal: Terminal, tmp_path: Path) -> None:
    assert "        -> " in terminal.type("select 1 as a,\n", "-> ")
    assert "a  b\n1  2\n1 row\n" in terminal.type("2 as b;\n")
    assert 'error: column "nope" does not exist at line 1, column 8\n' in terminal.type("select nope;\n")
    assert "error: INSERT is not run: a query only reads" in terminal.type("insert into source (slug) values ('x');\n")
    assert "known_at        timestamp with time zone  false" in terminal.type("\\d funding\n")
    assert "coin_1h_ready" in terminal.type("\\d\n")
    assert 'error: relation "nothing" does not exist\n' in terminal.type("\\d nothing\n")
    assert "\\d TABLE    its columns\n" in terminal.type("\\?\n")
    terminal.type("select 'never\n", "-> ")
    terminal.interrupt()
    assert "c\n3\n" in terminal.type("select 3 as c;\n")
    terminal.type("select pg_sleep(60);\n", "\n")
    time.sleep(1.5)
    assert "cancelled\n" in terminal.type("\x03")
    assert "d\n4\n" in terminal.type("select 4 as d;\n")
    terminal.type("\x04", "\n")
    assert terminal.process.wait(30) == 0
    assert "select 4 as d;" in (tmp_path / ".perpstore_history").read_text().splitlines()
