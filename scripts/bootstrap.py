"""Make a virtual environment with pip in it, on machines whose Python came without one.

Debian ships `venv` apart from Python. What works is tried in order; nothing is downloaded but through pip or apt.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ADVICE = "Python has no working `venv` here. Install it (Debian: apt-get install python3-venv) and run make again."


def works(*command: str) -> bool:
    """Run a command quietly; True when it succeeded."""
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0  # noqa: S603 - our own words


def by_venv(folder: str) -> bool:
    return works(sys.executable, "-m", "venv", "--clear", folder)


def by_virtualenv(folder: str) -> bool:
    with tempfile.TemporaryDirectory() as beside:
        if not works(sys.executable, "-m", "pip", "install", "--quiet", "--target", beside, "virtualenv"):
            return False
        program = f"import sys; sys.path.insert(0, {beside!r}); from virtualenv.__main__ import run; run([{folder!r}])"
        return works(sys.executable, "-c", program)


def by_apt(folder: str) -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    works("apt-get", "update")
    return works("apt-get", "install", "-y", version) and by_venv(folder)


def main() -> None:
    folder = sys.argv[1]
    if sys.version_info < (3, 11):  # noqa: UP036 - the very check
        sys.exit(f"perpstore needs Python 3.11 or later; this is {sys.version.split()[0]}")
    if not any(make(folder) for make in (by_venv, by_virtualenv, by_apt)):
        shutil.rmtree(Path(folder), ignore_errors=True)
        sys.exit(ADVICE)


if __name__ == "__main__":
    main()
