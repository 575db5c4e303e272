"""RSI(14) as it is computed when it is read, held against plain Python: gaps, quiet markets, versions."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db import Database
from app.services import partitions
from tests.db.facts import DAY, series
from tests.plain_minutes import HOUR, MINUTE, hours_of, rsi, rsi_of_hour

STEPS = st.tuples(st.sampled_from([0.0, 0.0, 0.5, -0.5, 3.0, -1e-6, 40.0]), st.sampled_from([1] * 40 + [2]))
OF = "select ts, rsi from rsi_of($1, $2, $3)"
MINUTES = "select * from rsi_minutes($1, $2, $3, $4) order by ts"


def near(value: float | None) -> object:
    return None if value is None else pytest.approx(value, abs=1e-9)


def walk(steps: list[tuple[float, int]]) -> dict[datetime, float]:
    """Closes after these (change, minutes since the one before)."""
    closes, moment, price = {DAY: 1000.0}, DAY, 1000.0
    for up, minutes in steps:
        moment, price = moment + minutes * MINUTE, max(price + up, 1.0)
        closes[moment] = price
    return closes


async def of(db: Database, closes: Mapping[datetime, float], step: timedelta = MINUTE) -> dict[datetime, float | None]:
    return {row["ts"]: row["rsi"] for row in await db.reads.fetch(OF, list(closes), list(closes.values()), step)}


async def store(db: Database, series_id: int, closes: Mapping[datetime, float], table: str = "perp_1m") -> None:
    """Candles of which only the close tells anything."""
    await partitions.make(db, table, {moment.replace(hour=0, minute=0) for moment in closes})
    rows = [(series_id, moment, *[close] * 4) for moment, close in closes.items()]
    columns = ["series_id", "ts", "open", "high", "low", "close"]
    await db.reads.copy_records_to_table(table, records=rows, columns=columns)


@given(st.lists(STEPS, min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
async def test_any_run_of_candles_with_gaps(database: Database, steps: list[tuple[float, int]]) -> None:
    closes = walk(steps)
    assert await of(database, closes) == {moment: near(rsi(closes, moment)) for moment in closes}


async def test_a_published_example(database: Database) -> None:
    """The closes of the worked example most introductions to RSI use; its figures are rounded to two places."""
    closes = (
        "44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931 46.0328 45.6140 "
        "46.2820 46.2820 46.0028 46.0328 46.4116 46.2222 45.6439"
    )
    found = await of(database, {DAY + n * MINUTE: float(close) for n, close in enumerate(closes.split())})
    values = list(found.values())
    assert values[:14] == [None] * 14
    assert [round(value, 2) for value in values[14:] if value is not None] == [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]


@pytest.mark.parametrize(("steps", "expected"), [([1.0], 100), ([0.0], 50), ([-1.0], 0), ([0.0, 1.0], 100)])
async def test_one_sided_and_still(database: Database, steps: list[float], expected: float) -> None:
    found = await of(database, walk([(step, 1) for step in steps * 20][:20]))
    assert list(found.values())[14:] == [expected] * 7


async def test_what_lies_500_candles_back_is_not_seen(database: Database) -> None:
    """In a market that stands still the weight of old changes is all there is: the answer may not hang on them."""
    closes = walk([(5.0, 1), (-2.0, 1)] * 40 + [(0.0, 1)] * 440 + [(1e-3, 1)] + [(0.0, 1)] * 520)
    found = await of(database, closes)
    moments = list(closes)
    for place in (*range(10, 120, 7), *range(450, len(moments), 9), 498, 499, 500, 501, 519, 520, 521):
        assert found[moments[place]] == near(rsi(closes, moments[place])), place
    assert found[moments[-1]] == 50


async def test_a_market_that_stands_still_for_two_weeks(database: Database) -> None:
    found = await of(database, walk([(5.0, 1), (-2.0, 1)] * 20 + [(0.0, 1)] * 15_000 + [(1.0, 1)]))
    assert list(found.values())[-2:] == [50, 100]


async def test_the_window_asked_for_changes_nothing(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    closes = walk([(((n * 37) % 11) - 5.0, 2 if n % 700 == 699 else 1) for n in range(2000)])
    await store(clean_database, btc, closes)
    last = max(closes) + MINUTE
    whole = {row["ts"]: tuple(row) for row in await clean_database.reads.fetch(MINUTES, btc, DAY, last, None)}
    assert list(whole) == list(closes)
    hours = hours_of(closes)
    for moment in list(closes)[::83]:
        one = await clean_database.reads.fetch(MINUTES, btc, moment, moment + MINUTE, None)
        across = await clean_database.reads.fetchrow("select * from rsi_at($1, $2, null)", [btc], moment)
        expected = (near(rsi(closes, moment)), near(rsi_of_hour(hours, moment)))
        assert [tuple(row) for row in one] == [(moment, *expected)]
        assert whole[moment] == (moment, *expected)
        assert (across is None and expected == (None, None)) or tuple(across) == (btc, *expected)


async def test_hours_are_of_the_last_minute_there_is_or_of_the_hour_told(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    told = {DAY + n * HOUR: 100.0 + n % 3 for n in range(40) if n != 20}
    minutes = {moment + 7 * MINUTE: 200.0 + n % 5 for n, moment in enumerate(told) if n % 2}
    minutes |= {DAY + 39 * HOUR + n * MINUTE: 150.0 + n for n in range(60)}
    await store(clean_database, btc, told, "perp_1h")
    await store(clean_database, btc, minutes)
    hours = told | hours_of(minutes)
    for moment in (DAY + 15 * HOUR + 7 * MINUTE, DAY + 39 * HOUR + 58 * MINUTE, DAY + 39 * HOUR + 59 * MINUTE):
        row = await clean_database.reads.fetchrow(MINUTES, btc, moment, moment + MINUTE, None)
        across = await clean_database.reads.fetchrow("select * from rsi_at($1, $2, null)", [btc], moment)
        expected = near(rsi_of_hour(hours, moment))
        assert expected is not None
        assert (row["rsi60"], across["rsi60"]) == (expected, expected)
    after_the_gap = DAY + 21 * HOUR + 7 * MINUTE
    assert rsi_of_hour(hours, after_the_gap) is None
    await store(clean_database, btc, {after_the_gap: 1.0})
    row = await clean_database.reads.fetchrow(MINUTES, btc, after_the_gap, after_the_gap + MINUTE, None)
    assert tuple(row) == (after_the_gap, None, None)


async def test_as_known_then(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    closes = walk([(1.0, 1), (-2.0, 1)] * 10)
    await store(clean_database, btc, closes)
    last = max(closes)
    then = datetime.now(UTC)
    await clean_database.reads.execute(
        """with old as (select * from perp_1m where ts = $1)
        insert into revision (fact, series_id, ts, said, known_at, replaced_at)
        select 'perp_1m', series_id, ts, to_jsonb(old), known_at, clock_timestamp() from old""",
        last,
    )
    await clean_database.reads.execute(
        "update perp_1m set close = 5000, known_at = clock_timestamp() where ts = $1", last
    )
    for moment, close in ((None, 5000.0), (then, closes[last])):
        row = await clean_database.reads.fetchrow(MINUTES, btc, last, last + MINUTE, moment)
        across = await clean_database.reads.fetchval("select rsi1 from rsi_at($1, $2, $3)", [btc], last, moment)
        expected = near(rsi({**closes, last: close}, last))
        assert (row["rsi1"], across) == (expected, expected)
