"""What the statements about metrics mean, held against plain Python over values of chance."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import product
from random import Random
from statistics import median
from typing import Any, NamedTuple

import pytest

from app.db import Database
from app.records import Metric
from app.services import fundamentals
from app.services.fundamentals import LOOK_BACK, TOGETHER, Comparison, Values
from app.services.queries import Query
from tests.db.facts import DAY, at
from tests.db.metrics import OI, entity, in_catalogue, learnt_after, tell, tell_hours

ONE_DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ASSETS = {"bitcoin": "BTC", "uniswap": "UNI"}
SOURCES = {"artemis": "instant", "coingecko": "24h", "defillama": "instant", "import": "day"}
SPANS = {"instant": timedelta(0), "24h": timedelta(0), "day": ONE_DAY}
LEARNT = (3 * HOUR, 20 * HOUR, 30 * HOUR)
"""How long after the time they are of values are told: at first, again on the same day, and corrected on the next."""


class Told(NamedTuple):
    """One version of a value as it was stored; `series` tells instruments apart.

    Its window is over after `span`; once it is `settled`, later versions of it are no news.
    """

    source: str
    asset: str
    covers: str
    series: str
    time: datetime
    value: float
    span: timedelta
    settled: timedelta
    known_at: datetime


@pytest.fixture
async def told(clean_database: Database) -> list[Told]:
    """Open interest of two assets from four sources, and hours of three perpetuals from a fifth."""
    chance, found = Random(7), list[Told]()
    series = list(product(SOURCES.items(), ASSETS.items()))
    times = {
        ((source, covers), asset): [at(hour) for hour in chance.sample(range(0, 96, step), 96 // step // 2)]
        for (source, covers), asset in series
        for step in (24 if covers == "day" else 4,)
    }
    for delay in LEARNT:
        for (source, covers), (canonical, asset) in series:
            metric = Metric("OI", "OPEN_INTEREST", "USD", "derivative", "daily", covers)
            of = times[(source, covers), (canonical, asset)]
            values = {time: chance.uniform(50, 150) for time in chance.sample(of, max(1, len(of) * 2 // 3))}
            await tell(clean_database, source, metric, values, canonical)
            found += [
                Told(source, asset, covers, "", time, value, SPANS[covers], ONE_DAY, time + delay)
                for time, value in values.items()
            ]
        await learnt_after(clean_database, delay)
    await in_catalogue(clean_database, "velo", OI)
    for exchange, symbol in (("binance", "BTCUSDT"), ("binance", "BTCUSDC"), ("okx", "BTC-USDT-SWAP")):
        hours = {float(hour): chance.uniform(1, 50) for hour in chance.sample(range(96), 40)}
        await tell_hours(clean_database, exchange, symbol, {"oi_usd_close": hours})
        found += [
            Told("velo", "BTC", "instant", exchange + symbol, at(hour), value, HOUR, HOUR, at(hour))
            for hour, value in hours.items()
        ]
    return found


async def run(db: Database, query: Query) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.reads.fetch(query.text, *query.arguments)]


def by_time(v: Told) -> tuple[datetime, datetime]:
    return v.time, v.known_at


def last(values: Iterable[Told]) -> list[Told]:
    """The last value of each series, in its last version."""
    return list({(v.source, v.asset, v.series): v for v in sorted(values, key=by_time)}.values())


def over(values: Iterable[Told], moment: datetime) -> list[Told]:
    """What may be said of an instant: windows that were over, and until they are settled only what was known."""
    return [v for v in values if v.time + v.span <= moment and (v.time + v.settled <= moment or v.known_at <= moment)]


def beside(values: list[Told]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """For each asset and source: its sum, and median, deviation and disagreement among sources of one window."""
    parts: dict[tuple[str, str, str], list[Told]] = defaultdict(list)
    for v in last(values):
        parts[v.asset, v.source, v.covers].append(v)
    sums = {
        key: sum(v.value for v in told if max(other.time for other in told) - v.time <= TOGETHER)
        for key, told in parts.items()
    }
    found = dict[tuple[str, str], tuple[Any, ...]]()
    for (asset, source, covers), value in sums.items():
        alike = [other for key, other in sums.items() if (key[0], key[2]) == (asset, covers)]
        middle = median(alike)
        compared = (middle, (value - middle) / middle, (max(alike) - min(alike)) / middle)
        found[asset, source] = (value, *(compared if len(alike) > 1 else (None, None, None)))
    return found


def by_bucket(rows: list[dict[str, Any]]) -> dict[datetime, dict[tuple[str, str], tuple[Any, ...]]]:
    found: dict[datetime, dict[tuple[str, str], tuple[Any, ...]]] = defaultdict(dict)
    for row in rows:
        numbers = tuple(row[name] for name in ("value", "median", "deviation", "disagreement"))
        assert (row["asset"], row["source"]) not in found[row["time"]]
        found[row["time"]][row["asset"], row["source"]] = numbers
    return found


def equal(found: dict[tuple[str, str], tuple[Any, ...]], expected: dict[tuple[str, str], tuple[Any, ...]]) -> None:
    assert found.keys() == expected.keys()
    for key, numbers in expected.items():
        assert found[key] == pytest.approx(numbers), key


@pytest.mark.parametrize("step", [HOUR, ONE_DAY])
async def test_buckets_side_by_side(clean_database: Database, told: list[Told], step: timedelta) -> None:
    start, end = DAY + ONE_DAY, DAY + 3 * ONE_DAY + 7 * HOUR
    query = fundamentals.compare(Comparison(["OPEN_INTEREST"]), start, end, step)
    found = by_bucket(await run(clean_database, query))
    buckets: dict[datetime, list[Told]] = defaultdict(list)
    for v in told:
        if start <= v.time < end:
            buckets[DAY + (v.time - DAY) // step * step].append(v)
    assert found.keys() == buckets.keys()
    for bucket, values in buckets.items():
        equal(found[bucket], beside(values))


async def test_an_instant_side_by_side(clean_database: Database, told: list[Told]) -> None:
    for moment in (at(5.5), at(24), at(33), at(60.25), at(71), at(95), at(100), DAY + LOOK_BACK + 2 * ONE_DAY):
        query = fundamentals.compare_at(Comparison(["OPEN_INTEREST"]), moment)
        found = by_bucket(await run(clean_database, query))
        equal(found[moment], beside([v for v in over(told, moment) if moment - LOOK_BACK <= v.time]))


async def test_the_last_values_of_an_asset(clean_database: Database, told: list[Told]) -> None:
    bitcoin = Values(await entity(clean_database, "bitcoin"))
    for moment in (at(0), at(12), at(30.5), at(51), at(95), DAY + LOOK_BACK + 2 * ONE_DAY):
        found = await run(clean_database, fundamentals.at(bitcoin, moment))
        oldest = {"velo": moment - LOOK_BACK}
        expected = last(v for v in over(told, moment) if v.asset == "BTC" and oldest.get(v.source, DAY) <= v.time)
        assert sorted((row["source"], row["time"], row["value"]) for row in found) == sorted(
            (v.source, v.time, v.value) for v in expected
        )


async def test_the_history_of_an_asset(clean_database: Database, told: list[Told]) -> None:
    bitcoin = await entity(clean_database, "bitcoin")
    start, end = at(20), at(50)
    for sources in (None, ["velo"], ["artemis", "velo"]):
        found = await run(clean_database, fundamentals.history(Values(bitcoin, sources=sources), start, end))
        assert sorted((row["source"], row["time"], row["value"]) for row in found) == sorted(
            (v.source, v.time, v.value)
            for v in {(v.source, v.asset, v.series, v.time): v for v in sorted(told, key=by_time)}.values()
            if v.asset == "BTC" and start <= v.time < end and (sources is None or v.source in sources)
        )
