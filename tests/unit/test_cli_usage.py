"""Words the command line does not understand: one line that names the next step, before any database is started."""

import re
import shlex
import socket
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


def examples() -> list[str]:
    """Every line of every command's examples that calls perpstore, without what the shell does with it."""
    found: list[str] = []
    for words in _commands():
        command = get_command(app)
        for word in words:
            command = command.commands[word]
        lines = command.help.partition("Examples:")[2].splitlines()
        calls = (re.search(r"(?<![/\w])perpstore .*?(?=$|  +| \||\)| [<>])", line) for line in lines)
        found += [call[0] for call in calls if call]
    return found


@pytest.mark.parametrize("line", examples())
def test_every_example_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    """Its options and arguments, as far as a command line is read before it is run; files it names are there."""
    monkeypatch.chdir(tmp_path)
    command, words = get_command(app), shlex.split(line)[1:]
    for file in (Path(word) for word in words if words[0] == "import" and re.search(r"[./]", word)):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    context = None
    while commands := getattr(command, "commands", None):
        command, words = commands[words[0]], words[1:]
    with command.make_context("perpstore", words, parent=context) as made:
        assert made.params


NOBODY = "postgresql://x@127.0.0.1:1/x"
ASK_THE_DATABASE = [
    *("serve --port 0", "collect", "setup", "pull okx", "backfill okx", "status", "status --all", "keys list"),
    *("export funding --csv .", "keys create", "keys revoke x", "perpspec list", "perpspec add bin-x vwap"),
]


@pytest.mark.parametrize("line", [*ASK_THE_DATABASE, "query -c 'select 1'", "import funding rates.csv"])
def test_a_database_out_of_reach(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOBODY)
    monkeypatch.chdir(tmp_path)
    Path("rates.csv").write_text("time\n")
    code, said = refused(capsys, *shlex.split(line))
    assert code == 1
    assert said.startswith(f"Cannot use the database {NOBODY}: [Errno 111] ")
    assert said.endswith("Check DATABASE_URL, or unset it to use the embedded PostgreSQL")


@pytest.mark.parametrize(
    ("settings", "line", "says", "step"),
    [
        ({"DATABASE_URL": "db.example.com"}, "status", "invalid DSN", "Check DATABASE_URL"),
        ({"PERPSTORE_DATA_DIR": "rates.csv"}, "status", "File exists", "set DATABASE_URL"),
        ({"PERPSTORE_DATA_DIR": "/proc/nothing"}, "keys list", "No such file", "set DATABASE_URL"),
        ({"PERPSTORE_SOURCES": "nix"}, "status", "no source nix", "Correct it in the environment or in .env"),
        ({"VELO_API_KEY": ""}, "pull velo", "VELO_API_KEY is not set", "Set it in the environment or in .env"),
        ({"OKX_BASE_URL": "http://127.0.0.1:1"}, "probe okx instruments", "ConnectError", "Check the network"),
        ({}, "serve --port taken", "is taken", "Choose another with --port"),
        ({}, "serve --host name.invalid", "Name or service not known", "Choose an address of this machine"),
        ({}, "serve --port abc", "should be a valid integer", "See `perpstore serve --help`"),
        ({}, "collect --source okx", "okx tells no ticks", "is for deribit"),
        ({}, "collect --currency XYZ", "not for XYZ", "Name it in PERPSTORE_DERIBIT_CURRENCIES"),
        ({}, "backfill nowhere", "no source nowhere", "See `perpstore sources`"),
        ({}, "backfill okx --days 0", "greater than or equal to 0.01", "See `perpstore backfill --help`"),
        ({}, "keys create --nam x", "No such option: --nam", "perpstore keys create --help"),
        ({}, "import funding nothing.csv", "does not exist", "See `perpstore import --help`"),
        ({}, "probe okx", "Missing argument 'dataset'", "See `perpstore probe --help`"),
        ({}, "status --everything", "No such option: --everything", "See `perpstore status --help`"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_next_step(
    capsys: pytest.CaptureFixture[str],
    told: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: dict[str, str],
    line: str,
    says: str,
    step: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    Path("rates.csv").write_text("time\n")
    for name, value in settings.items():
        told(name, value)
    with socket.create_server(("127.0.0.1", 0)) as other:
        words = shlex.split(line.replace("taken", str(other.getsockname()[1])))
        code, said = refused(capsys, *words)
    assert code in (1, 2)
    assert says in said
    assert step in said


def test_an_import_loads_nothing_that_serves() -> None:
    done = run_python("-c", LIGHT)
    assert done.stdout == "\n"
    assert "datasets that can be written" in done.stderr
