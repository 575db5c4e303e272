"""What a shell is told at a TAB."""

import contextlib

import pytest

from app.cli import main
from app.ingest.sources import load
from tests.conftest import run_python

ASKED = "import sys; from app.cli import main; sys.exit(main([]))"


def asked(line: str) -> dict[str, str]:
    """What the script of a shell puts into the environment."""
    return {
        "_PERPSTORE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("perpstore stat", ["status"]),
        ("perpstore keys r", ["revoke"]),
        ("perpstore status --a", ["--all"]),
        ("perpstore pull ", list(load())),
        ("perpstore backfill bin", ["binance"]),
        ("perpstore pull kraken cand", ["candles_1m", "candles_1h"]),
        ("perpstore probe nowhere delivery", ["delivery_prices"]),
        ("perpstore export op", ["open-interest", "options"]),
        ("perpstore import perp", ["perp-data"]),
    ],
)
def test_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, words: list[str]
) -> None:
    for name, value in asked(line).items():
        monkeypatch.setenv(name, value)
    with contextlib.suppress(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == words


def test_a_process_of_its_own_answers() -> None:
    assert run_python("-c", ASKED, **asked("perpstore pull velo perp")).stdout.split() == ["perp_1h"]


def test_the_script_of_a_shell_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(["--show-completion", "bash"])
    assert "complete -o default -F _perpstore_completion perpstore" in capsys.readouterr().out
