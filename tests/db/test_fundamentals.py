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
from app.services.fundamentals import LOOK_BACK, Comparison, Values
from app.services.queries import Query
from tests.db.facts import DAY, at
from tests.db.metrics import OI, entity, in_catalogue, tell, tell_hours

ONE_DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ASSETS = {"bitcoin": "BTC", "uniswap": "UNI"}
SOURCES = {"artemis": "instant", "coingecko": "24h", "defillama": "instant", "import": "day"}
SPANS = {"instant": timedelta(0), "24h": timedelta(0), "day": ONE_DAY}


class Told(NamedTuple):
    """One value as it was stored; `series` tells instruments apart."""

    source: str
    asset: str
    covers: str
    series: str
    time: datetime
    value: float
    span: timedelta


@pytest.fixture
async def told(clean_database: Database) -> list[Told]:
    """Open interest of two assets from four sources, and hours of three perpetuals from a fifth."""
    chance, found = Random(7), list[Told]()
    for (source, covers), (canonical, asset) in product(SOURCES.items(), ASSETS.items()):
        metric = Metric("OI", "OPEN_INTEREST", "USD", "derivative", "daily", covers)
        hours = chance.sample(range(0, 96, 24 if covers == "day" else 1), 4 if covers == "day" else 12)
        values = {at(hour): chance.uniform(50, 150) for hour in hours}
        await tell(clean_database, source, metric, values, canonical)
        found += [Told(source, asset, covers, "", time, value, SPANS[covers]) for time, value in values.items()]
    await in_catalogue(clean_database, "velo", OI)
    for exchange, symbol in (("binance", "BTCUSDT"), ("binance", "BTCUSDC"), ("okx", "BTC-USDT-SWAP")):
        hours = {float(hour): chance.uniform(1, 50) for hour in chance.sample(range(96), 40)}
        await tell_hours(clean_database, exchange, symbol, {"oi_usd_close": hours})
        found += [Told("velo", "BTC", "instant", exchange + symbol, at(hour), v, HOUR) for hour, v in hours.items()]
    return found


async def run(db: Database, query: Query) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.reads.fetch(query.text, *query.arguments)]


def last(values: Iterable[Told]) -> list[Told]:
    """The last value of each series."""
    newest = {(v.source, v.asset, v.series): v for v in sorted(values, key=lambda v: v.time)}
    return list(newest.values())


def beside(values: list[Told]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """For each asset and source: its sum, and median, deviation and disagreement among sources of one window."""
    sums: dict[tuple[str, str, str], float] = defaultdict(float)
    for v in last(values):
        sums[v.asset, v.source, v.covers] += v.value
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
    for moment in (at(5.5), at(24), at(60.25), at(95), at(100), DAY + LOOK_BACK + 2 * ONE_DAY):
        query = fundamentals.compare_at(Comparison(["OPEN_INTEREST"]), moment)
        found = by_bucket(await run(clean_database, query))
        over = [v for v in told if moment - LOOK_BACK <= v.time <= moment - v.span]
        equal(found[moment], beside(over))


async def test_the_last_values_of_an_asset(clean_database: Database, told: list[Told]) -> None:
    bitcoin = Values(await entity(clean_database, "bitcoin"))
    for moment in (at(0), at(30.5), at(95), DAY + LOOK_BACK + 2 * ONE_DAY):
        found = await run(clean_database, fundamentals.at(bitcoin, moment))
        oldest = {"velo": moment - LOOK_BACK}
        expected = last(v for v in told if v.asset == "BTC" and oldest.get(v.source, DAY) <= v.time <= moment - v.span)
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
            for v in told
            if v.asset == "BTC" and start <= v.time < end and (sources is None or v.source in sources)
        )
