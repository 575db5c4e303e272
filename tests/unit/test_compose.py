"""The container files say what the program needs. There is no engine here: they are read, not run."""

import json
import re
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their words, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def last(dockerfile: list[tuple[str, str]], instruction: str) -> str:
    return [rest for word, rest in dockerfile if word == instruction][-1]


def test_serve_waits_for_a_healthy_database_and_finished_migrations(services: dict[str, Any]) -> None:
    assert services["migrate"]["command"] == ["setup"]
    assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert services["serve"]["command"] == ["serve"]
    assert services["serve"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "healthcheck" in services["db"]


def test_the_database_is_a_pinned_timescale_on_a_volume(services: dict[str, Any]) -> None:
    assert re.fullmatch(r"timescale/timescaledb:\d+\.\d+\.\d+-pg1[78]", services["db"]["image"])
    assert services["db"]["volumes"] == ["database:/var/lib/postgresql/data"]
    assert "ports" not in services["db"]


def test_the_settings_given_are_settings(services: dict[str, Any]) -> None:
    known = {"DATABASE_URL", "PGPASSWORD", *(f"PERPSTORE_{name.upper()}" for name in Settings.model_fields)}
    for name in ("migrate", "serve"):
        assert services[name]["environment"].keys() <= known
        assert services[name]["environment"]["PERPSTORE_HOST"] == "0.0.0.0"  # noqa: S104


def test_the_host_publishes_on_loopback_only(services: dict[str, Any]) -> None:
    (port,) = services["serve"]["ports"]
    assert port.startswith("${PERPSTORE_BIND:-127.0.0.1}:")
    assert port.endswith(f":{services['serve']['environment']['PERPSTORE_PORT']}")


def test_the_image_installs_what_is_locked_and_runs_as_a_user(dockerfile: list[tuple[str, str]]) -> None:
    assert dockerfile[0] == ("FROM", "python:3.11-slim AS build")
    assert ("RUN", "pip install --require-hashes -r requirements.lock") in dockerfile
    assert last(dockerfile, "USER") == "perpstore"
    assert json.loads(last(dockerfile, "ENTRYPOINT")) == ["perpstore"]


def test_health_is_what_ready_says(dockerfile: list[tuple[str, str]]) -> None:
    command = last(dockerfile, "HEALTHCHECK").partition("CMD ")[2]
    program = json.loads(command)
    assert program[:2] == ["python", "-c"]
    assert "/health/ready" in program[2]
    compile(program[2], "healthcheck", "exec")


def test_everything_the_image_is_made_of_reaches_the_engine(dockerfile: list[tuple[str, str]]) -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for _, rest in dockerfile[: dockerfile.index(("USER", "perpstore"))] for word in rest.split()}
    assert kept <= copied
    assert all((ROOT / name).exists() for name in kept)
