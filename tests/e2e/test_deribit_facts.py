"""Deribit over real sockets: chains, greeks, indexes and books; their age, and their history."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.db import Database
from app.ingest import jobs
from app.ingest.engine import Engine
from tests.conftest import ROOT
from tests.e2e.deribit import ENDLESS, listed, pulled, read, source
from tests.e2e.rounds import MINUTE, Clock, first_wanted, stored
from tests.replay import Replay
from tests.replayed import deribit_contracts as ours
from tests.replayed import deribit_credits
from tests.replayed import markets as world
from tests.replayed.deribit_contracts import BTC, ETH


@pytest.fixture(autouse=True)
def calm() -> None:
    """Credits without end, but where a test says so."""
    deribit_credits.calm(**ENDLESS)


async def test_the_chain_greeks_indexes_and_books_are_stored_once(
    engine: Engine, client: httpx.AsyncClient, clean_database: Database, clock: Clock
) -> None:
    await pulled(engine, source())
    again = await pulled(engine, source())
    assert {one.dataset: one.counts.inserted + one.counts.updated for one in again} == dict.fromkeys(
        jobs.datasets(source()), 0
    )
    options = [one for one in listed(clock.now, "BTC", "ETH") if one.kind == "option"]
    chain = await stored(clean_database, "option_1m", "bid, mark_price, mark_iv, underlying_price, open_interest")
    assert chain.keys() == {("deribit", one.name) for one in options}
    for one in options:
        ((time, bid, mark, iv, forward, amount),) = chain["deribit", one.name]
        assert clock.now - timedelta(milliseconds=10) <= time <= clock.now
        assert (mark, forward, amount) == (
            ours.mark(one, clock.now),
            world.price(one.of, clock.now),
            ours.interest(one, clock.now),
        )
        assert iv == pytest.approx(ours.volatility(one.of, one.name, clock.now) / 100)
        assert bid is None or bid <= mark
    assert any(rows[0][1] is None for rows in chain.values())
    deltas = await stored(clean_database, "greeks", "delta")
    assert all((rows[0][1] > 0) == name.endswith("C") for (_, name), rows in deltas.items())
    indexes = await stored(clean_database, "index_price", "open, close")
    told_at = clock.now + timedelta(microseconds=42 - clock.now.microsecond % 1000)
    assert indexes["deribit", "btc_usd"] == [(told_at, None, ours.index(BTC, clock.now))]
    grid = list(world.grid(first_wanted(clock.now, MINUTE), clock.now - MINUTE, MINUTE))
    values = [(time, pytest.approx(ours.volatility(BTC, "index", time) / 100)) for time in grid]
    assert [(time, close) for time, _, close in indexes["deribit", "BTC-DVOL"]] == values
    delivered = await stored(clean_database, "delivery_price", "price")
    eight = ours.expiries(clock.now)[0] - timedelta(days=1)
    assert delivered["deribit", "eth_usd"][-1] == (eight, ours.index(ETH, eight))
    books = await stored(clean_database, "depth", "bid_prices, ask_prices, change_id")
    assert {len(rows) for rows in books.values()} == {1}
    assert books.keys() == {("deribit", one.name) for one in listed(clock.now, "BTC", "ETH") if one.kind == "future"}
    ((_, bids, asks, _),) = books["deribit", "BTC-PERPETUAL"]
    assert bids == sorted(bids, reverse=True)
    assert (len(bids), len(asks), bids[0] < asks[0]) == (20, 20, True)


async def test_how_old_it_is(engine: Engine, client: httpx.AsyncClient, clock: Clock) -> None:
    clock.now = datetime.now(UTC)
    await pulled(engine, source())
    days = len(ours.expiries(clock.now))
    rows = {row["dataset"]: row for row in await read(client, "/quality/freshness", source="deribit")}
    assert {name: rows[name]["series"] for name in rows if name != "instruments"} == {
        **dict.fromkeys(("funding", "predicted_funding", "open_interest", "index_price", "volatility_index"), 2),
        **dict.fromkeys(("option_chain", "greeks"), 12 * days),
        **dict.fromkeys(("candles_1m", "candles_1h", "depth"), 2 + 2 * days),
        "delivery_prices": 2,
    }
    assert {name: row["late"] for name, row in rows.items() if row["late"]} == {}
    assert all(row["age_s"] < 120 for name, row in rows.items() if name in ("option_chain", "index_price", "depth"))
    first, second = (row["newest"] for row in (rows["index_price"], rows["volatility_index"]))
    assert first > second


async def test_days_of_history_of_what_has_any(clean_database: Database) -> None:
    ours_alone = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
    command = [sys.executable, "-m", "app.cli", "backfill", "deribit", "--days", "2", "--asset", "BTC", "--json"]
    command += ["--dataset", "funding,candles-1m,volatility-index"]
    with Replay() as replay:
        there = {**ours_alone, **replay.settings(), "DATABASE_URL": clean_database.dsn}
        done = await asyncio.to_thread(
            subprocess.run, command, env=there, cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    order = json.loads(done.stdout)
    assert (order["state"], order["windows_failed"], order["rejected"]) == ("succeeded", 0, 0)
    start, end = (datetime.fromisoformat(order[edge]) for edge in ("start", "end"))
    sure = end - 2 * MINUTE  # whatever struck while it ran
    grid = list(world.grid(start, sure, MINUTE))
    volatility = (await stored(clean_database, "index_price", "close"))["deribit", "BTC-DVOL"]
    assert [(time, close) for time, close in volatility if time <= sure] == [
        (time, pytest.approx(ours.volatility(BTC, "index", time) / 100)) for time in grid
    ]
    minutes = await stored(clean_database, "perp_1m", "close")
    futures = [one.name for one in listed(sure, "BTC") if one.kind == "future"]
    assert {symbol for _, symbol in minutes} == set(futures)
    assert [time for time, _ in minutes["deribit", "BTC-PERPETUAL"] if time <= sure] == grid
    paid = await stored(clean_database, "funding", "rate")
    hours = [(hour, world.rate(BTC, hour)) for hour in world.settlements(BTC, start, sure)]
    assert paid == {("deribit", "BTC-PERPETUAL"): hours}


def test_probe_looks_a_contract_up_on_every_list() -> None:
    command = [sys.executable, "-m", "app.cli", "probe", "deribit", "candles_1m", "ETH-PERPETUAL", "--json"]
    with Replay() as replay:
        there = {**os.environ, **replay.settings()}
        done = subprocess.run(command, env=there, cwd=ROOT, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert {row["symbol"] for row in told["rows"]} == {"ETH-PERPETUAL"}
    assert told["weight"] == {"credits": 500, "instruments": 20_000}
