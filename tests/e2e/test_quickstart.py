"""The quickstart does what it says: its commands are typed in an empty folder, and print what the page shows.

Nothing is pulled meanwhile, since tests ask no exchange. What differs from run to run is times, how many rows were
generated, rates, and how far it was after each second; nothing else may.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs/quickstart.md"
BLOCK = re.compile(r'^```(sh|text)(?: title="(First|Second) terminal")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CLONED, INSTALLED, PORT = "<this repository>", ".venv/bin", "127.0.0.1:8000"
MARK = "-- done"
DIFFERS = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"^\w+: [\d,]+ rows\n", re.MULTILINE), ""),
    (re.compile(r"[\d,]+(?= generated rows| of them new)"), "<count>"),
    (re.compile(r"(?<=http://127\.0\.0\.1:)\d+"), "<port>"),
    (re.compile(r",-?\d[\d.e-]*(?=,\d\.0$)", re.MULTILINE), ",<rate>"),
)

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not all(map(shutil.which, ("git", "make", "curl", "bash"))),
    reason="the quickstart needs git, make, curl and bash, and a repository to clone",
)


@dataclass(frozen=True)
class Step:
    terminal: str
    command: str
    printed: str | None


def steps() -> list[Step]:
    """What the page has typed, with what it shows as printed (None: nothing is shown)."""
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    after = [*found[1:], ("", "", "")]
    return [
        Step(terminal, text, then[2] if then[0] == "text" else None)
        for (kind, terminal, text), then in zip(found, after, strict=True)
        if kind == "sh"
    ]


def plain(text: str) -> str:
    for pattern, word in DIFFERS:
        text = pattern.sub(word, text)
    return text.strip()


class Machine:
    """An empty folder with a bare environment, a port of its own, and what is typed otherwise than the page has it."""

    def __init__(self, folder: Path, instead: dict[str, str], more: dict[str, str]) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.instead = {CLONED: str(ROOT), PORT: f"127.0.0.1:{port}", **instead}
        quiet = {"PERPSTORE_SCHEDULER": "off", "PERPSTORE_STREAMS": "off"}
        (folder / "home").mkdir()
        given = {"HOME": str(folder / "home"), "PATH": SYSTEM, "PERPSTORE_PORT": port}
        self.environment = {**given, **quiet, **more}

    def typed(self, command: str) -> str:
        ours = "|".join(map(re.escape, self.instead))
        return re.sub(ours, lambda found: self.instead[found[0]], command)

    def opened(self, command: list[str], stdin: int, stdout: int) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @contextmanager
    def serving(self, step: Step, seconds: float) -> Iterator[None]:
        """The first terminal: its command has said what the page shows, and goes on until Ctrl-C."""
        log = self.folder / "first.log"
        wanted = self.typed(step.printed or "").strip()
        with log.open("w") as output:
            shell = self.opened(["bash", "-e", "-c", self.typed(step.command)], subprocess.DEVNULL, output.fileno())
        try:
            deadline = time.monotonic() + seconds
            while wanted not in log.read_text().splitlines():
                assert shell.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGINT)
            shell.wait(60)

    def second(self, steps: list[Step]) -> Iterator[tuple[Step, str]]:
        """The second terminal: what each command prints, errors included."""
        with self.opened(["bash"], subprocess.PIPE, subprocess.PIPE) as shell:
            assert shell.stdin is not None
            assert shell.stdout is not None
            for step in steps:
                print(f"{self.typed(step.command)}\necho; echo '{MARK}' $?", file=shell.stdin, flush=True)
                lines = iter(shell.stdout.readline, "")
                told: list[str] = []
                while not (line := next(lines, MARK)).startswith(MARK):
                    told.append(line)
                assert line == f"{MARK} 0\n", "".join(told)
                yield step, "".join(told)
            shell.stdin.close()


def follow(machine: Machine, seconds: float) -> None:
    first, *rest = steps()
    assert first.terminal == "First"
    assert len(rest) >= 4
    with machine.serving(first, seconds):
        for step, told in machine.second(rest):
            assert step.printed is None or plain(told) == plain(step.printed), step.command
            assert told.strip(), step.command


def test_it_is_followed_with_what_is_installed(tmp_path: Path) -> None:
    """With `make run BIN=…`, so that nothing is installed; the program is the one of the clone."""
    installed = str(Path(sys.executable).parent)
    instead = {"make run": f"make run BIN={installed}", INSTALLED: installed}
    follow(Machine(tmp_path, instead, {"PYTHONPATH": str(tmp_path / "perpstore")}), 60)


@pytest.mark.soak
def test_it_is_followed_to_the_letter(tmp_path: Path) -> None:
    follow(Machine(tmp_path, {}, {}), 600)
