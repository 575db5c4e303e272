"""Where a server lives, what it is told by default, and the error of one that cannot be had."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be had. The message says what to do next and what the log said last."""


@dataclass(frozen=True, slots=True)
class Place:
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


def failure(place: Place, what: str, step: str) -> EmbeddedError:
    try:
        lines = place.log.read_text(errors="replace").splitlines()[-10:]
    except OSError:  # it never came to a log
        return EmbeddedError(f"{what}. {step}")
    return EmbeddedError("\n  ".join((f"{what}. {step}. Last lines of {place.log}:", *lines)))
