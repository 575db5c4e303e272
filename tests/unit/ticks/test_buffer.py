"""What waits to be stored is bounded, and the least valuable is dropped first."""

from datetime import UTC, datetime, timedelta

from app.ingest.ticks.buffer import Buffer
from app.ingest.ticks.rows import of_depth, of_quote, of_trade
from app.records import Depth, OptionTrade, Quote
from app.services.ticks import COLUMNS, Row

T = datetime(2026, 3, 10, 12, tzinfo=UTC)


def rows(*numbers: int) -> list[Row]:
    return [(1, T, number) for number in numbers]


def test_quotes_are_dropped_before_depths_before_trades_and_the_oldest_first() -> None:
    buffer = Buffer(most=40)
    buffer.add("option_tick", rows(1, 2, 3, 4))
    buffer.add("depth", rows(5, 6))
    assert buffer.add("option_trade", rows(7, 8, 9)) == []
    buffer.add("option_tick", rows(10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20))
    assert +buffer.dropped == {"option_tick": 1}
    assert buffer.take("option_tick", 3) == rows(2, 3, 4)
    assert buffer.add("option_trade", rows(*range(21, 29))) == []
    assert (buffer.waiting("option_tick"), buffer.waiting("depth")) == (0, 1)
    assert +buffer.dropped == {"option_tick": 12, "depth": 1}
    assert buffer.add("option_trade", rows(*range(29, 50))) == rows(*range(7, 10), *range(21, 30)), "only at last"
    assert buffer.take("option_trade", 3) == rows(30, 31, 32)


def test_what_could_not_be_stored_is_the_oldest_again_and_counts() -> None:
    buffer = Buffer(most=6)
    buffer.add("option_trade", rows(1, 2, 3))
    taken = buffer.take("option_trade", 2)
    buffer.add("option_tick", rows(4, 5, 6, 7))
    assert buffer.put_back("option_trade", taken) == []
    assert buffer.dropped["option_tick"] == 4
    assert buffer.take("option_trade", 9) == rows(1, 2, 3)
    buffer.add("option_trade", rows(4, 5, 6))
    assert buffer.put_back("option_trade", taken) == rows(1, 2)
    assert buffer.dropped["option_trade"] == 2


def test_rows_have_the_columns_of_their_tables_in_their_order() -> None:
    later = T + timedelta(seconds=1)
    trade = OptionTrade("X", T, 5, "i", "sell", 2.0, 3.0, 0.6, 2.1, 9.0, "M", True, False)
    told = {
        "option_tick": of_quote(Quote("X", T, 1.0, 2.0, 3.0, None), 7, later),
        "option_trade": of_trade(trade, 7, later),
        "depth": of_depth(Depth("X", T, 42, ((1.0, 2.0), (0.5, 3.0)), ((4.0, 5.0),)), 7, later),
    }
    named = {fact: dict(zip(COLUMNS[fact], row, strict=True)) for fact, row in told.items()}
    assert named["option_tick"] == {
        **{"series_id": 7, "ts": T, "bid": 1.0, "ask": 2.0, "bid_amount": 3.0, "ask_amount": None},
        "known_at": later,
    }
    assert named["option_trade"] == {
        **{"series_id": 7, "ts": T, "trade_seq": 5, "trade_id": "i", "side": -1, "price": 2.0, "amount": 3.0},
        **{"iv": 0.6, "mark_price": 2.1, "index_price": 9.0, "liquidation": "M", "is_block": True, "is_combo": False},
        "known_at": later,
    }
    assert named["depth"] == {
        **{"series_id": 7, "ts": T, "change_id": 42, "bid_prices": [1.0, 0.5], "bid_amounts": [2.0, 3.0]},
        **{"ask_prices": [4.0], "ask_amounts": [5.0], "known_at": later},
    }
