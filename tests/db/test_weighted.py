"""The weighted mean in SQL equals the one in plain Python, live and from the rollup."""

import random
from datetime import datetime, timedelta

import pytest

from app.db import Database
from app.services import rollup
from app.services.queries import sql
from app.services.store import put
from tests.db.facts import DAY, at, batch, hold, series, settle, stored_intervals
from tests.plain import Contract, weighted

HOUR = timedelta(hours=1)


async def ask(db: Database, first: datetime, last: datetime, **changed: object) -> list[dict[str, object]]:
    entity = await db.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    given = {
        "step": HOUR, "per": 8.0, "weight": "oi", "max_age": 2 * HOUR, "exchanges": None, "margin": None,
        "known_at": None, "source": None, "min_coverage": 0.0, "detail": False, "then": False, **changed,
    }  # fmt: skip
    rows = await db.reads.fetch(sql("funding_mean", "weighted"), [entity], first, last, *given.values())
    return [{name: value for name, value in row.items() if name not in ("entity_id", "next_time")} for row in rows]


def same(row: dict[str, object], expected: dict[str, object]) -> None:
    for name, value in expected.items():
        close = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        assert row[name] == close, (row["time"], name)


def alike(rows: list[dict[str, object]], expected: list[dict[str, object]]) -> None:
    """Equal but for the last digit, which depends on the order in which a plan adds up."""
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        same(row, other)


async def put_contract(db: Database, contract: Contract, symbol: str) -> None:
    to = await series(db, contract.exchange, symbol)
    hours = {time: (time - DAY) / HOUR for time in contract.settled}
    for interval in {h for _, h in contract.settled.values()}:
        rates = {hours[t]: r for t, (r, h) in contract.settled.items() if h == interval}
        await settle(db, to, rates, hours=interval)
    await hold(db, to, {(time - DAY) / HOUR: usd for time, usd in contract.held.items()})


def random_contract(seed: int, exchange: str) -> Contract:
    """Thirty hours of settlements and open interest with holes in both."""
    dice = random.Random(seed)
    interval = dice.choice([1, 4, 8])
    contract = Contract(exchange)
    for hour in range(0, 60, interval):
        if dice.random() > 0.25:
            contract.settled[at(hour)] = (dice.uniform(-1e-3, 1e-3), float(interval))
    for quarter in range(240):
        if dice.random() > 0.5 and not 60 < quarter < 60 + 4 * dice.randint(0, 6):
            contract.held[at(quarter / 4 + dice.choice([0, 0.01]))] = dice.uniform(1e6, 1e9)
    return contract


@pytest.mark.parametrize("seed", range(6))
async def test_live_equals_plain_python(clean_database: Database, seed: int) -> None:
    names = ["binance", "bybit", "okx", "hyperliquid", "bybit"]
    contracts = [random_contract(100 * seed + n, name) for n, name in enumerate(names)]
    for n, contract in enumerate(contracts):
        await put_contract(clean_database, contract, f"BTC{n}")
    rows = await ask(clean_database, at(-2), at(90))
    assert [row["time"] for row in rows] == [at(h) for h in range(-2, 91)]
    for row in rows:
        same(row, weighted(contracts, row["time"]))  # type: ignore[arg-type]
    for row in await ask(clean_database, at(3.25), at(40), step=timedelta(minutes=15), weight="equal", per=1.0):
        same(row, weighted(contracts, row["time"], equal=True, per=1.0))  # type: ignore[arg-type]


async def test_rollup_equals_live(clean_database: Database) -> None:
    contracts = [random_contract(n, name) for n, name in enumerate(["binance", "bybit", "okx"])]
    for n, contract in enumerate(contracts):
        await put_contract(clean_database, contract, f"BTC{n}")
    await rollup.refresh(clean_database)
    entity = await clean_database.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    kept = await clean_database.reads.fetch(sql("funding_mean", "weighted_hourly"), entity, at(-3), at(80), 8.0, 0.0)
    alike([dict(row) for row in kept], await ask(clean_database, at(-3), at(80)))


async def test_late_exchange(clean_database: Database) -> None:
    """A settles at 16:00, B hourly to 20:00; ask at 20:00: A as of 16:00, B as of 20:00."""
    a, b = await series(clean_database, "binance", "A"), await series(clean_database, "hyperliquid", "B")
    await settle(clean_database, a, {0: 1e-4, 8: 2e-4, 16: 3e-4})
    await settle(clean_database, b, {h: h * 1e-6 for h in range(21)})
    await hold(clean_database, a, {20: 30.0})
    await hold(clean_database, b, {20: 10.0})
    (row,) = await ask(clean_database, at(20), at(20), detail=True)
    assert row["present"] == ["binance", "hyperliquid"]
    assert row["rate"] == pytest.approx((3e-4 * 30 + 20e-6 * 8 * 10) / 40, rel=1e-12)
    assert '"settled_at": "2026-01-05T16:00:00Z"' in str(row["contributors"])


