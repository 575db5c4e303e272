"""The container files say what the program needs. There is no engine here: they are read, not run."""

import json
import re
from typing import Any

import pytest
import typer
import yaml

from app.cli.commands import app
from app.settings import Settings
from tests.conftest import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "perpstore"]
PUBLISHED = [name for name, service in COMPOSE["services"].items() if "ports" in service]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return COMPOSE["services"]


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


@pytest.mark.parametrize("name", OURS)
def test_the_settings_given_are_settings(services: dict[str, Any], name: str) -> None:
    known = {"DATABASE_URL", "PGPASSWORD", *(f"PERPSTORE_{name.upper()}" for name in Settings.model_fields)}
    assert services[name]["environment"].keys() <= known
    assert services[name]["environment"]["PERPSTORE_HOST"] == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("name", OURS)
def test_what_is_run_are_commands_of_the_program(services: dict[str, Any], name: str) -> None:
    word, *options = services[name]["command"]
    program = typer.main.get_command(app)
    program.commands[word].make_context(word, options)  # type: ignore[attr-defined]


def test_every_image_is_of_one_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name not in OURS:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-pg1[78])?", service["image"]), name
    assert services["grafana-role"]["image"] == services["db"]["image"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_host_publishes_on_loopback_only(services: dict[str, Any], name: str) -> None:
    (port,) = services[name]["ports"]
    inside = {"serve": COMPOSE["x-perpstore"]["environment"]["PERPSTORE_PORT"], "grafana": "3000", "prometheus": "9090"}
    assert re.fullmatch(r"\$\{PERPSTORE_BIND:-127\.0\.0\.1\}:\$\{\w+:-\d+\}:" + inside[name], port)


def test_what_is_optional_is_of_a_profile(services: dict[str, Any]) -> None:
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    monitoring = {"prometheus": ["monitoring"]}
    assert profiles == {"collect-btc": ["collectors"], "collect-eth": ["collectors"], **monitoring}


def test_what_stays_up_is_watched_and_started_again(services: dict[str, Any]) -> None:
    """`serve` by the image's own health check; collectors listen on nothing."""
    for name in ("db", "serve", "grafana", "prometheus", "collect-btc", "collect-eth"):
        assert services[name]["restart"] == "unless-stopped"
    assert all("test" in services[name]["healthcheck"] for name in ("db", "grafana", "prometheus"))
    assert "healthcheck" not in services["serve"]
    assert not any("restart" in services[name] for name in ("migrate", "grafana-role"))


def test_each_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    needed = {(name, other) for name, service in services.items() for other in service.get("depends_on", {})}
    assert {other for _, other in needed} <= services.keys()
    done = {"condition": "service_completed_successfully"}
    for name, other in (("collect-btc", "migrate"), ("grafana-role", "migrate"), ("grafana", "grafana-role")):
        assert services[name]["depends_on"][other] == done


def test_files_and_volumes_are_there(services: dict[str, Any]) -> None:
    for service in services.values():
        for mounted in service.get("volumes", ()):
            place = mounted.split(":")[0]
            assert (ROOT / place).exists() if place.startswith(".") else place in COMPOSE["volumes"]
    (watched,) = services["serve"]["volumes"]
    assert watched == f"database:{services['serve']['environment']['PERPSTORE_DATABASE_DIR']}:ro"


def test_grafana_reads_what_is_provisioned(services: dict[str, Any]) -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/perpstore.yaml").read_text())["datasources"]
    role = services["grafana-role"]["environment"]
    assert source["uid"] == "perpstore"
    assert (source["url"], source["jsonData"]["database"]) == (f"{role['PGHOST']}:5432", role["PGDATABASE"])
    assert f"\\set role {source['user']}\n" in (ROOT / "deploy/postgres/grafana.sql").read_text()
    password = services["grafana"]["environment"]["GRAFANA_DB_PASSWORD"]
    assert (source["secureJsonData"]["password"], password) == ("$GRAFANA_DB_PASSWORD", role["GRAFANA_DB_PASSWORD"])
    (provider,) = yaml.safe_load((folder / "dashboards/perpstore.yaml").read_text())["providers"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
    assert (ROOT / "deploy/grafana/dashboards" / home.removeprefix(f"{provider['options']['path']}/")).is_file()


def test_prometheus_asks_serve_and_knows_the_alerts(services: dict[str, Any]) -> None:
    folder = ROOT / "deploy/prometheus"
    asked = yaml.safe_load((folder / "prometheus.yml").read_text())
    (job,) = asked["scrape_configs"]
    port = services["serve"]["environment"]["PERPSTORE_PORT"]
    assert job["static_configs"] == [{"targets": [f"serve:{port}"]}]
    assert all((folder / name).is_file() for name in asked["rule_files"])
    assert f"./{folder.relative_to(ROOT)}:/etc/prometheus:ro" in services["prometheus"]["volumes"]


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
