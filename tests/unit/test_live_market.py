"""The best pair of an asset, as it is kept in memory."""

import json
from typing import Any

import pytest

from app.services.live.frames import Frame, Place, facts, spread
from app.services.live.market import Market, Rate
from app.services.live.ring import Ring
from app.services.outbox import Event

HOUR = 3600.0


def row(series: int, exchange: str, *, instrument: int | None = None, **settled: Any) -> dict[str, Any]:
    """One series as the statement `contracts` has it."""
    return {
        "series_id": series, "instrument_id": instrument or series, "entity_id": 1, "active": True,
        "asset": "BTC", "exchange": exchange, "instrument": "BTCUSDT", "source": exchange, "generated": False,
        "settled_at": None, "rate": None, "interval_hours": None, **settled,
    }  # fmt: skip


def market(*rows: dict[str, Any]) -> Market:
    made = Market()
    made.load(rows)  # type: ignore[arg-type]
    return made


def legs(made: Market) -> tuple[str, str] | None:
    pair = made.pairs[1][2]
    return pair and (pair[0][0].exchange, pair[1][0].exchange)


def settled(rate: float, at: float = 0.0, hours: float = 8.0) -> dict[str, float]:
    return {"settled_at": at, "rate": rate, "interval_hours": hours}


def test_rates_are_compared_on_one_basis() -> None:
    """Binance 0.00002234 for 8 hours is less than Hyperliquid 0.0000125 for one."""
    made = market(row(1, "binance", **settled(2.234e-5)), row(2, "hyperliquid", **settled(1.25e-5, hours=1)))
    assert made.compare([1], HOUR, "t") == [1]
    assert legs(made) == ("hyperliquid", "binance")


def test_ties_go_to_the_first_name_and_legs_differ() -> None:
    made = market(*(row(n, name, **settled(1e-4)) for n, name in enumerate(("binance", "bybit", "okx"), 1)))
    made.compare([1], HOUR, "t")
    assert legs(made) == ("binance", "bybit")


def test_a_rate_is_in_force_for_one_and_a_half_intervals() -> None:
    made = market(row(1, "binance", **settled(1e-4)), row(2, "bybit", **settled(2e-4, at=HOUR)))
    made.compare([1], 12 * HOUR, "t")
    assert legs(made) == ("bybit", "binance")
    assert not made.expired(12 * HOUR)
    assert made.expired(12 * HOUR + 1) == [1]
    assert made.compare([1], 12 * HOUR + 1, "u") == [1]
    assert made.pairs[1] == ("BTC", "u", None)


def test_of_two_sources_the_first_with_a_rate_in_force_counts() -> None:
    told = (
        row(1, "binance", instrument=7, **settled(1e-4)),
        row(2, "binance", instrument=7, **settled(9e-4, 6 * HOUR)),
    )
    made = market(*told, row(3, "bybit", **settled(2e-4, 6 * HOUR)))
    made.compare([1], 12 * HOUR, "t")
    assert legs(made) == ("bybit", "binance")
    made.compare([1], 13 * HOUR, "t")
    assert legs(made) == ("binance", "bybit")


@pytest.mark.parametrize(("rate", "at", "changes"), [(1e-4, HOUR, False), (3e-4, HOUR, True), (3e-4, -HOUR, False)])
def test_only_what_changes_the_pair_is_told(rate: float, at: float, changes: bool) -> None:
    made = market(row(1, "binance", **settled(1e-4)), row(2, "bybit", **settled(2e-4)))
    made.compare([1], HOUR, "t")
    made.settle(1, Rate(at, rate, 8.0))
    assert bool(made.compare([1], HOUR, "u")) is changes


def test_what_trades_no_more_is_no_leg_and_its_facts_are_told_still() -> None:
    told = (row(1, "binance", **settled(1e-4)), row(2, "bybit", **settled(2e-4)))
    made = market(*told, row(3, "okx", active=False, **settled(9e-4)))
    made.compare([1], HOUR, "t")
    assert legs(made) == ("bybit", "binance")
    assert made.contracts[3].exchange == "okx"


def test_ring_keeps_the_newest_and_knows_since_when_all() -> None:
    ring = Ring(3, floor=(4, 9))
    ring.add(Frame((5, n), "settled", 1, b"%d" % n) for n in range(1, 6))
    assert (ring.start, ring.end, ring.floor) == (2, 5, (5, 2))
    assert [ring[n].data for n in range(ring.after((5, 3)), ring.end)] == [b"4", b"5"]
    assert (ring.after((5, 2)), ring.after((9, 9)), ring.after((0, 0))) == (2, 5, 2)


def test_ring_begins_anew_after_smaller_keys_with_numbers_that_go_on() -> None:
    ring = Ring(3, floor=(4, 9))
    ring.add(Frame((5, n), "settled", 1, b"%d" % n) for n in range(1, 6))
    ring.forget((2, 9))
    ring.add(Frame((3, n), "settled", 1, b"%d" % n) for n in range(1, 5))
    assert (ring.start, ring.end, ring.floor) == (6, 9, (3, 1))
    assert [ring[n].data for n in range(ring.after((3, 2)), ring.end)] == [b"3", b"4"]


@pytest.mark.parametrize("text", ["", "5", "5.", "a.b", "5.1.XYZ", "5.1\n", "９.1", "5.1.ab.c", f"{'9' * 30}.1"])
def test_ids_that_are_none(text: str) -> None:
    if text.endswith("\n"):
        assert Place.read(text) == Place((5, 1), None)
        return
    with pytest.raises(ValueError, match="an id"):
        Place.read(text)


@pytest.mark.parametrize("made_up", [True, False])
def test_frames_of_what_is_generated_say_so(made_up: bool) -> None:
    """A fact of a generated exchange, and a pair one of whose legs is; every other says that it is not."""
    market = Market()
    real = row(1, "binance", settled_at=0.0, rate=1e-4, interval_hours=8.0)
    other = row(2, "demo-alpha", settled_at=0.0, rate=3e-4, interval_hours=8.0, generated=made_up)
    market.load([real, other])  # type: ignore[list-item]
    market.compare([1], HOUR, "now")
    told = {"ts": "2026-03-01T00:00:00Z", "rate": 1e-4, "hours": 8.0, "how": 2}
    event = Event(1, "now", "funding", [{"series_id": one, **told} for one in (1, 2)])
    frames = [frame.data for frame in facts(event, range(1, 3), market, "hub")]
    frames.append(spread(*market.pairs[1]))
    assert [json.loads(data.split(b"data: ")[1])["generated"] for data in frames] == [False, made_up, made_up]
