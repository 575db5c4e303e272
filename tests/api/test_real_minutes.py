"""Recorded minutes, imported as a user would: RSI, wicks, changes and longer bars as plain Python has them."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.db import Database
from app.settings import Settings
from tests.apps import asking, made
from tests.conftest import EMPTY, RESTORE, shared
from tests.plain_minutes import HOUR, MINUTE, Candle, bars, change, hours_of, rsi, rsi_of_hour, wicks
from tests.recorded_minutes import (
    COINS,
    COINS_READ,
    EPOCH,
    GAPS,
    PERPS,
    RECORDINGS,
    Told,
    bring_coins,
    bring_recording,
    ms,
    near,
    rows_of,
    time_of,
)

LENGTHS = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR, "4h": 4 * HOUR, "1d": 24 * HOUR}
EVERY = 37
"""RSI is compared every so many minutes: with no factor of 60, so that each minute of the hour has its turn."""
ADD_PERPSPEC = """
insert into perpspec (name, exchange, kind, fields) values ($1 || '-ohlcv', $1, 'ohlcv', '{o,h,l,c,v}')
"""


@pytest.fixture(scope="module")
async def market(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """All recordings, imported once for the tests of this module."""
    for dataset in (PERPS, COINS, GAPS):
        shared(f"datasets/{dataset}")
    await database.reads.execute(EMPTY)
    await database.reads.execute(RESTORE)
    told: Told = {(one.exchange, one.asset): await bring_recording(database, one) for one in RECORDINGS}
    yield told | await bring_coins(database, tmp_path_factory.mktemp("coins"), COINS_READ)
    await database.reads.execute(EMPTY)
    await database.reads.execute(RESTORE)


@pytest.fixture(scope="module")
async def api(database: Database, market: Told) -> AsyncIterator[httpx.AsyncClient]:
    """The API on them."""
    assert market
    async with asking(made(Settings(scheduler=False, backfills=False), database), timeout=60) as client:
        yield client


async def read(api: httpx.AsyncClient, path: str, candles: Mapping[datetime, Candle], **more: str) -> list[Any]:
    """All rows of a recording's time."""
    window = {"start": min(candles).isoformat(), "end": (max(candles) + MINUTE).isoformat()}
    answer = await api.get(path, params={"format": "ndjson", "time_format": "ms", **window, **more})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def series_of(db: Database, exchange: str, asset: str) -> int:
    found = await db.reads.fetchval(
        """select s.id from series s join instrument i on i.id = s.instrument_id join exchange x on x.id = i.exchange_id
        join entity e on e.id = i.entity_id where x.slug = $1 and e.symbol = $2""",
        exchange,
        asset,
    )
    assert found is not None
    return found


async def test_rsi_of_every_minute_and_hour(database: Database, market: Told) -> None:
    compared = 0
    for (exchange, asset), candles in market.items():
        one = await series_of(database, exchange, asset)
        first, last = min(candles), max(candles) + MINUTE
        found = await database.reads.fetch("select * from rsi_minutes($1, $2, $3, null) order by ts", one, first, last)
        assert [row["ts"] for row in found] == sorted(candles)
        closes = {moment: candle.close for moment, candle in candles.items()}
        hours = hours_of(closes)
        some = found[::EVERY]
        assert not [row for row in some if not near(row["rsi1"], rsi(closes, row["ts"]))], (exchange, asset)
        assert not [row for row in some if not near(row["rsi60"], rsi_of_hour(hours, row["ts"]))], (exchange, asset)
        compared += sum((row["rsi1"] is not None) + (row["rsi60"] is not None) for row in some)
    assert compared > 5_000


async def test_after_a_gap_rsi_begins_anew(database: Database, market: Told) -> None:
    """Kraken writes no bar for a minute without a trade: there are thousands of gaps."""
    closes = {moment: candle.close for moment, candle in market["kraken", "BTC"].items()}
    gaps = [after for before, after in pairwise(sorted(closes)) if after - before > MINUTE]
    assert len(gaps) == 3811
    one = await series_of(database, "kraken", "BTC")
    found = await database.reads.fetch(
        "select ts, rsi1 from rsi_minutes($1, $2, $3, null)", one, min(closes), max(closes) + MINUTE
    )
    values = {row["ts"]: row["rsi1"] for row in found}
    assert all(near(value, rsi(closes, moment)) for moment, value in values.items())
    assert all(values[gap] is None for gap in gaps)
    assert sum(value is not None for value in values.values()) > 1000


async def test_rsi_of_many_at_one_minute(database: Database, market: Told) -> None:
    ours = {await series_of(database, *who): candles for who, candles in market.items() if who[0] == "hyperliquid"}
    first = max(min(candles) for candles in ours.values())
    for after in (5 * MINUTE, 90 * MINUTE, 1439 * MINUTE, 5000 * MINUTE):
        rows = await database.reads.fetch("select * from rsi_at($1, $2, null)", list(ours), first + after)
        found = {row["series_id"]: (row["rsi1"], row["rsi60"]) for row in rows}
        for one, candles in ours.items():
            closes = {moment: candle.close for moment, candle in candles.items()}
            minute, hour = found.get(one, (None, None))
            assert near(minute, rsi(closes, first + after))
            assert near(hour, rsi_of_hour(hours_of(closes), first + after))


