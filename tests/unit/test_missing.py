"""Which minutes are missing: noticed when they should be complete, once, and until the ledger has them."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from app.ingest.minutes import MINUTE
from app.ingest.missing import COMPLETE, LONGEST, Missing, datasets_of, expected, unheard
from app.ingest.sources import load
from app.services.gaps import Hole
from app.services.reference import SeriesRef

T = datetime(2026, 3, 10, 23, 58, tzinfo=UTC)
SERIES = {"BTC": SeriesRef(1, 1.0), "ETH": SeriesRef(2, 1.0)}
DUE = T + MINUTE + COMPLETE


def made(*datasets: str) -> Missing:
    found = Missing(frozenset(datasets or ("candles_1m",)))
    found.want(["BTC", "ETH"], T)
    return found


def nothing(symbol: str, start: datetime) -> Collection[str]:
    return ()


def all_of_btc(symbol: str, start: datetime) -> Collection[str]:
    return ("close", "oi_base", "predicted_rate", "buy_volume_base", "sell_volume_base") if symbol == "BTC" else ()


def entered(missing: Missing) -> set[Hole]:
    holes = missing.holes(SERIES)
    missing.entered(holes, SERIES)
    return set(holes)


def test_a_minute_is_judged_when_it_should_be_complete() -> None:
    missing = made()
    missing.check(DUE - timedelta(seconds=1), all_of_btc)
    assert entered(missing) == set()
    missing.check(DUE, all_of_btc)
    assert entered(missing) == {Hole(2, "candles_1m", T, T + MINUTE)}
    missing.check(DUE + timedelta(seconds=5), all_of_btc)
    assert entered(missing) == set(), "once"


def test_minutes_that_went_by_unjudged_are_judged_later() -> None:
    missing = made()
    missing.check(DUE, all_of_btc)
    entered(missing)
    missing.check(DUE + 3 * MINUTE, all_of_btc)
    assert entered(missing) == {Hole(2, "candles_1m", T, T + 4 * MINUTE)}, "what goes on is one hole"


def test_a_hole_that_goes_on_for_long_is_followed_by_another_one() -> None:
    missing = made()
    for number in range(LONGEST // MINUTE + 2):
        missing.check(DUE + number * MINUTE, all_of_btc)
    assert entered(missing) == {
        Hole(2, "candles_1m", T, T + LONGEST),
        Hole(2, "candles_1m", T + LONGEST, T + LONGEST + 2 * MINUTE),
    }


def test_after_a_minute_that_is_whole_a_new_hole_begins() -> None:
    missing = made()
    missing.check(DUE, nothing)
    missing.check(DUE + MINUTE, all_of_btc)
    missing.check(DUE + 2 * MINUTE, nothing)
    btc = {(hole.first, hole.last) for hole in entered(missing) if hole.series_id == 1}
    assert btc == {(T, T + MINUTE), (T + 2 * MINUTE, T + 3 * MINUTE)}


def test_each_dataset_is_judged_by_its_own_columns() -> None:
    missing = made("candles_1m", "open_interest", "predicted_funding", "taker_volume", "liquidations", "mark_price")
    missing.check(DUE, lambda *_: ("close", "oi_usd"))
    assert {hole.dataset for hole in entered(missing)} == {"predicted_funding", "taker_volume"}


def test_minutes_before_a_contract_was_wanted_are_not_missing() -> None:
    missing = made()
    missing.want(["BTC"], T + timedelta(seconds=1))
    missing.want(["BTC", "ETH"], T + timedelta(seconds=2))
    missing.check(DUE, nothing)
    assert {hole.series_id for hole in entered(missing)} == {1}, "wanted since before"


def test_of_breaks_only_what_cannot_be_seen_otherwise_is_noted() -> None:
    missing = made("candles_1m", "liquidations")
    since, until = T + timedelta(seconds=50), T + timedelta(seconds=65)
    missing.note_break("candles_1m", ["BTC"], since, until)
    missing.note_break("liquidations", ["BTC"], since, until)
    assert entered(missing) == {Hole(1, "liquidations", T, T + 2 * MINUTE)}


def test_where_nobody_listened_everything_is_missing() -> None:
    missing = made("candles_1m", "liquidations", "mark_price")
    since = dict.fromkeys(("candles_1m", "liquidations", "mark_price"), T)
    missing.note_absence(["ETH"], since, T + 10 * MINUTE)
    last = T + 11 * MINUTE
    assert entered(missing) == {Hole(2, "candles_1m", T, last), Hole(2, "liquidations", T, last)}


def test_what_was_last_heard_before_a_process_died_is_told_by_each_line() -> None:
    """A line was broken since long: liquidations are missing since then; what comes every minute was noticed."""
    bybit, broken = load(["bybit"])["bybit"], T - 20 * MINUTE
    (socket,) = bybit.sockets
    heard = {f"bybit:{socket.id}:0": T, f"bybit:{socket.id}:1": broken, "bybit:poll:perp_snapshot": T - MINUTE}
    assert unheard(bybit, heard) == {
        "liquidations": broken,
        **dict.fromkeys(("candles_1m", "taker_volume"), T),
        **dict.fromkeys(bybit.polls[0].facts, T - MINUTE),
    }
    okx = load(["okx"])["okx"]
    assert unheard(okx, {"okx:poll:liquidations": T}) == {"liquidations": T}
    assert unheard(okx, {}) == {}


def test_what_the_ledger_did_not_take_stays_and_what_grew_meanwhile_too() -> None:
    missing = made()
    missing.check(DUE, all_of_btc)
    holes = missing.holes(SERIES)
    missing.check(DUE + MINUTE, all_of_btc)
    missing.entered(holes, SERIES)
    assert entered(missing) == {Hole(2, "candles_1m", T, T + 2 * MINUTE)}
    assert missing.holes(SERIES) == []


def test_what_each_source_tells_of_every_minute() -> None:
    told = {name: expected(source) for name, source in load(["binance", "bybit", "okx", "hyperliquid"]).items()}
    every = {"candles_1m", "open_interest", "predicted_funding"}
    assert all(every <= datasets for datasets in told.values())
    assert {name for name, datasets in told.items() if "taker_volume" in datasets} == {"bybit", "okx", "hyperliquid"}
    assert {name for name, datasets in told.items() if "liquidations" in datasets} == {"binance", "bybit", "okx"}


def test_of_what_was_lost_the_ledger_is_told_what_its_source_tells() -> None:
    missing = made("candles_1m", "long_short", "liquidations")
    lost = datasets_of(["close", "buy_volume_base", "long_short_ratio"])
    assert lost == {"candles_1m", "taker_volume", "long_short"}
    missing.note_lost(("BTC", dataset, T, T + MINUTE) for dataset in (*lost, "liquidations"))
    assert {hole.dataset for hole in entered(missing)} == {"candles_1m", "long_short", "liquidations"}
