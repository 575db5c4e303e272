"""The stream under load: 200 readers for a minute, a hundred updates a second (`make soak`)."""

import pytest

from app.db import Database
from app.services.live import hub
from tests.soak import load


def figures(told: load.Load) -> str:
    late = {share: f"{ms:.0f} ms" for share, ms in told.heard["late_ms"].items()}
    memory = ", ".join(f"{mib:.0f}" for mib in told.memory)
    rate = f"{told.updates / told.seconds:.0f}/s"
    return f"{len(told.heard['updates'])} readers, {told.updates} updates at {rate}; late: {late}; MiB: {memory}"


def check(told: load.Load) -> None:
    """Every reader heard every update once and in order; those that wait are let go when the server ends."""
    assert set(told.heard["updates"]) == {told.updates}, figures(told)
    assert told.heard["wrong"] == 0
    assert min(told.heard["others"]) > 0
    assert told.ended_after < 2


async def test_a_few_readers_for_a_moment(clean_database: Database) -> None:
    check(await load.run(clean_database, readers=20, seconds=1))


@pytest.mark.soak
async def test_200_readers_for_a_minute(clean_database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    told = await load.run(clean_database, readers=200, seconds=60, fill=hub.CAPACITY + 2000)
    with capsys.disabled():
        print(f"\n{figures(told)}")  # noqa: T201
    check(told)
    assert told.updates / told.seconds > 95
    assert told.heard["late_ms"]["0.99"] < 1000
    assert max(told.memory[1:]) - min(told.memory[1:]) < 10, figures(told)
