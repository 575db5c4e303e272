"""The last settlement at an instant, with the interval that the settlements by then tell: SQL against plain Python."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import pytest

from app.db import Database
from app.records import FundingInterval
from app.services import lookup, reference
from app.services.intervals import HOUR_US, intervals
from tests.db import facts

SPACINGS, SAID = (1, 2, 4, 6, 8, 8, 1, 3, 0.5, 16), (None, None, None, None, None, 1, 2, 3, 8)
LAST = """
select extract(epoch from f.ts - $4)::float8 / 3600, f.interval_hours, f.interval_known
from unnest($2::timestamptz[]) with ordinality as asked(at, n) left join lateral funding_last($1, at, $3) f on true
order by n
"""
Last = tuple[float | None, float | None, int | None]


async def last(db: Database, series: int, hours: Iterable[float], known_at: datetime | None = None) -> list[Last]:
    """Of each hour the last settlement, its interval and how that is known; nulls where there is none."""
    rows = await db.reads.fetch(LAST, series, [facts.at(hour) for hour in hours], known_at, facts.DAY)
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("seed", range(3))
async def test_is_what_the_settlements_by_then_tell(clean_database: Database, seed: int) -> None:
    """Also as it was known: the history told in an order of its own, some of it after the moment asked about."""
    dice = np.random.default_rng(seed)
    series = await facts.series(clean_database, "binance", "BTCUSDT")
    hours = np.cumsum(dice.choice(SPACINGS, 40)).tolist()
    told = {hour: dice.choice(np.array(SAID, dtype=object)) for hour in hours}
    order = dice.permutation(hours).tolist()
    first, later = sorted(order[:30]), sorted(order[30:])
    for hour in first:
        await facts.settle(clean_database, series, {hour: 1e-4}, told[hour])
    then = await clean_database.reads.fetchval("select clock_timestamp()")
    for hour in later:
        await facts.settle(clean_database, series, {hour: 2e-4}, told[hour])
    for known, known_at in ((first, then), (hours, None), (hours, await clean_database.reads.fetchval("select now()"))):
        times = np.array([round(hour * HOUR_US) for hour in known])
        said = np.array([np.nan if told[hour] is None else told[hour] for hour in known], dtype=float)
        judged = [intervals(times[: n + 1], said[: n + 1], fallback=8) for n in range(len(known))]
        expected = [(hour, then.hours[-1], then.known[-1]) for hour, then in zip(known, judged, strict=True)]
        assert await last(clean_database, series, [hour + 0.3 for hour in known], known_at) == expected
        await looked_up(clean_database, series, known[-1], known_at)
    assert await last(clean_database, series, [-1]) == [(None, None, None)]


async def looked_up(db: Database, series: int, end: float, known_at: datetime | None) -> None:
    """Many instants at once, close together and far apart, have the same intervals."""
    for step in (0.75, 61.0):
        hours = np.arange(-3.0, end + 13.0, step)
        us = (hours * HOUR_US).astype(np.int64) + round(facts.DAY.timestamp() * 1e6)
        asked = lookup.Asked(us, np.zeros(len(us), dtype=np.intp))
        found = await lookup.in_force(db, asked, [[series]], known_at)
        rows = await last(db, series, hours.tolist(), known_at)
        for hour, every, (at, interval, _) in zip(hours.tolist(), found.interval_hours.tolist(), rows, strict=True):
            in_force = at is not None and interval is not None and hour <= at + 1.5 * interval
            assert every == interval if in_force else np.isnan(every), hour


async def test_alone_it_is_of_what_was_declared_by_then(clean_database: Database) -> None:
    """An interval declared later, or not known then, has no say: then the exchange's usual one."""
    series = await facts.series(clean_database, "binance", "BTCUSDT")
    await facts.settle(clean_database, series, {0: 1e-4})
    assert await last(clean_database, series, [1]) == [(0, 8, 0)]
    await reference.put_instruments(clean_database, "binance", [FundingInterval("BTCUSDT", 4)])
    await clean_database.reads.execute(
        "update instrument_fact set valid_from = $1 where fact = 'funding_interval_hours'", facts.at(2)
    )
    known_at = await clean_database.reads.fetchval(
        "select known_at from instrument_fact where fact = 'funding_interval_hours'"
    )
    assert await last(clean_database, series, [1, 2]) == [(0, 8, 0), (0, 4, 0)]
    assert await last(clean_database, series, [2], known_at) == [(0, 4, 0)]
    assert await last(clean_database, series, [2], known_at - timedelta(microseconds=1)) == [(0, 8, 0)]


async def test_what_tells_nothing_for_a_hundred_settlements_is_over(clean_database: Database) -> None:
    series = await facts.series(clean_database, "binance", "BTCUSDT")
    odd = {3.0 * n: 1e-4 for n in range(1, 150)}
    await facts.settle(clean_database, series, {-4: 1e-4, -2: 1e-4, 0: 1e-4} | odd)
    assert await last(clean_database, series, [3 * 90, 3 * 149]) == [(270, 2, 0), (447, 8, 0)]
