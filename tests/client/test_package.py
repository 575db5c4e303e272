"""The server is shipped without the client, and the client without the server."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, run_python

WITHOUT = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pandas", "polars", "app"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import importlib.util
from perpstore_client import PerpstoreClient, frames
found = importlib.util.find_spec
frames.find_spec = lambda name: None if name in ("pandas", "polars") else found(name)
print(frames.shaper(None)("a table"))
"""


@pytest.mark.parametrize(("folder", "tops"), [(".", {"app"}), ("client", {"perpstore_client"})])
def test_a_wheel_holds_its_own_package_only(tmp_path: Path, folder: str, tops: set[str]) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT / folder, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == tops
    assert [name for name in names if name.endswith("py.typed")] == [f"{top}/py.typed" for top in tops if top != "app"]


def test_neither_pandas_nor_polars_is_needed() -> None:
    done = run_python("-c", WITHOUT)
    assert (done.returncode, done.stdout) == (0, "a table\n"), done.stderr
