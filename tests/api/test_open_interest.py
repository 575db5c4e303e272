"""Open interest and candles over HTTP."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.db import Database
from app.records import Candle, OpenInterest
from app.services import reference
from app.services.batch import columns
from app.services.store import put
from tests.api.test_funding import iso, read
from tests.db.facts import at, batch, hold, series, settle

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def test_samples_grid_and_sum(client: httpx.AsyncClient, clean_database: Database) -> None:
    a, b = await series(clean_database, "binance", "A"), await series(clean_database, "bybit", "B")
    await hold(clean_database, a, {0.1: 1.0, 0.9: 2.0, 2.5: 3.0})
    await hold(clean_database, b, {0.5: 10.0})
    asked = {"start": iso(at(0)), "end": iso(at(6))}
    samples = (await read(client, "/open-interest/BTC", **asked))["data"]
    assert [row["oi_usd"] for row in samples] == [1, 10, 2, 3]  # type: ignore[attr-defined]
    grid = (await read(client, "/open-interest/BTC", interval="1h", **asked))["data"]
    assert [(r["time"], r["exchange"], r["oi_usd"]) for r in grid] == [  # type: ignore[attr-defined]
        (iso(at(1)), "binance", 2), (iso(at(1)), "bybit", 10), (iso(at(2)), "binance", 2), (iso(at(2)), "bybit", 10),
        (iso(at(3)), "binance", 3), (iso(at(4)), "binance", 3),
    ]  # fmt: skip
    total = (await read(client, "/open-interest/BTC", aggregate="sum", **asked))["data"]
    assert [(r["oi_usd"], r["present"], r["missing"]) for r in total] == [  # type: ignore[attr-defined]
        (None, [], []), (12, ["binance", "bybit"], []), (12, ["binance", "bybit"], []), (3, ["binance"], ["bybit"]),
        (3, ["binance"], ["bybit"]), (None, [], ["binance", "bybit"]),
    ]  # fmt: skip
    one = (await read(client, "/open-interest/BTC", at=iso(at(2.5))))["data"]
    assert [(r["exchange"], r["oi_usd"]) for r in one] == [("binance", 3), ("bybit", 10)]  # type: ignore[attr-defined]


async def test_usd_nobody_told_are_the_coins_at_the_last_close(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    """One number wherever it is read: in samples, on a grid, in the sum, beside a rate, and as a weight."""
    a = await series(clean_database, "bybit", "A")
    await settle(clean_database, a, {0: 1e-4, 8: 1e-4}, hours=8)
    closes = {6: 100.0, 7: 110.0, 8: 999.0}  # of hours from 6:00, 7:00, 8:00: the last closes at 9:00
    price = {"open": 1.0, "high": 999.0, "low": 1.0}
    rows = [{"series_id": a, "ts": at(h), "close": close, **price} for h, close in closes.items()]
    await put(clean_database, "perp_1h", [batch("perp_1h", rows)])
    held = [{"series_id": a, "ts": at(h), "oi_base": 3.0} for h in (7.5, 8.5, 11.99, 13)]
    await put(clean_database, "open_interest", [batch("open_interest", held)])
    asked = {"start": iso(at(0)), "end": iso(at(14))}
    samples = (await read(client, "/open-interest/BTC", **asked))["data"]
    assert [(r["oi_base"], r["oi_usd"]) for r in samples] == [(3, 300), (3, 330), (3, 2997), (3, None)]  # type: ignore[attr-defined]
    for more in ({}, {"aggregate": "sum"}):
        (row,) = (await read(client, "/open-interest/BTC", at=iso(at(8.9)), **more))["data"]  # type: ignore[misc]
        assert row["oi_usd"] == 330  # type: ignore[index]
    for path, more in (("/funding", {"assets": "BTC"}), ("/funding/BTC", {"weighted": "oi"})):
        (row,) = (await read(client, path, at=iso(at(8.9)), **more))["data"]  # type: ignore[misc]
        assert row["oi_usd"] == 330  # type: ignore[index]
    before = await read(client, "/open-interest/BTC", known_at=iso(at(0)), **asked)
    assert before["data"] == []


async def test_the_market_now_has_the_same_usd(client: httpx.AsyncClient, clean_database: Database) -> None:
    a, hour = await series(clean_database, "bybit", "A"), datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    price = {"open": 1.0, "high": 9.0, "low": 1.0, "close": 7.0}
    for fact, told in (
        ("funding", {"ts": hour, "rate": 1e-4, "interval_hours": 8.0}),
        ("perp_1h", {"ts": hour - HOUR, **price}),
        ("open_interest", {"ts": hour, "oi_base": 3.0}),
    ):
        await put(clean_database, fact, [batch(fact, [{"series_id": a, **told}])])
    for at_ in (None, iso(datetime.now(UTC))):
        (row,) = (await read(client, "/funding", at=at_))["data"]  # type: ignore[misc]
        assert row["oi_usd"] == 21  # type: ignore[index]


async def test_the_multiplier_is_applied_once(client: httpx.AsyncClient, clean_database: Database) -> None:
    await series(clean_database, "binance", "1000PEPEUSDT", "1000PEPE")
    to = await reference.series_of(clean_database, "binance", "binance")
    candle = Candle("1000PEPEUSDT", at(0), MINUTE, 0.01, 0.02, 0.01, 0.02, 5.0, 0.1, 2.0, 7)
    held = OpenInterest("1000PEPEUSDT", at(0), 3.0, 0.06)
    facts, unknown = columns([candle, held], to)
    assert not unknown
    for fact, rows in facts.items():
        await put(clean_database, fact, [rows])
    asked = {"start": iso(at(0)), "end": iso(at(1))}
    (row,) = (await read(client, "/candles/PEPE", **asked))["data"]  # type: ignore[misc]
    assert (row["close"], row["volume_base"], row["volume_usd"]) == (pytest.approx(2e-5), 5000, 0.1)  # type: ignore[index]
    (row,) = (await read(client, "/open-interest/PEPE", **asked))["data"]  # type: ignore[misc]
    assert (row["oi_base"], row["oi_usd"]) == (3000, 0.06)  # type: ignore[index]


async def put_minutes(db: Database, minutes: range, skip: set[int]) -> None:
    await series(db, "okx", "BTC-USDT-SWAP")
    to = await reference.series_of(db, "okx", "okx")
    made = [
        Candle("BTC-USDT-SWAP", at(0) + m * MINUTE, MINUTE, m + 1, m + 3, m, m + 2, 1.0, 10.0)
        for m in minutes
        if m not in skip
    ]
    facts, _ = columns(made, to)
    await put(db, "perp_1m", [facts["perp_1m"]])


async def test_longer_candles_are_made_of_minutes(client: httpx.AsyncClient, clean_database: Database) -> None:
    await put_minutes(clean_database, range(0, 150), {70, 71})
    asked = {"start": iso(at(0)), "end": iso(at(24))}
    hours = (await read(client, "/candles/BTC", interval="1h", **asked))["data"]
    assert [(r["open"], r["high"], r["low"], r["close"], r["volume_base"], r["complete"]) for r in hours] == [  # type: ignore[attr-defined]
        (1, 62, 0, 61, 60, True), (61, 122, 60, 121, 58, False), (121, 152, 120, 151, 30, False),
    ]  # fmt: skip
    five = (await read(client, "/candles/BTC", interval="5m", **asked))["data"]
    assert len(five) == 30  # type: ignore[arg-type]
    assert [r["complete"] for r in five].count(False) == 1  # type: ignore[attr-defined]
    (day,) = (await read(client, "/candles/BTC", interval="1d", **asked))["data"]  # type: ignore[misc]
    assert (day["open"], day["close"], day["complete"]) == (1, 151, False)  # type: ignore[index]


async def test_an_hour_that_was_told_goes_before_one_made_of_minutes(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    await put_minutes(clean_database, range(0, 30), set())
    to = await reference.series_of(clean_database, "okx", "okx")
    facts, _ = columns([Candle("BTC-USDT-SWAP", at(0), HOUR, 1.0, 99.0, 0.5, 50.0, 100.0, 1000.0)], to)
    await put(clean_database, "perp_1h", [facts["perp_1h"]])
    asked = {"start": iso(at(0)), "end": iso(at(1)), "interval": "1h"}
    (row,) = (await read(client, "/candles/BTC", **asked))["data"]  # type: ignore[misc]
    assert (row["high"], row["complete"]) == (99, True)  # type: ignore[index]


async def test_at_shows_only_candles_that_had_closed(client: httpx.AsyncClient, clean_database: Database) -> None:
    await put_minutes(clean_database, range(0, 120), set())
    for moment, opened in ((at(1), at(0)), (at(1.99), at(0)), (at(2), at(1))):
        (row,) = (await read(client, "/candles/BTC", interval="1h", at=iso(moment)))["data"]  # type: ignore[misc]
        assert row["time"] == iso(opened)  # type: ignore[index]


async def test_pages_of_a_grid_with_holes_lose_nothing(client: httpx.AsyncClient, clean_database: Database) -> None:
    a, b = await series(clean_database, "binance", "A"), await series(clean_database, "bybit", "B")
    for to in (a, b):
        await hold(clean_database, to, {100.5: 1.0, 101.5: 2.0})
    asked = {"start": iso(at(0)), "end": iso(at(168)), "interval": "1h"}
    whole = (await read(client, "/open-interest/BTC", **asked))["data"]
    assert len(whole) == 6  # type: ignore[arg-type]
    pages: list[object] = []
    cursor = None
    while True:
        page = await read(client, "/open-interest/BTC", limit=4, cursor=cursor, **asked)
        pages += page["data"]  # type: ignore[arg-type,operator]
        cursor = page["page"]["next_cursor"]  # type: ignore[index]
        if cursor is None:
            break
    assert pages == whole


async def test_which_sources_are_left_out_is_what_they_say_of_themselves(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    """Not a name: any source may be heard on request only, and the notice names those that are."""
    db, asked = clean_database, {"start": iso(at(0)), "end": iso(at(6))}
    own = await series(db, "binance", "A")
    await hold(db, own, {0.1: 1.0})
    for number, teller in enumerate(("second", "third"), 2):
        await reference.put_source(db, teller, on_request=True)
        await hold(db, (await reference.series_of(db, teller, "binance"))["A"].id, {0.2: float(number)})
    answer = await read(client, "/open-interest/BTC", **asked)
    assert [row["oi_usd"] for row in answer["data"]] == [1]  # type: ignore[attr-defined]
    assert answer["meta"]["notices"] == [  # type: ignore[index]
        "left out: 1 perpetuals as told by second, third; source=second or source=third give them"
    ]
    await reference.put_source(db, "second", on_request=False)
    answer = await read(client, "/open-interest/BTC", **asked)
    assert [row["oi_usd"] for row in answer["data"]] == [1, 2]  # type: ignore[attr-defined]
    assert answer["meta"]["notices"] == [  # type: ignore[index]
        "left out: 1 perpetuals as told by third; source=third gives them"
    ]
