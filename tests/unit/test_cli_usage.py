"""Words the command line does not understand: one line that names the next step, before any database is started."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from app import settings
from app.cli import main
from app.cli.commands import app
from app.cli.setup import _unknown_settings
from app.ingest.addresses import base_url
from app.settings import Settings
from tests.conftest import run_python

LIGHT = """
import sys
from app import settings
from app.cli import main
main(["import", "nothing", sys.executable])
print(*(name for name in ("fastapi", "uvicorn", "apscheduler", "httpx", "rich") if name in sys.modules))
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text("time\n")
    return str(path)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Sets a variable of the environment, which is read anew."""

    def tell(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        settings.environment.cache_clear()

    yield tell
    settings.environment.cache_clear()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and the one line that says why."""
    code = main(words)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("perpstore: ")
    return code, line.removeprefix("perpstore: ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("serve", "--prot", "1"), "No such option: --prot"),
        (("stauts",), "No such command 'stauts'. Did you mean 'status'? See `perpstore --help`"),
        (("pull", "nowhere"), "no source nowhere; there are "),
        (("pull", "OKX", "gossip"), "okx has no dataset gossip. It has instruments, "),
        (("pull", "okx", "--exchange", "binance"), "okx tells of itself only, not of binance."),
        (("probe", "okx", "candles_1m"), "okx tells candles_1m of one contract at a time. Add its native symbol"),
        (("keys", "create", "--scope", "read,fly"), "--scope fly: no such scope. Choose from read, write, admin"),
        (("export", "fundng", "--csv", "."), "No dataset is called fundng. Nearest: funding, fundamentals"),
        (("export", "funding"), "Say where to write: --parquet DIR or --csv DIR."),
        (("export", "funding", "--csv", ".", "--parquet", "."), "Say where to write: --parquet DIR or --csv DIR."),
        (
            ("export", "funding", "--csv", ".", "--interval", "1h"),
            "--interval is of candles and taker-volume; funding has none.",
        ),
        (("export", "funding", "--csv", ".", "--start", "noon"), "Invalid value: --start noon: a time expected: "),
        (("export", "funding", "--csv", ".", "--start", "2025-02", "--end", "2025-01-01"), "Invalid value: --start "),
        (("export", "funding", "--csv", ".", "--start", "2025-01-01", "--end", "1735689600"), "--start has to be "),
        (("query", "--json", "--csv"), "--json and --csv exclude each other."),
        (
            ("import", "funding", "/no/such/file.csv"),
            "Invalid value for 'FILE': path '/no/such/file.csv' does not exist. See `perpstore import --help`",
        ),
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str) -> None:
    code, said = refused(capsys, *words)
    assert code == 2
    assert said.startswith(line)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("fundings",), "dataset fundings: datasets that can be written: funding, "),
        (("funding", "--map", "ts"), "Invalid value: --map ts: two names with = between them expected"),
        (("funding", "--map", "ts=tim"), "--map ts=tim: `tim` is not a field; nearest: time"),
        (("funding", "--set", "exchnge=okx"), "--set exchnge=okx: `exchnge` is not a field; nearest: exchange"),
        (("funding", "--source", "a b"), "--source a b: "),
    ],
)
def test_usage_of_import(capsys: pytest.CaptureFixture[str], file: str, words: tuple[str, ...], line: str) -> None:
    code, said = refused(capsys, "import", words[0], file, *words[1:])
    assert code == 2
    assert said.startswith(line)
    assert said.endswith("See `perpstore import --help`")


def test_an_empty_folder_has_nothing_to_import(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refused(capsys, "import", "funding", str(tmp_path))[0] == 2


@pytest.mark.parametrize(("name", "value"), [("PERPSTORE_PORT", "eighty"), ("PERPSTORE_SCHEDULER", "perhaps")])
def test_a_bad_setting_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, said = refused(capsys, "serve")
    assert code == 1
    assert said.startswith(f"{name}={value}: Input should be")
    assert said.endswith("Correct it in the environment or in .env")


@pytest.mark.parametrize("command", ["serve", "status", "sources"])
@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PERPSTORE_DERIBIT_CURRENCIES", "BTC;ETH", "PERPSTORE_DERIBIT_CURRENCIES: 'BTC;ETH' is no coin such as BTC,"),
        ("PERPSTORE_WS_BTC_TOP_N_INSTRUMENTS", "many", "PERPSTORE_WS_BTC_TOP_N_INSTRUMENTS: 'many' is not a number"),
        ("DERIBIT_API_KEY", "no-colon-in-it", "DERIBIT_API_KEY is not client_id:client_secret."),
        ("DERIBIT_WS_URL", "me:word-of-it", "DERIBIT_WS_URL is no address such as ws://127.0.0.1:9999"),
        ("DERIBIT_WS_URL", "https://example.com", "DERIBIT_WS_URL is no address"),
        ("OKX_BASE_URL", "http://example.com:port", "OKX_BASE_URL is no address such as http://127.0.0.1:9999"),
    ],
)
def test_a_bad_setting_of_a_source_is_named(
    capsys: pytest.CaptureFixture[str], told: Callable[[str, str], None], command: str, name: str, value: str, line: str
) -> None:
    told(name, value)
    code, said = refused(capsys, command)
    assert code == 2
    assert said.startswith(line)
    assert said.endswith("Correct it in the environment or in .env")
    assert "no-colon" not in said
    assert "word-of-it" not in said


def test_an_address_that_is_empty_is_not_told(told: Callable[[str, str], None]) -> None:
    told("OKX_BASE_URL", "")
    assert base_url("okx", "https://www.okx.com/") == "https://www.okx.com"


def test_an_address_of_another_machine_cannot_be_listened_on(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "serve", "--host", "192.0.2.1", "--port", "0")
    assert code == 1
    assert "Choose an address of this machine with --host" in said


def test_misspelt_settings_are_noticed() -> None:
    given = {"PERPSTORE_SHEDULER": "off", "PERPSTORE_WS_BTC_TOP_N_INSTRUMENTS": "5", "PERPSTORE_PORT": "1", "PATH": ""}
    assert list(_unknown_settings(Settings, given)) == [
        "PERPSTORE_SHEDULER is no setting; did you mean PERPSTORE_SCHEDULER?"
    ]


def test_the_version_and_the_sources_need_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "perpstore 0.1.0\n"
    assert main(["sources"]) == 0
    assert "hyperliquid  funding" in capsys.readouterr().out


def _commands() -> list[tuple[str, ...]]:
    group = get_command(app)
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found += [(name, inner) for inner in getattr(command, "commands", {})] or [(name,)]
    return found


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_help_of_every_command_has_examples_and_json(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Examples:\n    " in text
    assert f"perpstore {' '.join(words)}" in text.partition("Examples:")[2]
    assert "--json" in text


def test_an_import_loads_nothing_that_serves() -> None:
    done = run_python("-c", LIGHT)
    assert done.stdout == "\n"
    assert "datasets that can be written" in done.stderr
