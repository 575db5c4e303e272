"""How a source stands: of those that are pulled, paused, or only collected."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.services.quality import Pulls
from app.services.standing import datasets, expected, row, standing

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FEEDS = [
    {"dataset": "funding", "facts": ["funding"], "every_s": 300.0},
    {"dataset": "perp_snapshot", "facts": ["open_interest", "predicted_funding", "funding"], "every_s": 60.0},
]


def source(*feeds: Mapping[str, Any]) -> dict[str, Any]:
    told = {"source": "bybit", "name": "Bybit", "key_setting": None, "key_present": False}
    return {**told, "pulled": True, "disabled": None, "schedule": list(feeds)}


@pytest.mark.parametrize(("scheduled", "state"), [(True, "ok"), (False, "off")])
def test_what_is_only_collected_stands_too(scheduled: bool, state: str) -> None:
    collected = source()
    words = standing(collected, {}, None, NOW, scheduled=scheduled)
    assert words[0] == state
    assert all(words)
    found = row(collected, {}, [("bybit", "liquidations", None)], 0, words)
    assert (found["datasets"], found["late"], found["failures"]) == (1, 0, 0)


def test_late_and_datasets_count_the_same() -> None:
    """Each fact that is expected once, whatever it is pulled with: as many as freshness has rows of."""
    one = source(*FEEDS)
    wanted = expected([one], [("bybit", "liquidations", None), ("okx", "liquidations", None)])
    mine = {fact for name, fact, _ in wanted if name == "bybit"}
    assert mine == {"funding", "open_interest", "predicted_funding", "liquidations"}
    assert row(one, {}, wanted, 4, ("waiting", None, None))["datasets"] == 4
    assert datasets([one]) == {"bybit": ["funding", "perp_snapshot"]}


def test_what_is_paused_is_said() -> None:
    def pulls(failures: int, *paused: str) -> dict[str, Pulls]:
        error = "funding: HTTP 500" if failures else None
        return {"bybit": Pulls(NOW - timedelta(hours=1), NOW, failures, False, error, False, paused)}

    one = source(*FEEDS)
    assert standing(one, pulls(0, "funding"), None, NOW, scheduled=True) == ("ok", "paused: funding", None)
    state, reason, _ = standing(one, pulls(2, "perp_snapshot"), None, NOW, scheduled=True)
    assert (state, reason) == ("failing", "funding: HTTP 500 (paused: perp_snapshot)")
    state, reason, _ = standing(one, pulls(0, "funding", "perp_snapshot"), None, NOW, scheduled=True)
    assert (state, reason) == ("off", "paused: funding, perp_snapshot")
