"""The best pairs of the stream are those of the statements: kept in memory or looked up, there is one rule."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db import Database
from app.services import reference, spreads
from app.services.fees import fee_table
from app.services.live.market import Market
from app.services.queries import sql
from app.services.store import put
from tests.conftest import EMPTY
from tests.db import facts
from tests.streaming import listed

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "LINK", "AVAX", "LTC", "DOT", "UNI")
EXCHANGES = ("binance", "bybit", "okx", "kraken")
KINDS = ("USDT", "USDC")
LAST = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
MOMENTS = [LAST + timedelta(hours=hours) + late for hours in (0.5, 1.5, 6, 12) for late in (timedelta(), INSTANT)]
"""When is looked: also when the last settlements of 1, 4 and 8 hours are in force for the last time."""


@pytest.fixture(scope="module")
async def traded(database: Database) -> Database:
    """Contracts of all coins, one or two an exchange, told of by it and by another; rates that are often the same."""
    await database.reads.execute(EMPTY)
    await a_market(database, random.Random(7))
    return database


async def a_market(db: Database, dice: random.Random) -> None:
    found: list[int] = []
    for exchange in EXCHANGES:
        symbols = {f"{coin}{kind}": coin for coin in COINS for kind in KINDS if dice.random() < 0.6}
        found += (await listed(db, exchange, symbols)).values()
        found += [to.id for to in (await reference.series_of(db, "velo", exchange)).values() if dice.random() < 0.5]
    rows: list[dict[str, object]] = []
    for series in found:
        hours, ago = dice.choice([1, 4, 8]), dice.choice([0, 0, 0, 1, 4])
        for back in range(dice.randrange(3)):
            at, rate = LAST - timedelta(hours=ago + back * hours), dice.choice([-2, 0, 1, 1, 3]) * 1e-5 * hours
            rows.append({"series_id": series, "ts": at, "rate": rate, "interval_hours": hours})
    await put(db, "funding", [facts.batch("funding", rows)])


def in_memory(rows: list[Any], moment: datetime) -> dict[str, tuple[object, ...]]:
    market = Market()
    market.load(rows)
    market.compare(market.entities(), moment.timestamp(), "")
    pairs = {asset: pair for asset, _, pair in market.pairs.values() if pair}
    return {
        asset: tuple(told for to, rate in pair for told in (to.exchange, to.instrument, rate.per_8h))
        for asset, pair in pairs.items()
    }


def told(rows: list[Any]) -> dict[str, tuple[object, ...]]:
    names = [f"{side}_{name}" for side in ("short", "long") for name in ("exchange", "instrument", "rate")]
    return {row["asset"]: tuple(row[name] for name in names) for row in rows}


async def test_pairs_in_memory_are_those_looked_up(traded: Database) -> None:
    contracts, compared = await traded.reads.fetch(sql("live", "contracts")), 0
    for moment in MOMENTS:
        query = spreads.over_time(spreads.Contracts(), moment, moment, timedelta(hours=1), 8.0, "best", then=True)
        expected = told(await traded.reads.fetch(query.text, *query.arguments))
        assert in_memory(contracts, moment) == expected, moment
        compared += len(expected)
    assert compared > 4 * len(COINS)


async def test_pairs_of_what_trades_are_those_ranked(traded: Database) -> None:
    """Without fees the ranking has the widest pair; what trades no more is in neither."""
    await traded.reads.execute("update instrument set active = id % 3 > 0")
    contracts = await traded.reads.fetch(sql("live", "contracts"))
    free = spreads.Terms(fee_table("none", (), {}), 1.0)
    query = spreads.ranking(spreads.Contracts(), LAST, free, trading=True)
    expected = told(await traded.reads.fetch(query.text, *query.arguments))
    await traded.reads.execute("update instrument set active = true")
    assert len(expected) > len(COINS) / 2
    assert in_memory(contracts, LAST) == expected
