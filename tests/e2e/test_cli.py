"""The command line as people run it: real processes on a data folder of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT
from tests.replay import Replay

RATES = """ts,venue,asset,rate
2024-01-01T00:00:00Z,binance,BTC,0.0001
2024-01-01T08:00:00Z,binance,BTC,0.0002
2024-01-01T16:00:00Z,binance,BTC,-0.0003
"""
MAPPED = ("--map", "ts=time", "--map", "venue=exchange")
DAY = {"start": "2024-01-01", "end": "2024-01-02", "per": "native"}
COMMAND = (sys.executable, "-m", "app.cli")

Environment = dict[str, str]
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh data folder and nothing of the developer's own settings."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PERPSTORE_", "DATABASE_URL"))}
    folder = tmp_path_factory.mktemp("cli")
    return {**ours, "PERPSTORE_DATA_DIR": str(folder / "data"), "PERPSTORE_SCHEDULER": "off"}


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "rates.csv"
    path.write_text(RATES)
    return path


def run(environment: Environment, *words: str | Path) -> Done:
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment, cwd=ROOT)


def document(done: Done, code: int = 0) -> Any:
    """The one JSON document on standard output."""
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@contextmanager
def serving(environment: Environment, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `serve` that is ready, and its address."""
    command = [*COMMAND, "serve", "--port", "0", "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        try:
            assert process.stdout
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            with suppress(ProcessLookupError):
                process.terminate()


def settled(url: str) -> list[float]:
    answer = httpx.get(f"{url}/funding/BTC", params=DAY)
    assert answer.status_code == 200, answer.text
    return [row["rate"] for row in answer.json()["data"]]


def lines(text: str) -> Sequence[str]:
    return text.strip().splitlines()


def test_setup_makes_everything_ready(environment: Environment) -> None:
    found = document(run(environment, "setup", "--json"))
    assert found["database"]["how"] == "started"
    assert found["counts"]["entities"] > 1000
    assert "perpstore serve" in found["next"]
    assert "binance" in found["sources"]


def test_import_without_a_server_says_what_became_of_each_row(environment: Environment, rates: Path) -> None:
    strange = rates.with_name("strange.csv")
    strange.write_text("time,exchange,asset,rate\n2024-01-01T00:00:00Z,binance,NOSUCHCOIN,0.0001\n")
    answer = document(run(environment, "import", "funding", rates, strange, *MAPPED, "--dry-run", "--json"), 1)
    assert (answer["received"], answer["inserted"], answer["rejected_count"]) == (4, 3, 1)
    assert answer["rejected"][0]["file"] == str(strange)
    said = run(environment, "import", "funding", rates, *MAPPED)
    assert said.returncode == 0
    assert said.stdout == "received 3, inserted 3, updated 0, unchanged 0, rejected 0\n"


def test_beside_a_running_server(environment: Environment, rates: Path) -> None:
    with serving(environment) as (server, url):
        assert settled(url) == [0.0001, 0.0002, -0.0003]
        more = rates.with_name("more.csv")
        more.write_text(RATES + "2024-01-01T20:00:00Z,binance,BTC,0.0004\n")
        answer = document(run(environment, "import", "funding", more, *MAPPED, "--json"))
        assert (answer["inserted"], answer["unchanged"]) == (1, 3)
        assert settled(url) == [0.0001, 0.0002, -0.0003, 0.0004]

        made = run(environment, "keys", "create", "--scope", "write,admin", "--name", "x")
        assert len(lines(made.stdout)) == 1
        assert not made.stderr
        key = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert httpx.get(f"{url}/admin/pulls").status_code == 401
        assert httpx.get(f"{url}/admin/pulls", headers=key).status_code == 200

        found = document(run(environment, "status", "--json"))
        assert found["database"]["how"] == "joined"
        assert found["database"]["version"].startswith("18")
        assert found["database"]["timescaledb"] is None
        assert found["database"]["bytes"] > 1_000_000
        assert "funding" in {row["table"] for row in found["tables"]}
        assert found["counts"]["instruments"] == 1
        assert found["forecast"]["disk"]["total"] > found["forecast"]["disk"]["free"] > 0
        assert (found["scheduler"]["running"], found["collectors"]) == (False, [])
        assert ("import", "funding") in {(row["source"], row["dataset"]) for row in found["freshness"]}

        taken = run(environment, "serve", "--port", url.rpartition(":")[2])
        assert taken.returncode == 1
        assert "is taken. Choose another with --port" in lines(taken.stderr)[0]

        begun = time.monotonic()
        server.terminate()
        assert server.wait(10) == 0
        assert time.monotonic() - begun < 5


def test_a_perpspec_says_which_database_it_is_in(environment: Environment) -> None:
    folder = str(Path(environment["PERPSTORE_DATA_DIR"]).resolve())
    added = run(environment, "perpspec", "add", "bin-vwap", "vwap")
    assert lines(added.stderr) == [f"registered in PostgreSQL, embedded: {folder}"]
    again = document(run(environment, "perpspec", "add", "bin-vwap", "vwap", "--json"))
    assert (again["made"], again["database"]["folder"]) == (False, folder)


def test_a_killed_server_comes_back_with_its_data(environment: Environment) -> None:
    with serving(environment) as (server, url):
        assert httpx.get(f"{url}/health/ready").status_code == 200
        server.kill()
        server.wait()
    with serving(environment) as (server, url):
        assert len(settled(url)) == 4
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 130


def test_pull_asks_the_upstream_and_status_tells_of_it(environment: Environment) -> None:
    with Replay() as replay:
        there = {**environment, **replay.settings()}
        asked = ("hyperliquid", "funding", "--days", "1", "--asset", "BTC")
        pulls = document(run(there, "pull", *asked, "--json"))["pulls"]
        assert [(row["dataset"], row["status"]) for row in pulls] == [("funding", "succeeded")]
        assert pulls[0]["inserted"] in (24, 25)
    assert " free of " in next(line for line in lines(run(environment, "status").stdout) if line.startswith("disk"))
    last = document(run(environment, "status", "--json"))["pulls"]
    assert [(row["dataset"], row["status"]) for row in last] == [("funding", "succeeded"), ("instruments", "succeeded")]


def test_probe_shows_what_comes_and_what_it_costs(environment: Environment) -> None:
    with Replay() as replay:
        there = {**environment, **replay.settings()}
        probed = document(run(there, "probe", "binance", "funding", "BTCUSDT", "--json"))
        assert probed["count"] == len(probed["rows"]) > 10
        assert {row["symbol"] for row in probed["rows"]} == {"BTCUSDT"}
        assert probed["last_time"] == probed["rows"][-1]["time"]
        assert probed["requests"] == len(replay.asked) == 2
        assert sum(probed["weight"].values()) >= 2
        strange = run(there, "probe", "binance", "funding", "BTCUSDX")
        assert strange.returncode == 1
        assert "binance has no contract BTCUSDX. Symbols are as it writes them: BTCUSD" in strange.stderr


def test_probe_of_an_upstream_out_of_reach_is_one_line(environment: Environment) -> None:
    done = run({**environment, "OKX_BASE_URL": "http://127.0.0.1:1"}, "probe", "okx", "open_interest")
    assert done.returncode == 1
    (line,) = lines(done.stderr)
    assert "(at http://127.0.0.1:1). Check the network" in line


def test_another_postgresql_that_is_not_there(environment: Environment) -> None:
    # pragma: allowlist nextline secret
    elsewhere = {**environment, "DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/none"}
    done = run(elsewhere, "keys", "list")
    assert done.returncode == 1
    (line,) = lines(done.stderr)
    assert line.startswith("perpstore: Cannot use the database postgresql://me@127.0.0.1:1/none: ")
    assert "Check DATABASE_URL" in line
    assert "hidden" not in done.stderr
