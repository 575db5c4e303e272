"""Three exchanges and a hundred contracts on each, at sixty times real speed (`make soak`; `SOAK_MINUTES`, 30)."""

import os
from statistics import mean

import pytest

from app.db import Database
from tests.soak import minutes

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))


def check(told: minutes.Watched, contracts: int, seconds: float) -> None:
    """Nothing piles up: not in memory, nor in what is not stored yet; and retention could drop what is old."""
    half = len(told.behind) // 2
    assert told.dropped >= 1, told
    assert told.stored >= 0.9 * 3 * contracts * (seconds - 2), told
    assert mean(told.behind[half:]) < mean(told.behind[:half]) + 30, told
    assert told.behind[-1] < 120, told


async def test_a_moment(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    told = await minutes.run(clean_database, monkeypatch, contracts=30, seconds=6, every=1)
    check(told, 30, 6)


@pytest.mark.soak
async def test_half_an_hour(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = await minutes.run(clean_database, monkeypatch, contracts=100, seconds=60 * MINUTES, every=5)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    check(told, 100, 60 * MINUTES)
    quarter = len(told.memory) // 4
    assert mean(told.memory[-quarter:]) - mean(told.memory[quarter : 2 * quarter]) < 10, told
