"""Deribit over real sockets: its perpetuals beside others, its lists and its budgets."""

import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from app.ingest.runner import Patience
from app.ingest.sources import load
from app.ingest.work import Order
from app.settings import environment
from tests.e2e.deribit import ENDLESS, iso, listed, pulled, read, source
from tests.e2e.rounds import HISTORY_DAYS, MINUTE, Clock, first_wanted, pull_round, stored
from tests.e2e.test_round import told
from tests.plain import Contract as Told
from tests.plain import weighted
from tests.replay import HTML, Replay, broken
from tests.replayed import deribit_contracts as ours
from tests.replayed import deribit_credits
from tests.replayed import markets as world
from tests.replayed.deribit_contracts import BTC, ETH, SOL, Contract
from tests.replayed.markets import HOUR, Market


@pytest.fixture(autouse=True)
def calm() -> None:
    """Credits without end, but where a test says so."""
    deribit_credits.calm(**ENDLESS)


def interest(market: Market, now: datetime) -> tuple[float, float]:
    """Open interest in coins and in USD: an inverse contract's is told in USD."""
    amount, price = ours.interest(Contract(market.symbol, market), now), world.price(market, now)
    return (amount / price, amount) if market.inverse else (amount, amount * price)


async def test_perpetuals_stand_beside_those_of_other_exchanges(
    engine: Engine, client: httpx.AsyncClient, clean_database: Database, clock: Clock
) -> None:
    await pulled(engine, source())
    await pull_round(engine, ["binance"])
    for market in (BTC, ETH):
        await check_funding(client, market, clock.now)
        await check_candles(client, market, clock.now)
        samples = await read(client, f"/open-interest/{market.base}", end=iso(clock.now + HOUR), exchanges="deribit")
        assert [row["instrument"] for row in samples] == [market.symbol]
        held = [samples[0][name] for name in ("oi_base", "oi_usd")]
        assert held == pytest.approx(interest(market, clock.now), rel=1e-9)
    await check_weighted(client, clock.now)
    await check_no_leak(client, clock.now)
    future = next(one for one in listed(clock.now, "BTC") if one.kind == "future" and one.expires)
    minutes = await stored(clean_database, "perp_1m", "close, volume_base, volume_usd")
    bars = ours.bars(future, first_wanted(clock.now, MINUTE), clock.now - MINUTE, MINUTE)
    expected = [(bar["close"], pytest.approx(bar["volume"]), pytest.approx(bar["cost"])) for bar in bars]
    assert [row[1:] for row in minutes["deribit", future.name]] == expected


async def check_funding(client: httpx.AsyncClient, market: Market, now: datetime) -> None:
    """Settled hour by hour; what is told of now as the eighth part of eight hours."""
    since, path = first_wanted(now, HOUR), f"/funding/{market.base}"
    settled = await read(client, path, per="1h", start=iso(since), end=iso(now))
    own = [row for row in settled if row["exchange"] == "deribit"]
    assert {row["exchange"] for row in settled} == {"binance", "deribit"}
    assert {(row["instrument"], row["interval_hours"]) for row in own} == {(market.symbol, 1)}
    paid = [(iso(hour), world.rate(market, hour)) for hour in world.settlements(market, since, now)]
    assert [(row["time"], row["rate"]) for row in own] == paid
    (estimate,) = await read(client, path, kind="predicted", at=iso(now), per="1h", exchanges="deribit")
    assert estimate["rate"] == pytest.approx(world.rate(market, now), rel=1e-12)


async def check_candles(client: httpx.AsyncClient, market: Market, now: datetime) -> None:
    """Volume in coins and in USD; minutes without a trade have one of 0."""
    since, name = first_wanted(now, MINUTE), f"/candles/{market.base}"
    bars = await read(client, name, interval="1m", exchanges="deribit", start=iso(since), end=iso(now))
    expected = list(ours.bars(Contract(market.symbol, market), since, now - MINUTE, MINUTE))
    assert {row["instrument"] for row in bars} == {market.symbol}
    assert [row["time"] for row in bars] == [iso(world.time_of(int(bar["ticks"]))) for bar in expected]
    for column, told_as in (("close", "close"), ("volume_base", "volume"), ("volume_usd", "cost")):
        assert [row[column] for row in bars] == pytest.approx([bar[told_as] for bar in expected], rel=1e-9)


