"""Which instruments have quotes and books."""

from datetime import UTC, datetime, timedelta

from app.ingest.ticks.choosing import Standing, best, hedges, next_choice, of_family, ranked
from app.records import Instrument

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def future(symbol: str, days: int, base: str = "BTC") -> Instrument:
    return Instrument(symbol, base, "USD", kind="future", expires_at=NOW + timedelta(days=days))


def test_options_are_ranked_by_their_shares_of_volume_and_open_interest() -> None:
    told = [Standing("idle", None, None), Standing("held", 0, 900), Standing("both", 50, 500), Standing("busy", 50, 0)]
    assert ranked(told) == ["both", "held", "busy", "idle"]
    assert ranked([]) == []


def test_who_is_in_stays_until_clearly_outranked() -> None:
    ranking = [f"o{n}" for n in range(12)]
    assert best(ranking, [], 4) == ["o0", "o1", "o2", "o3"]
    assert best(ranking, ["o4", "o1", "o2", "o3"], 4) == ["o1", "o2", "o3", "o4"], "the fifth stays for the first"
    assert best(ranking, ["o5", "o1", "o2", "o3"], 4) == ["o0", "o1", "o2", "o3"], "the sixth does not"
    assert best(ranking, ["expired"], 2) == ["o0", "o1"]
    assert best(ranking, ranking, 0) == []
    assert best(ranking[:2], [], 4) == ["o0", "o1"]


def test_perpetuals_and_the_nearest_futures_of_the_currency() -> None:
    futures = [future(f"F{days}", days) for days in (400, 7, 1, 200, 30, 90, 60, -1)]
    listed = [
        Instrument("PERP", "BTC", "USD"),
        future("OTHER", 1, "ETH"),
        Instrument("OLD", "BTC", "USD", active=False),
    ]
    family = of_family({one.symbol: one for one in [*futures, *listed]}, "BTC")
    assert set(family) == {"PERP", *(one.symbol for one in futures)}
    assert hedges(family.values(), NOW) == ["PERP", "F1", "F7", "F30", "F60", "F90", "F200"]


def test_they_are_chosen_every_hour_and_right_after_options_expire() -> None:
    day = NOW.replace(hour=0)
    assert next_choice(day + timedelta(hours=3)) == day + timedelta(hours=4)
    assert next_choice(day + timedelta(hours=7, minutes=30)) == day + timedelta(hours=8, minutes=1)
    assert next_choice(day + timedelta(hours=8, minutes=1)) == day + timedelta(hours=9, minutes=1)
    assert next_choice(day + timedelta(hours=23, minutes=30)) == day + timedelta(hours=24, minutes=30)
