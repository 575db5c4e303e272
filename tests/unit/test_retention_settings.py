"""How long what is kept, as settings say it."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from app import settings
from app.settings import MINUTES_AND_TICKS, Settings


@pytest.fixture(autouse=True)
def fresh_environment() -> Iterator[None]:
    settings.environment.cache_clear()
    yield
    settings.environment.cache_clear()


def test_nothing_goes_by_default() -> None:
    assert not any(Settings().kept_days.values())


def test_minutes_and_ticks_by_one_setting_others_by_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS", "10")
    assert Settings().kept_days == dict.fromkeys(MINUTES_AND_TICKS, 10)
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_CANDLES_1M", "30")
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_LIQUIDATIONS", "0")
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_OPEN_INTEREST", "90")
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_PERP_1H", "")
    settings.environment.cache_clear()
    own = {"perp_1m": 30, "liquidation": 0, "open_interest": 90}
    assert Settings().kept_days == {**dict.fromkeys(MINUTES_AND_TICKS, 10), **own}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FUNDING", "10", "no dataset funding .* there are candles_1m, perp_1m, liquidations"),
        ("CANDLES", "10", "no dataset candles "),
        ("PERP_1M", "ten", "'ten' is not a number of days"),
        ("PERP_1M", "-1", "'-1' is not a number of days"),
        ("PERP_1M", "²", "is not a number of days"),
        ("PERP_1M", "99999999", "is not a number of days from 0 to"),
    ],
)
def test_what_is_not_meant_is_an_error_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"PERPSTORE_RETENTION_DAYS_{name}", value)
    with pytest.raises(ValidationError, match=f"PERPSTORE_RETENTION_DAYS_{name}.*{said}"):
        Settings()


def test_two_names_of_the_same_rows_have_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_PERP_1M", "10")
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_CANDLES_1M", "10")
    assert Settings().kept_days["perp_1m"] == 10
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_CANDLES_1M", "20")
    settings.environment.cache_clear()
    with pytest.raises(ValidationError, match="the same rows"):
        Settings()
