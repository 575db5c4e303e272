"""Ticks the store cannot take: each costs no other, and is counted."""

from datetime import timedelta

import pytest

from app.db import Database
from app.ingest.ticks.saving import Saving
from app.records import Instrument
from app.records.checks import BadRecord
from app.records.options import BookChange, Depth, OptionTrade
from app.services import reference
from tests.db.ticks import NOW, book, trade

SECOND = timedelta(seconds=1)


@pytest.fixture
async def series(clean_database: Database) -> int:
    await reference.put_instruments(clean_database, "deribit", [Instrument("BTC-PERPETUAL", "BTC", "USD")])
    return (await reference.series_of(clean_database, "deribit", "deribit"))["BTC-PERPETUAL"].id


async def test_rows_that_cannot_be_sent_are_given_up_alone(
    clean_database: Database, series: int, caplog: pytest.LogCaptureFixture
) -> None:
    saving = Saving(clean_database)
    rows = [trade(series, NOW + n * SECOND, n) for n in range(7)]
    for at, (column, value) in {2: (2, 2**70), 4: (3, "\ud800"), 5: (3, "a\x00b")}.items():
        rows[at] = (*rows[at][:column], value, *rows[at][column + 1 :])
    saving.add("option_trade", rows)
    await saving.save("option_trade")
    stored = await clean_database.reads.fetch("select trade_seq from option_trade order by 1")
    assert [row["trade_seq"] for row in stored] == [0, 1, 3, 6]
    assert saving.buffer.waiting("option_trade") == 0
    assert saving.given_up() == (0, 3)
    assert caplog.text.count("is refused by the database") == 3
    saving.add("depth", [(*book(series, NOW, 1.0)[:2], 2**70, *book(series, NOW, 1.0)[3:]), book(series, NOW, 1.0)])
    await saving.save("depth")
    assert await clean_database.reads.fetchval("select change_id from depth") == 77


@pytest.mark.parametrize(("seq", "name"), [(2**63, "1"), (-1, "1"), (1, ""), (1, "BTC-\ud800"), (1, "a\x00b")])
def test_a_trade_that_cannot_be_stored_is_no_record(seq: int, name: str) -> None:
    with pytest.raises(BadRecord):
        OptionTrade("X", NOW, seq, name, "buy", 1.0, 1.0)
    assert OptionTrade("X", NOW, 2**63 - 1, "BTC-ünï", "buy", 1.0, 1.0)


def test_a_change_with_such_a_number_is_no_record() -> None:
    with pytest.raises(BadRecord):
        BookChange("X", NOW, True, 2**63, None, (), ())
    with pytest.raises(BadRecord):
        Depth("X", NOW, 2**63, (), ())