async def check_weighted(client: httpx.AsyncClient, now: datetime) -> None:
    """One contract of each of the two exchanges is in the mean, by its open interest in USD."""
    hours = world.settlements(BTC, now - timedelta(days=HISTORY_DAYS), now)
    own = Told("deribit", {hour: (world.rate(BTC, hour), 1.0) for hour in hours}, {now: interest(BTC, now)[1]})
    other = next(market for market in world.of("binance") if market.base == "BTC")
    (row,) = await read(client, "/funding/BTC", weighted="oi", at=iso(now))
    expected = weighted([own, told(other, now)], now)
    assert (row["instruments"], row["present"]) == (2, ["binance", "deribit"])
    for name in ("rate", "mean", "median", "min", "max", "coverage"):
        assert row[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-15), name


async def check_no_leak(client: httpx.AsyncClient, now: datetime) -> None:
    """Where perpetuals are answered there are no futures, options or indexes."""
    kinds = Counter(row["kind"] for row in await read(client, "/instruments", exchange="deribit"))
    days = len(ours.expiries(now))
    assert kinds == {"perp": 2, "future": 2 * days, "option": 2 * days * 6, "index": 4}
    for path in ("/candles/BTC", "/rolling/BTC", "/open-interest/BTC", "/funding/BTC"):
        rows = await read(client, path, exchanges="deribit", start=iso(now - 2 * HOUR), end=iso(now + MINUTE))
        assert {row["instrument"] for row in rows} == {"BTC-PERPETUAL"}, path
    asked = {"time": iso(now), "exchange": "deribit", "asset": "BTC"}
    answer = await client.post("/lookup", json={"dataset": "funding", "rows": [asked], "per": "1h"})
    assert answer.json()["data"]["rate"] == [world.rate(BTC, now.replace(minute=0, second=0))]


