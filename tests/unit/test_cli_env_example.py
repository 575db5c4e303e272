"""`.env.example` tells of every setting there is."""

import io

import pytest
from dotenv import dotenv_values

from app.settings import Settings
from scripts import env_example


def test_it_is_not_stale() -> None:
    assert env_example.FILE.read_text() == env_example.example(), "run `python scripts/env_example.py`"


def test_its_defaults_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (line.removeprefix("#") for line in env_example.example().splitlines() if not line.startswith("# "))
    values = {name: value for name, value in dotenv_values(stream=io.StringIO("\n".join(lines))).items() if value}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == Settings.model_construct()


def test_nothing_in_it_is_set() -> None:
    assert not dotenv_values(stream=io.StringIO(env_example.example()))
