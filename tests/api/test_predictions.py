"""Estimates of funding: the interval each was of, what was then paid, whose they are, and how far off they were."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import reference
from app.services.store import put
from tests.db.facts import DAY, at, batch, hour_batch, series, settle

WINDOW = {"start": at(-24).isoformat(), "end": at(72).isoformat()}


async def read(client: httpx.AsyncClient, path: str, **params: object) -> list[dict[str, Any]]:
    answer = await client.get(path, params={k: str(v) for k, v in params.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def predicted(client: httpx.AsyncClient, **params: object) -> list[dict[str, Any]]:
    asked = params if "at" in params else {**WINDOW, **params}
    return await read(client, "/funding/BTC", kind="predicted", **asked)


async def sample(
    db: Database, to: int, rates: dict[float, float], for_hour: float | None = None, hours: float | None = None
) -> None:
    """Store estimates: hours after the start of the test day → rate."""
    told = None if for_hour is None else at(for_hour)
    rows = [
        {"series_id": to, "ts": at(h), "rate": rate, "for_time": told, "interval_hours": hours}
        for h, rate in rates.items()
    ]
    await put(db, "predicted_funding", [batch("predicted_funding", rows)])


async def hour_of_velo(db: Database, exchange: str, symbol: str, rates: dict[float, float]) -> None:
    """What Velo tells of hours: hours after the start of the test day → the rate per 8 hours."""
    to = (await reference.series_of(db, "velo", exchange))[symbol].id
    await put(
        db, "perp_1h", [hour_batch({"series_id": to, "ts": at(h), "funding_rate_8h": r} for h, r in rates.items())]
    )


def rest(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


async def test_an_interval_declared_later_is_not_used(client: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "binance", "BTCUSDT", funding_interval_hours=1.0)
    declare = """insert into instrument_fact (instrument_id, fact, valid_from, value, source)
        select instrument_id, 'funding_interval_hours', $2, $3, 'binance' from series where id = $1"""
    for hour, hours in ((0, "8"), (10, "4")):
        await clean_database.reads.execute(declare, to, at(hour), hours)
    await sample(clean_database, to, {-1: 1e-4, 5: 1e-4, 11: 1e-4})
    rows = await predicted(client)
    assert rest(rows, "rate", "interval_hours", "interval_known") == [
        (None, None, None), (1e-4, 8, "declared"), (2e-4, 4, "declared"),
    ]  # fmt: skip
    assert rest(await predicted(client, at=at(9).isoformat()), "interval_hours") == [(8,)]
    await settle(clean_database, to, {2: 1e-4, 4: 1e-4}, hours=2)
    rows = await predicted(client)
    assert rest(rows, "interval_hours", "interval_known") == [(None, None), (2, "inferred"), (4, "declared")]


async def test_when_it_has_settled_the_error_is_told(client: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, to, {0: 1e-4}, hours=8)
    await sample(clean_database, to, {7: 3e-4, 7.5: 2e-4}, for_hour=8, hours=8)
    names = ("rate", "settled_rate", "error", "minutes_before")
    before = [(3e-4, None, None, 60), (2e-4, None, None, 30)]
    assert rest(await predicted(client), *names) == before
    moment = datetime.now(UTC).isoformat()
    await settle(clean_database, to, {8: 2.5e-4}, hours=8)
    assert rest(await predicted(client), *names) == [
        (3e-4, 2.5e-4, 3e-4 - 2.5e-4, 60), (2e-4, 2.5e-4, 2e-4 - 2.5e-4, 30),
    ]  # fmt: skip
    assert rest(await predicted(client, known_at=moment), *names) == before
    assert rest(await predicted(client, at=at(7.9).isoformat()), *names) == [before[1]]
    (yearly, _) = await predicted(client, per="1y")
    assert yearly["error"] == pytest.approx(0.5e-4 * 1095)


async def test_without_a_word_what_it_is_for_it_is_of_the_interval_it_was_told_in(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, to, {0: 1e-4, 8: 2e-4, 24: 3e-4}, hours=8)
    await sample(clean_database, to, {4: 1e-4, 8: 1e-4, 12: 1e-4, 17: 1e-4}, hours=8)
    rows = await predicted(client)
    # at 12 the settlement of 16 is missing, and that of 24 paid for what came after 16
    assert rest(rows, "for_time", "settled_rate", "minutes_before") == [
        (None, 2e-4, 240), (None, 2e-4, 0), (None, None, None), (None, 3e-4, 420),
    ]  # fmt: skip
    then = await predicted(client, at=at(6).isoformat())
    assert rest(then, "settled_rate", "minutes_before") == [(None, None)]


async def test_velo_tells_rates_as_they_stood(client: httpx.AsyncClient, clean_database: Database) -> None:
    own = await series(clean_database, "hyperliquid", "BTC")
    await settle(clean_database, own, dict.fromkeys(range(5), 1e-5))
    await hour_of_velo(clean_database, "hyperliquid", "BTC", {0: 8e-5, 1: 9e-5, 2: 1e-4})
    answer = await client.get("/funding/BTC", params={"source": "velo", **WINDOW})
    assert answer.json()["data"] == []
    assert "kind=predicted&source=velo" in answer.json()["meta"]["notices"][0]
    rows = await predicted(client, source="velo", start=at(1).isoformat(), end=at(3).isoformat())
    assert rows[0] == {
        "time": "2026-01-05T01:00:00Z", "exchange": "hyperliquid", "instrument": "BTC", "rate": 8e-5,
        "rate_native": 8e-5, "interval_hours": 8, "interval_known": "declared", "kind": "predicted", "source": "velo",
        "for_time": None, "minutes_before": 0, "settled_rate": pytest.approx(8e-5),
        "error": pytest.approx(0, abs=1e-18),
    }  # fmt: skip
    assert rest(rows, "time") == [("2026-01-05T01:00:00Z",), ("2026-01-05T02:00:00Z",)]
    (native, _) = await predicted(client, source="velo", per="native", start=at(1).isoformat(), end=at(3).isoformat())
    assert (native["rate"], native["settled_rate"]) == (8e-5, pytest.approx(8e-5))
    assert rest(await predicted(client, at=at(2.99).isoformat()), "source", "rate") == [("velo", 9e-5)]
    (carried,) = await read(client, "/funding/BTC/carry", **WINDOW)
    assert carried["settlements"] == 5


async def test_the_exchange_s_own_estimates_are_preferred(client: httpx.AsyncClient, clean_database: Database) -> None:
    own = await series(clean_database, "binance", "BTCUSDT")
    await settle(clean_database, own, {0: 1e-4, 8: 1e-4})
    await hour_of_velo(clean_database, "binance", "BTCUSDT", {float(h): 8e-5 for h in range(8)})
    await sample(clean_database, own, {1: 7e-5, 2.5: 7e-5}, for_hour=8)
    rows = await predicted(client)
    hours = [((datetime.fromisoformat(row["time"]) - DAY) / timedelta(hours=1), row["source"]) for row in rows]
    # told by the exchange at 1:00 and 2:30: Velo's 1:00, 2:00 and 3:00 come within the hour after
    assert hours == [(1, "binance"), (2.5, "binance"), *((h, "velo") for h in (4, 5, 6, 7, 8))]
    for order, expected in (("asc", rows), ("desc", rows[::-1])):
        paged: list[dict[str, Any]] = []
        asked = {"kind": "predicted", "limit": "2", "order": order, **WINDOW}
        for _ in range(4):
            answer = (await client.get("/funding/BTC", params=asked)).json()
            paged += answer["data"]
            asked["cursor"] = answer["page"]["next_cursor"]
        assert (paged, asked["cursor"]) == (expected, None)


def due(hour: float) -> datetime:
    """The next multiple of eight hours."""
    return at(8 * (hour // 8 + 1))


def in_plain_python(
    estimates: list[tuple[float, float]], settled: dict[float, float], edges: list[float]
) -> dict[float, dict[str, float]]:
    """Rows by lower edge; estimates (hour, rate) and settlements (hour → rate) of 8 hours on the hour."""
    errors: dict[float, list[tuple[float, float, float]]] = defaultdict(list)
    for hour, rate in estimates:
        paid = next((h for h in sorted(settled) if h - 8 < hour <= h), None)
        low = None if paid is None else next((a for a, b in pairwise(edges) if a <= (paid - hour) * 60 < b), None)
        if paid is not None and low is not None:
            errors[low].append((rate, settled[paid], paid))
    return {
        low: {
            "samples": len(found),
            "settlements": len({paid for *_, paid in found}),
            "mean_error": sum(a - b for a, b, _ in found) / len(found),
            "mean_absolute_error": sum(abs(a - b) for a, b, _ in found) / len(found),
            "root_mean_square_error": (sum((a - b) ** 2 for a, b, _ in found) / len(found)) ** 0.5,
            "max_absolute_error": max(abs(a - b) for a, b, _ in found),
            "sign_right": sum((a > 0) - (a < 0) == (b > 0) - (b < 0) for a, b, _ in found) / len(found),
        }
        for low, found in errors.items()
    }


@pytest.mark.parametrize("told", [True, False])
async def test_errors_are_those_of_plain_python(
    client: httpx.AsyncClient, clean_database: Database, told: bool
) -> None:
    dice = random.Random(7)
    to = await series(clean_database, "okx", "BTC-USDT-SWAP")
    settled = {float(h): dice.uniform(-1e-4, 1e-4) for h in range(0, 49, 8) if h != 24}
    estimates = [(quarter / 4 + 0.1, dice.uniform(-1e-4, 1e-4)) for quarter in range(190)]
    await settle(clean_database, to, settled, hours=8)
    rows = [
        {"series_id": to, "ts": at(hour), "rate": rate, "interval_hours": 8, "for_time": due(hour) if told else None}
        for hour, rate in estimates
    ]
    await put(clean_database, "predicted_funding", [batch("predicted_funding", rows)])
    for asked, edges in (({}, [0, 5, 15, 30, 60, 120, 240, 480]), ({"buckets": "10,45.5,300"}, [10, 45.5, 300])):
        rows = await read(client, "/funding/BTC/prediction-error", **WINDOW, **asked)
        expected = in_plain_python(estimates, settled, edges)
        assert {row["minutes_from"] for row in rows} == set(expected)
        for row in rows:
            assert (row["exchange"], row["instrument"], row["source"]) == ("okx", "BTC-USDT-SWAP", "okx")
            assert {name: row[name] for name in expected[row["minutes_from"]]} == pytest.approx(
                expected[row["minutes_from"]], rel=1e-9
            )


async def test_errors_of_each_source_are_against_what_the_exchange_paid(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    own = await series(clean_database, "hyperliquid", "BTC")
    await settle(clean_database, own, dict.fromkeys(range(5), 1e-5), hours=1)
    await sample(clean_database, own, {1.5: 2e-5}, for_hour=2, hours=1)
    await hour_of_velo(clean_database, "hyperliquid", "BTC", {1: 8e-5 * 3})
    path = "/funding/BTC/prediction-error"
    rows = await read(client, path, **WINDOW)
    assert rest(rows, "source", "minutes_from", "mean_error") == [
        ("hyperliquid", 30, pytest.approx(8e-5)), ("velo", 0, pytest.approx(16e-5)),
    ]  # fmt: skip
    assert rest(await read(client, path, source="velo", **WINDOW), "source") == [("velo",)]
    (one, _) = await read(client, path, per="1h", **WINDOW)
    assert one["mean_error"] == pytest.approx(1e-5)
    assert await read(client, path, start=at(2.5).isoformat(), end=at(3).isoformat()) == []


async def test_estimates_of_no_known_interval_are_counted(client: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, to, {8: 1e-4, 16: 1e-4}, hours=8)
    await sample(clean_database, to, {1: 3e-4, 7: 3e-4, 7.5: 3e-4}, for_hour=8)
    await sample(clean_database, to, {15.5: 3e-4}, for_hour=16)
    rows = await read(client, "/funding/BTC/prediction-error", **WINDOW)
    told = ("minutes_from", "samples", "settlements", "without_interval", "mean_error", "root_mean_square_error")
    assert rest(rows, *told) == [
        (30, 1, 1, 1, pytest.approx(2e-4), pytest.approx(2e-4)), (60, 0, 0, 1, None, None), (240, 0, 0, 1, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("buckets", ["5", "5,5", "10,5", "-1,5", "0,x", "0,9999", "0,nan"])
async def test_spans_that_are_none_are_refused(client: httpx.AsyncClient, buckets: str) -> None:
    answer = await client.get("/funding/BTC/prediction-error", params={"buckets": buckets})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"].startswith("buckets")