async def test_another_coin_is_one_setting(
    engine: Engine,
    client: httpx.AsyncClient,
    clean_database: Database,
    clock: Clock,
    replay: Replay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = "select count(*) from pg_class where relkind in ('r', 'p') and not relispartition"
    await pulled(engine, source(), "instruments", "option_chain")
    before = await clean_database.reads.fetchval(tables)
    assert {row["asset"] for row in await read(client, "/instruments", exchange="deribit")} == {"BTC", "ETH"}
    clock.now += 2 * HOUR
    monkeypatch.setenv("PERPSTORE_DERIBIT_CURRENCIES", "BTC,ETH,SOL")
    environment.cache_clear()
    await pulled(engine, source(None), "instruments", "option_chain", "open_interest", "depth", "greeks")
    assert await clean_database.reads.fetchval(tables) == before
    found = {row["symbol"]: row for row in await read(client, "/instruments", exchange="deribit", asset="SOL")}
    assert found.keys() == {one.name for one in listed(clock.now, "SOL")} | {"sol_usdc"}
    assert {row["margin"] for row in found.values() if row["kind"] != "index"} == {"stable"}
    chain = await stored(clean_database, "option_1m", "mark_price")
    options = [one for one in listed(clock.now, "SOL") if one.kind == "option"]
    assert {one.name: ours.mark(one, clock.now) for one in options} == {
        name: rows[-1][1] for (_, name), rows in chain.items() if name.startswith("SOL")
    }
    (sample,) = await read(client, "/open-interest/SOL", exchanges="deribit", end=iso(clock.now + HOUR))
    assert [sample["oi_base"], sample["oi_usd"]] == pytest.approx(interest(SOL, clock.now), rel=1e-9)
    assert {asked.query["currency"] for asked in replay.asked if "currency" in asked.query} == {"BTC", "ETH", "USDC"}


async def test_what_expires_is_gone_and_its_last_minutes_are_kept(
    engine: Engine, client: httpx.AsyncClient, clean_database: Database, clock: Clock
) -> None:
    """Beside it come others, before the list is asked for again: what is told of them is not lost."""
    eight = next(day for day in ours.expiries(clock.now) if day.weekday() != 2)  # then Thursday and Friday are listed
    clock.now = eight - timedelta(minutes=3, seconds=20)
    before = listed(clock.now, "BTC", "ETH")
    await pulled(engine, source(), "instruments", "candles_1m")
    clock.now = eight + timedelta(minutes=1, seconds=30)
    await pulled(engine, source(), "candles_1m", "depth", "option_chain")
    gone = [one for one in before if one.expires == eight]
    now = listed(clock.now, "BTC", "ETH")
    found = {row["symbol"]: row for row in await read(client, "/instruments", exchange="deribit")}
    assert {one.kind for one in gone} == {"future", "option"}
    for one in gone:
        assert (found[one.name]["active"], found[one.name]["delisted_at"]) == (False, iso(eight)), one
    assert all(found[one.name]["active"] for one in now)
    minutes = await stored(clean_database, "perp_1m", "close")
    for one in gone:
        if one.kind == "future":
            assert minutes["deribit", one.name][-1][0] == eight - MINUTE
    chain = await stored(clean_database, "option_1m", "mark_price")
    assert chain.keys() == {("deribit", one.name) for one in now if one.kind == "option"}


async def test_one_list_that_does_not_come_retires_nobody(
    engine: Engine, replay: Replay, clean_database: Database, clock: Clock
) -> None:
    await pulled(engine, source("BTC,ETH,SOL"), "instruments")
    for fault in (broken(404), HTML):
        replay.misbehave(fault, to="currency=ETH")
        (done,) = await jobs.pull_all(engine, source("BTC,ETH,SOL"), ["instruments"], Order())
        assert done.status == "partial"
    active = (
        "select count(*) from instrument i join exchange e on e.id = i.exchange_id where slug = 'deribit' and active"
    )
    assert await clean_database.reads.fetchval(active) == len(listed(clock.now, "BTC", "ETH", "SOL")) + 5


async def test_a_long_window_loses_no_bar(engine: Engine, clean_database: Database, clock: Clock) -> None:
    await pulled(engine, source("BTC"), "instruments")
    order = Order(days=5, symbols=frozenset({"BTC-PERPETUAL"}))
    (_, done) = await jobs.pull_all(engine, source("BTC"), ["instruments", "candles_1m"], order)
    assert done.status == "succeeded"
    rows = (await stored(clean_database, "perp_1m", "close"))["deribit", "BTC-PERPETUAL"]
    first = (clock.now - timedelta(days=5)).replace(second=0)
    assert [row[0] for row in rows] == list(world.grid(first, clock.now - MINUTE, MINUTE))


async def test_no_more_is_asked_than_the_budget_has(engine: Engine, replay: Replay, clock: Clock) -> None:
    """At twenty times the speed of its own budgets: ten calls at once, then eighty a second."""
    found = load(["deribit"])["deribit"]
    quick = {key: replace(one, period=one.period / 20) for key, one in found.budgets.items()}
    begun, contracts = time.monotonic(), 2 + 2 * len(ours.expiries(clock.now))
    await pulled(engine, replace(found, budgets=quick))
    calls = {path.rpartition("/")[2]: number for path, number in replay.counted().items()}
    assert calls == {
        **dict.fromkeys(("get_instruments", "get_funding_rate_history", "get_index_price"), 2),
        **dict.fromkeys(("get_volatility_index_data", "get_delivery_prices"), 2),
        "get_book_summary_by_currency": 8,
        "get_order_book": contracts,
        "get_tradingview_chart_data": 2 * contracts,
    }
    assert time.monotonic() - begun > (deribit_credits.pools["credits"].paid - 10) / 80


async def test_credits_that_are_spent_and_settlements_are_waited_for(engine: Engine) -> None:
    deribit_credits.mood.spent = deribit_credits.mood.settling = 3
    await pulled(engine, source(), "instruments", "depth", "open_interest")
    assert (deribit_credits.mood.spent, deribit_credits.mood.settling) == (0, 0)


async def test_an_exchange_without_credits_is_left_alone(engine: Engine) -> None:
    deribit_credits.calm(credits=(0.0, 0.0, 500.0), instruments=ENDLESS["instruments"])
    hasty = replace(engine, web=replace(engine.web, patience=Patience(tries=2)))
    _, done = await jobs.pull_all(hasty, source(), ["instruments", "depth"], Order())
    assert (done.status, done.counts.received) == ("failed", 0)
    assert "too_many_requests (10028)" in (done.error or "")
    assert deribit_credits.pools["credits"].refused < 40
