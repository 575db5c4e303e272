"""`perpstore collect` of what there is not: one line, and how it ends."""

import pytest

from app import settings
from app.cli.commands import run


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--source", "bybit"], "perpstore: bybit tells no ticks. `perpstore collect` is for deribit"),
        (["--source", "nobody"], "perpstore: no source nobody; there are "),
        (
            ["--currency", "btc", "--currency", "SOL"],
            "perpstore: deribit is collected for BTC, ETH, not for SOL. Name it in PERPSTORE_DERIBIT_CURRENCIES\n",
        ),
    ],
)
def test_what_cannot_be_collected(given: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["collect", *given]) == 2
    told = capsys.readouterr().err
    assert told.startswith(line)
    assert told.count("\n") == 1


def test_a_number_of_instruments_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERPSTORE_WS_ETH_TOP_N_INSTRUMENTS", "many")
    settings.environment.cache_clear()
    assert run(["collect", "--currency", "ETH"]) == 2
    settings.environment.cache_clear()
    assert "PERPSTORE_WS_ETH_TOP_N_INSTRUMENTS: 'many' is not a number" in capsys.readouterr().err
