"""Whom the server runs as, how it gets there and dies with its owner, and the socket folder that is its own."""

import os
import pwd
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.embedded.place import EmbeddedError, Place

# Linux exec wrappers: the server gets SIGINT when its parent dies (prctl 1 is PR_SET_PDEATHSIG; as root `setpriv` does
# that), and does not start when the parent died before this was arranged.
DIE_WITH_PARENT = """import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 2)
os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"""
PARENT_LIVES = '[ "$PPID" = "$0" ] && exec "$@"'

User = tuple[int, int]


def server_user(data: Path) -> User | None:
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


def socket_folder(place: Place, user: User | None) -> Path:
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


def wrapper_for(user: User | None, binary: Path, own: Sequence[Path]) -> list[str]:
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
