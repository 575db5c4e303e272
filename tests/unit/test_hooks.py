"""What git is to check before a commit: the hooks of the repository, run as git would, with the tools that are here."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

CONFIG = ".pre-commit-config.yaml"
KEY = "AKIA" + "IOSFODNN7" + "ABCDEFG"
"""Put together here, so that this file holds none."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with our hooks, and the environment that runs these tests as theirs."""
    shutil.copy(ROOT / CONFIG, tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def hook(repository: Path, name: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run one hook over these files, which are about to be committed."""
    for file, text in files.items():
        (repository / file.replace("_", ".")).write_text(text)
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    home = {"PRE_COMMIT_HOME": str(repository.parent / "pre-commit")}
    command = [sys.executable, "-m", "pre_commit", "run", name]
    return subprocess.run(command, cwd=repository, env=os.environ | home, capture_output=True, text=True, timeout=60)


def test_a_key_is_refused(repository: Path) -> None:
    done = hook(repository, "secrets", settings_py=f'KEY = "{KEY}"\n', notes_md="nothing to hide\n")
    assert done.returncode == 1
    assert "settings.py:1" in done.stdout
    assert KEY not in done.stdout
    assert "notes.md" not in done.stdout


def test_what_holds_none_passes(repository: Path) -> None:
    assert hook(repository, "secrets", settings_py='KEY = environment()["OKX_API_KEY"]\n').returncode == 0


@pytest.mark.parametrize(("name", "text"), [("ruff", "import os\n"), ("ruff-format", "x = (1)\n")])
def test_python_is_checked(repository: Path, name: str, text: str) -> None:
    assert hook(repository, name, module_py=text).returncode == 1


def test_every_hook_is_of_the_environment_and_fetches_nothing() -> None:
    repositories = yaml.safe_load((ROOT / CONFIG).read_text())["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {one["language"] for one in hooks} == {"system"}
    for one in hooks:
        assert (Path(sys.prefix) / one["entry"].split()[0].removeprefix(".venv/")).exists(), one["id"]


def test_what_deploys_and_explains_holds_no_key() -> None:
    """`make scan` looks at every file, which takes longer than a test may."""
    entry = yaml.safe_load((ROOT / CONFIG).read_text())["repos"][0]["hooks"][0]["entry"]
    found = [file for folder in ("", "deploy/**", ".ci", "scripts") for file in ROOT.glob(f"{folder}/*".lstrip("/"))]
    files = [str(file.relative_to(ROOT)) for file in found if file.is_file() and file.suffix not in (".lock", ".env")]
    assert {"Makefile", ".env.example", "docker-compose.yml", CONFIG} <= set(files)
    tool, *options = shlex.split(entry)
    command = [str(Path(sys.prefix) / tool.removeprefix(".venv/")), *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
