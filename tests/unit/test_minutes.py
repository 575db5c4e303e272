"""Minutes made of what comes in: in any order, more than once, too late, or not at all."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.ingest.minute import MOST_TRADES
from app.ingest.minutes import GRACE, MINUTE, Assembler
from app.records import Candle, Instrument, Liquidation, OpenInterest, PerpMinute, PredictedFunding, Record, Trade

T = datetime(2026, 3, 10, 23, 59, tzinfo=UTC)  # the minute before midnight
OVER = T + MINUTE + GRACE


def candle(close: float = 10.0, at: datetime = T, volume: float = 1.0, symbol: str = "BTC") -> Candle:
    return Candle(symbol, at, MINUTE, 10.0, max(10.0, close), min(10.0, close), close, volume_base=volume, trades=3)


def trade(id: str, quantity: float, side: Any = "buy", at: datetime = T, symbol: str = "BTC") -> Trade:
    return Trade(symbol, at + timedelta(seconds=30), id, side, 10.0, quantity)


def always(symbol: str, dataset: str, start: datetime, end: datetime) -> bool:
    return True


def never(symbol: str, dataset: str, start: datetime, end: datetime) -> bool:
    return False


def liquidations(symbol: str, dataset: str, start: datetime, end: datetime) -> bool:
    return dataset == "liquidations"


def assembler(*symbols: str) -> Assembler:
    made = Assembler(has_trades=bool(symbols))
    made.watch(map(contract, symbols), T)
    return made


def contract(symbol: str, quote: str = "USDT") -> Instrument:
    return Instrument(symbol, symbol, quote)


def of_liquidations(*symbols: str, since: datetime = T) -> Assembler:
    made = Assembler(has_liquidations=True)
    made.watch(map(contract, symbols), since)
    return made


def given(made: Assembler, now: datetime = OVER, covers: Any = always) -> dict[tuple[str, datetime], dict[str, float]]:
    return {(one.symbol, one.time): dict(one.values) for one in made.ready(now, covers).minutes}


def test_a_minute_is_given_when_it_is_over_and_the_grace_has_passed() -> None:
    made = assembler()
    made.take([candle()])
    assert not given(made, OVER - timedelta(milliseconds=1))
    assert given(made)[("BTC", T)]["close"] == 10.0
    assert not given(made, OVER + timedelta(seconds=1)), "once"


def test_everything_told_of_a_minute_is_one_row() -> None:
    made = assembler()
    made.take([OpenInterest("BTC", T + timedelta(seconds=5), 7.0, None)])
    made.take([PredictedFunding("BTC", T + timedelta(seconds=50), 0.0001, None, 8.0)])
    made.take([PerpMinute("BTC", T, {"mark_price": 10.5}), candle()])
    assert given(made) == {
        ("BTC", T): {
            **{"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, "volume_base": 1.0, "trades": 3},
            **{"oi_base": 7.0, "predicted_rate": 0.0001, "predicted_interval_hours": 8.0, "mark_price": 10.5},
        }
    }


def test_of_samples_the_first_counts_and_an_absent_value_says_nothing() -> None:
    made = assembler()
    first, second = (OpenInterest("BTC", T + timedelta(seconds=s), s, usd) for s, usd in ((5, None), (40, 400.0)))
    made.take([first, second])
    assert given(made)[("BTC", T)] == {"oi_base": 5, "oi_usd": 400.0}


def test_duplicates_change_nothing_before_and_after_a_minute_is_given() -> None:
    made = assembler("BTC")
    records: list[Record] = [candle(), trade("1", 2.0), trade("1", 2.0), candle()]
    made.take(records)
    assert given(made)[("BTC", T)]["buy_volume_base"] == 2.0
    made.take(records)
    assert not given(made, OVER + timedelta(seconds=5))


def test_a_late_candle_and_a_corrected_one_are_given_again_with_all_prices() -> None:
    made = assembler()
    made.take([OpenInterest("BTC", T, 5.0, None)])
    assert given(made)[("BTC", T)] == {"oi_base": 5.0}
    made.take([candle(11.0)])
    assert set(given(made)[("BTC", T)]) == {"open", "high", "low", "close", "volume_base", "trades"}
    made.take([candle(12.0)])
    assert given(made)[("BTC", T)] == {"open": 10.0, "high": 12.0, "low": 10.0, "close": 12.0}


def test_a_growing_candle_is_given_as_it_stood_last_and_not_before() -> None:
    made = assembler()
    made.take([candle(11.0, volume=3.0), candle(12.0, volume=2.0)], finished=False)
    assert not given(made, OVER, never), "nobody knows whether more came"
    made.take([candle(at=T + MINUTE)], finished=False)
    assert not given(made, OVER, never), "nor if a later one has come"
    assert given(made, OVER, always)[("BTC", T)]["close"] == 11.0


def test_a_growing_candle_is_finished_when_its_minute_is_over_and_nothing_was_missed() -> None:
    made = assembler()
    made.take([candle(11.0)], finished=False)
    assert given(made, OVER, always)[("BTC", T)]["close"] == 11.0


def test_a_growing_candle_that_was_not_watched_to_its_end_is_never_given() -> None:
    made = assembler()
    made.take([candle(11.0)], finished=False)
    made.broken(["BTC"], T + timedelta(seconds=59))
    made.take([candle(at=T + MINUTE)], finished=False)
    assert ("BTC", T) not in given(made, OVER + MINUTE, always)
    made.take([candle(12.0)])
    assert given(made, OVER + MINUTE)[("BTC", T)]["close"] == 12.0, "asked for later, it is there"


@pytest.mark.parametrize("again", [9.0, 11.0])
def test_what_is_told_again_of_a_growing_candle_after_a_break_may_be_old(again: float) -> None:
    made = assembler()
    made.take([candle(11.0)], finished=False)
    made.broken(["BTC"], T + timedelta(seconds=30))
    made.take([candle(again), candle(at=T + MINUTE), candle(again)], finished=False)
    assert ("BTC", T) not in given(made, OVER + MINUTE)
    made.take([candle(12.0)])
    assert given(made, OVER + MINUTE)[("BTC", T)]["close"] == 12.0


def test_a_candle_told_for_the_first_time_after_its_minute_was_missed_is_not_given() -> None:
    made = assembler()
    made.broken(["BTC"], T)
    made.take([candle(at=T + 2 * MINUTE), candle(at=T + MINUTE)], finished=False)
    assert not given(made, OVER + MINUTE, never)


def test_a_break_after_a_minute_costs_it_nothing() -> None:
    made = assembler()
    made.take([candle(11.0)], finished=False)
    made.broken(["BTC"], T + MINUTE)
    assert given(made)[("BTC", T)]["close"] == 11.0


def test_a_frame_that_was_overtaken_changes_a_candle_only_if_it_holds_more() -> None:
    made = assembler()
    made.take([candle(11.0, volume=3.0), candle(at=T + MINUTE)], finished=False)
    made.take([candle(9.0, volume=2.0)], finished=False)
    assert given(made)[("BTC", T)]["close"] == 11.0
    made.take([candle(9.0, volume=4.0)], finished=False)
    assert given(made)[("BTC", T)]["close"] == 9.0


def test_takers_volumes_are_the_sums_of_trades_and_of_no_trades_zero() -> None:
    made = assembler("BTC", "ETH")
    made.take([trade("1", 2.0), trade("2", 3.0), trade("3", 0.5, "sell"), trade("4", 9.0, at=T + MINUTE)])
    assert given(made) == {
        ("BTC", T): {"buy_volume_base": 5.0, "sell_volume_base": 0.5},
        ("ETH", T): {"buy_volume_base": 0.0, "sell_volume_base": 0.0},
    }


def test_takers_volumes_of_a_minute_that_was_not_heard_whole_are_not_told() -> None:
    made = assembler("BTC")
    made.take([trade("1", 2.0), candle()])
    asked: list[tuple[str, datetime, datetime]] = []

    def in_part(symbol: str, dataset: str, start: datetime, end: datetime) -> bool:
        asked.append((dataset, start, end))
        return False

    assert "buy_volume_base" not in given(made, covers=in_part)[("BTC", T)]
    assert asked == [("taker_volume", T, T + MINUTE)]
    assert given(made, OVER + timedelta(seconds=4))[("BTC", T)]["buy_volume_base"] == 2.0, (
        "heard to its end a bit later"
    )


def test_a_trade_that_comes_late_is_added_and_much_later_not_in_part() -> None:
    made = assembler("BTC")
    made.take([trade("1", 2.0)])
    given(made)
    made.take([trade("2", 1.0)])
    assert given(made, OVER + timedelta(seconds=1))[("BTC", T)] == {"buy_volume_base": 3.0}
    given(made, OVER + timedelta(minutes=2))
    made.take([trade("1", 2.0), trade("3", 1.0)])
    assert ("BTC", T) not in given(made, OVER + timedelta(minutes=2))


def test_a_sum_past_all_bounds_is_refused_once_and_costs_nothing_else() -> None:
    made = assembler("BTC")
    made.take([trade("1", 9e17), trade("2", 9e17), trade("3", 1.0, "sell"), candle()])
    ready = made.ready(OVER, always)
    assert [(one.symbol, one.code) for one in ready.bad] == [("BTC", "quantity_out_of_range")]
    [minute] = ready.minutes
    assert (minute.values["close"], minute.values["sell_volume_base"]) == (10.0, 1.0)
    assert "buy_volume_base" not in minute.values.keys() | made.told("BTC", T)
    assert not made.ready(OVER + timedelta(seconds=1), always).bad


def test_open_interest_is_valued_at_the_mark_price_of_its_minute() -> None:
    made = assembler()
    made.watch([contract("BTC"), contract("ETH"), contract("SOL"), contract("XRP", "EUR"), contract("ADA")], T)
    mark: dict[str, float] = {"mark_price": 10.0}
    made.take([OpenInterest(symbol, T, 5.0, None) for symbol in ("BTC", "ETH", "XRP", "ADA")])
    made.take([PerpMinute(symbol, T, mark) for symbol in ("BTC", "SOL", "XRP", "ADA")])
    made.take([PerpMinute("ETH", T + MINUTE, mark), OpenInterest("ADA", T + timedelta(seconds=9), 6.0, 70.0)])
    told = given(made, OVER + MINUTE)
    worth = {symbol: told[symbol, T].get("oi_usd") for symbol in ("BTC", "ETH", "SOL", "XRP", "ADA")}
    assert worth == {"BTC": 50.0, "ETH": None, "SOL": None, "XRP": None, "ADA": 70.0}
    made.take([PerpMinute("BTC", T, {"mark_price": 11.0}), OpenInterest("BTC", T, 9.0, None)])
    assert not given(made, OVER + MINUTE), "by the first word of each"


ZERO = {"long_liquidation_base": 0.0, "short_liquidation_base": 0.0}


def test_a_minute_that_was_heard_whole_without_a_liquidation_has_none() -> None:
    made = of_liquidations("BTC", "ETH")
    made.take([Liquidation("ETH", T + timedelta(seconds=59), "long", 10.0, 1.0)])
    assert given(made) == {("BTC", T): ZERO}, "what one comes to is laid into its minute as it is stored"
    made.take([Liquidation("BTC", T + timedelta(seconds=58), "long", 10.0, 1.0)])
    late = made.ready(OVER + timedelta(seconds=1), always)
    assert (late.minutes, len(late.liquidations)) == ([], 1)


def test_of_a_minute_that_was_not_heard_whole_nobody_knows_whether_it_had_liquidations() -> None:
    asked: list[tuple[str, datetime, datetime]] = []

    def in_part(symbol: str, dataset: str, start: datetime, end: datetime) -> bool:
        asked.append((dataset, start, end))
        return False

    assert not given(of_liquidations("BTC"), covers=in_part)
    assert asked == [("liquidations", T, T + MINUTE)]
    assert not given(of_liquidations("BTC", since=T + timedelta(seconds=1))), "not wanted yet when it began"
    made = of_liquidations("BTC", since=T + timedelta(seconds=1))
    assert given(made, OVER + MINUTE) == {("BTC", T + MINUTE): ZERO}
    assert not given(assembler("BTC"), covers=liquidations), "where nobody tells of any"


def test_memory_of_trades_is_bounded() -> None:
    made = assembler("BTC")
    made.take(trade(str(number), 1.0) for number in range(MOST_TRADES + 5))
    assert not given(made), "a sum that is not whole is not told"


def test_liquidations_are_given_once_with_their_minute_and_what_is_left_at_the_end() -> None:
    made = assembler()
    one = Liquidation("BTC", T + timedelta(seconds=3), "long", 10.0, 1.0)
    other = Liquidation("BTC", T + timedelta(seconds=63), "short", 10.0, 1.0)
    made.take([one, one, other])
    assert not made.ready(OVER - timedelta(seconds=1), always).liquidations
    assert made.ready(OVER, always).liquidations == [one]
    made.take([one])
    assert not made.ready(OVER, always).liquidations
    assert made.rest() == [other]
    assert not made.rest()


def test_what_was_told_is_known_for_a_while_and_then_forgotten() -> None:
    made = assembler()
    made.take([OpenInterest("BTC", T, 5.0, None)])
    given(made)
    assert made.told("BTC", T) == {"oi_base"}
    assert made.told("ETH", T) == set()
    given(made, OVER + timedelta(minutes=10))
    assert made.told("BTC", T) == set()
    made.take([PerpMinute("BTC", T, {"long_short_ratio": 1.2})])
    assert given(made, OVER + timedelta(minutes=10)) == {("BTC", T): {"long_short_ratio": 1.2}}, "old news is news"


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_which_things_come_does_not_matter(seed: int) -> None:
    minutes = [T + number * MINUTE for number in range(4)]
    records: list[Record] = [candle(11.0 + n, at, symbol=s) for n, at in enumerate(minutes) for s in ("BTC", "ETH")]
    records += [trade(f"{n}", 1.0 + n % 3, "sell" if n % 2 else "buy", minutes[n % 4]) for n in range(40)]
    records += [OpenInterest("ETH", at + timedelta(seconds=5), 7.0, 70.0) for at in minutes]
    plain, mixed = assembler("BTC", "ETH"), assembler("BTC", "ETH")
    plain.take(records)
    shuffled = records + random.Random(seed).choices(records, k=30)
    random.Random(seed).shuffle(shuffled)
    mixed.take(shuffled)
    end = OVER + 4 * MINUTE
    assert given(mixed, end) == given(plain, end)