async def test_stale_exchange(clean_database: Database) -> None:
    """A every 8 h, its last settlement 13 h ago: missing; the mean is of the others and says so."""
    a, b = await series(clean_database, "binance", "A"), await series(clean_database, "bybit", "B")
    await settle(clean_database, a, {0: 1e-4, 8: 2e-4})
    await settle(clean_database, b, {0: 1e-4, 8: 2e-4, 16: 5e-4})
    for to in (a, b):
        await hold(clean_database, to, {20: 30.0, 21: 30.0})
    at_limit, beyond = await ask(clean_database, at(20), at(21))
    assert at_limit["present"] == ["binance", "bybit"]
    assert (beyond["present"], beyond["missing"], beyond["coverage"]) == (["bybit"], ["binance"], 0.5)
    assert beyond["rate"] == pytest.approx(5e-4)


async def test_below_min_coverage_the_value_is_null(clean_database: Database) -> None:
    a, b = await series(clean_database, "binance", "A"), await series(clean_database, "bybit", "B")
    for to in (a, b):
        await settle(clean_database, to, {0: 1e-4, 8: 1e-4})
    await hold(clean_database, a, {0: 75.0, 8: 75.0})
    await hold(clean_database, b, {0: 25.0})
    (row,) = await ask(clean_database, at(8), at(8), min_coverage=0.75)
    assert (row["coverage"], row["rate"], row["stale"]) == (0.75, 1e-4, ["bybit"])
    (row,) = await ask(clean_database, at(8), at(8), min_coverage=0.76)
    assert row["rate"] is None


async def test_nothing_of_later_is_used(clean_database: Database) -> None:
    """The answer about an instant is the same whatever settles or is told after it."""
    a = await series(clean_database, "binance", "A")
    await settle(clean_database, a, {0: 1e-4, 8: 2e-4})
    await hold(clean_database, a, {8: 30.0})
    before = await ask(clean_database, at(9), at(9))
    await settle(clean_database, a, {16: 9e-4})
    await hold(clean_database, a, {9.5: 1.0})
    assert await ask(clean_database, at(9), at(9)) == before
    assert len(await stored_intervals(clean_database, a)) == 3


async def test_one_instrument_told_twice_counts_once(clean_database: Database) -> None:
    from app.services import reference

    own = await series(clean_database, "binance", "A")
    told = (await reference.series_of(clean_database, "velo", "binance"))["A"].id
    for to, rate in ((told, 9e-4), (own, 1e-4)):
        await settle(clean_database, to, {0: rate, 8: rate})
        await hold(clean_database, to, {8: 10.0})
    (row,) = await ask(clean_database, at(8), at(8))
    assert (row["instruments"], row["oi_usd"], row["rate"]) == (1, 10.0, 1e-4)
    (row,) = await ask(clean_database, at(8), at(8), source="velo")
    assert row["rate"] == 9e-4


async def test_a_weight_nobody_can_tell_leaves_the_one_before(clean_database: Database) -> None:
    """Open interest in coins alone, with no candle to price it, is not a weight; whatever window is asked."""
    a = await series(clean_database, "binance", "A")
    await settle(clean_database, a, {8: 1e-4})
    await hold(clean_database, a, {10: 30.0})
    coins = {"series_id": a, "ts": at(11), "oi_base": 1.0}
    await put(clean_database, "open_interest", [batch("open_interest", [coins])])
    for first in (9, 11.5):
        row = (await ask(clean_database, at(first), at(11.5), step=timedelta(minutes=30)))[-1]
        assert (row["rate"], row["present"]) == (1e-4, ["binance"])


async def test_volume_is_of_the_day_up_to_the_last_candle(clean_database: Database) -> None:
    price = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    for name, last, usd in (("binance", 40, 100.0), ("bybit", 10, 300.0)):
        to = await series(clean_database, name, "BTC0")
        await settle(clean_database, to, {float(h): 1e-4 for h in range(0, 49, 8)})
        rows = [{"series_id": to, "ts": at(h), "volume_usd": usd, **price} for h in range(last)]
        await put(clean_database, "perp_1h", [batch("perp_1h", rows)])
    for moment in (40, 40.5):
        (row,) = await ask(clean_database, at(moment), at(moment), weight="volume")
        assert (row["present"], row["stale"]) == (["binance"], ["bybit"])
        assert row["coverage"] == pytest.approx(2400 / (2400 + 3000))


async def test_a_contract_that_gets_its_coin_later_joins_the_rollup(clean_database: Database) -> None:
    to = await series(clean_database, "binance", "ODD", "NOBODYKNOWS")
    await settle(clean_database, to, {0: 1e-4, 8: 2e-4})
    await hold(clean_database, to, dict.fromkeys(range(12), 1.0))
    await series(clean_database, "binance", "ODD", "BTC")
    await settle(clean_database, to, {16: 3e-4})
    await rollup.refresh(clean_database)
    entity = await clean_database.reads.fetchval("select id from entity where canonical_id = 'bitcoin'")
    kept = await clean_database.reads.fetch(sql("funding_mean", "weighted_hourly"), entity, at(0), at(10), 8.0, 0.0)
    alike([dict(row) for row in kept], await ask(clean_database, at(0), at(10)))
    assert kept[9]["rate"] == 2e-4