@pytest.mark.parametrize(("interval", "shortest"), [("1m", 0.5), ("15m", 1.0), ("4h", 2.0)])
async def test_wicks(api: httpx.AsyncClient, market: Told, interval: str, shortest: float) -> None:
    total = 0
    for (exchange, asset), candles in market.items():
        asked = {
            "exchange": exchange,
            "interval": interval,
            "min_pct": str(shortest),
            "min_lower_pct": str(shortest / 2),
        }
        rows = await read(api, f"/wicks/{asset}", candles, **asked)
        found = {(row["time"], row["side"]): row["wick_pct"] for row in rows}
        expected = {
            (ms(moment), side): length
            for moment, (bar, _) in opening(candles, interval)
            for side, length in wicks(bar).items()
            if length >= (shortest if side == "upper" else shortest / 2)
        }
        assert found.keys() == expected.keys(), (exchange, asset)
        assert all(near(found[key], expected[key]) for key in expected)
        total += len(found)
    assert total > 50


@pytest.mark.parametrize("interval", ["5m", "15m", "1h", "4h", "1d"])
async def test_longer_bars(api: httpx.AsyncClient, market: Told, interval: str) -> None:
    partial = 0
    for (exchange, asset), candles in market.items():
        rows = await read(api, f"/candles/{asset}", candles, exchanges=exchange, interval=interval)
        expected = {ms(moment): bar for moment, bar in opening(candles, interval)}
        assert [row["time"] for row in rows] == sorted(expected)
        assert not [row for row in rows if not same_bar(row, *expected[row["time"]])], (exchange, asset)
        partial += sum(not row["complete"] for row in rows)
    assert partial > 10


@pytest.fixture
async def perpspecs(database: Database) -> AsyncIterator[None]:
    """Candles of the exchanges that have no perpspec to start with."""
    for exchange in ("kraken", "hyperliquid"):
        await database.reads.execute(ADD_PERPSPEC, exchange)
    yield
    await database.reads.execute("delete from perpspec where name = any($1)", ["kraken-ohlcv", "hyperliquid-ohlcv"])


@pytest.mark.usefixtures("perpspecs")
async def test_changes_are_against_exactly_so_many_minutes_before(api: httpx.AsyncClient, market: Told) -> None:
    missing = 0
    for exchange, asset in (("kraken", "BTC"), ("hyperliquid", "CELO")):
        candles = market[exchange, asset]
        rows = await read(api, f"/rolling/{asset}", candles, perpspecs=f"{exchange}-ohlcv")
        assert [row["time"] for row in rows] == sorted(map(ms, candles))
        for name, values in (
            ("c", {moment: candle.close for moment, candle in candles.items()}),
            ("v", {moment: candle.volume for moment, candle in candles.items()}),
        ):
            for minutes in (1, 5, 10):
                found = [row[f"{name}_chg_{minutes}m"] for row in rows]
                expected = [change(values, moment, minutes) for moment in sorted(candles)]
                assert not [pair for pair in zip(found, expected, strict=True) if not near(*pair)]
                missing += found.count(None)
    assert missing > 10_000


async def test_changes_of_rsi(api: httpx.AsyncClient, market: Told) -> None:
    candles = market["kraken", "BTC"]
    closes = {moment: candle.close for moment, candle in candles.items()}
    strengths = {moment: rsi(closes, moment) for moment in sorted(closes)}
    rows = await read(api, "/rolling/BTC", candles, perpspecs="rsi", exchanges="kraken")
    found = [(row["rsi1"], row["rsi1_chg_5m"]) for row in rows if row["rsi1"] is not None]
    known = [moment for moment, strength in strengths.items() if strength is not None]
    expected = [(strengths[moment], change(strengths, moment, 5)) for moment in known]
    for ours, theirs in zip(zip(*found, strict=True), zip(*expected, strict=True), strict=True):
        assert not [pair for pair in zip(ours, theirs, strict=True) if not near(*pair)]
    assert sum(row[1] is not None for row in found) > 500


async def test_what_takers_bought_and_sold(api: httpx.AsyncClient, market: Told) -> None:
    candles = market["binance", "NEAR"]
    recorded = list(rows_of(shared("datasets") / RECORDINGS[0].file))
    for interval in ("1m", "1h"):
        taken: dict[int, list[tuple[float, float]]] = {}
        for row in recorded:
            bought, bucket = float(row["taker_buy_volume"]), start_of(time_of(row["open_time"]), LENGTHS[interval])
            taken.setdefault(ms(bucket), []).append((bought, float(row["volume"]) - bought))
        rows = await read(api, "/taker-volume/NEAR", candles, interval=interval, exchanges="binance")
        assert [row["time"] for row in rows] == sorted(taken)
        assert not [row for row in rows if not same_takers(row, taken[row["time"]])]


def opening(candles: Mapping[datetime, Candle], interval: str) -> Iterator[tuple[datetime, tuple[Candle, bool]]]:
    """The longer bars that open within a recording, and whether each has all its minutes."""
    first = min(candles)
    return (bar for bar in bars(candles, LENGTHS[interval], EPOCH).items() if bar[0] >= first)


def start_of(moment: datetime, length: timedelta) -> datetime:
    return EPOCH + (moment - EPOCH) // length * length


def same_takers(row: Mapping[str, Any], parts: Iterable[tuple[float, float]]) -> bool:
    bought, sold = (sum(side) for side in zip(*parts, strict=True))
    ratio = bought / sold if sold else None
    return (
        near(row["buy_volume_base"], bought)
        and near(row["sell_volume_base"], sold)
        and near(row["buy_sell_ratio"], ratio)
    )


def same_bar(row: Mapping[str, Any], bar: Candle, complete: bool) -> bool:
    prices = (row["open"], row["high"], row["low"], row["close"])
    return prices == bar[:4] and near(row["volume_base"], bar.volume) and row["complete"] is complete
