"""What retention removed is told: 410 where all of it is gone, a notice where some is."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.db import Database
from app.services import retention
from app.services.store import put
from tests.db.facts import batch, series
from tests.db.test_retention import minutes

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
FORMS = ("json", "columns", "csv", "ndjson", "parquet", "arrow")


def days_ago(days: float) -> str:
    return (MIDNIGHT - timedelta(days=days)).isoformat().replace("+00:00", "Z")


@pytest.fixture
async def kept(client: httpx.AsyncClient, clean_database: Database) -> httpx.AsyncClient:
    """Minutes of 9 and of 4 days ago, of which the older were removed."""
    to = await series(clean_database, "bybit", "BTCUSDT")
    for days in (9, 4):
        await put(clean_database, "perp_1m", [minutes(to, MIDNIGHT - days * DAY)])
    await retention.apply(clean_database, {"perp_1m": 8}, MIDNIGHT)
    return client


@pytest.mark.parametrize("form", FORMS)
async def test_gone_in_every_form(kept: httpx.AsyncClient, form: str) -> None:
    answer = await kept.get(
        "/candles/BTC", params={"start": days_ago(9), "end": days_ago(8), "interval": "1m", "format": form}
    )
    assert answer.status_code == 410, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "gone"
    assert days_ago(8) in answer.json()["detail"]


async def test_a_window_that_straddles_says_so(kept: httpx.AsyncClient) -> None:
    answer = await kept.get("/candles/BTC", params={"start": days_ago(10), "end": days_ago(3)})
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == 3
    assert answer.json()["meta"]["notices"] == [f"rows before {days_ago(8)} are not kept any more"]
    empty = await kept.get("/candles/BTC", params={"start": days_ago(10), "end": days_ago(5)})
    assert empty.status_code == 200
    assert [days_ago(8) in notice for notice in empty.json()["meta"]["notices"]] == [True, False]
    csv = await kept.get("/candles/BTC", params={"start": days_ago(10), "end": days_ago(3), "format": "csv"})
    assert "not kept any more" in csv.headers["x-perpstore-meta"]


async def test_a_window_after_says_nothing(kept: httpx.AsyncClient) -> None:
    answer = await kept.get("/candles/BTC", params={"start": days_ago(8), "end": days_ago(3)})
    assert (answer.status_code, answer.json()["meta"]["notices"]) == (200, [])


@pytest.mark.parametrize(
    ("interval", "seconds_after", "status"),
    [("1m", -3600, 410), ("1m", 0, 410), ("1m", 59, 410), ("1m", 60, 200), ("15m", 899, 410), ("15m", 900, 200)],
)
async def test_an_instant_reads_what_closed_by_then(
    kept: httpx.AsyncClient, interval: str, seconds_after: int, status: int
) -> None:
    moment = MIDNIGHT - 8 * DAY + timedelta(seconds=seconds_after)
    answer = await kept.get("/candles/BTC", params={"at": moment.isoformat(), "interval": interval})
    assert answer.status_code == status, answer.text


HOURLY = ("/candles/BTC", "/wicks/BTC", "/taker-volume/BTC")


@pytest.mark.parametrize("path", HOURLY)
async def test_hours_are_gone_with_hours_and_minutes_only(
    kept: httpx.AsyncClient, clean_database: Database, path: str
) -> None:
    asked = {"start": days_ago(12), "end": days_ago(11), "interval": "4h"}
    assert (await kept.get(path, params=asked)).status_code == 200
    await clean_database.reads.execute(retention.NOTE, "perp_1h", MIDNIGHT - 10 * DAY)
    assert (await kept.get(path, params=asked)).status_code == 410
    for window in ({"start": days_ago(10), "end": days_ago(9)}, {"at": days_ago(9)}):
        answer = await kept.get(path, params={**window, "interval": "4h"})
        assert (answer.status_code, answer.json()["data"]) == (200, []), answer.text  # minutes are gone, hours are not


@pytest.mark.parametrize(
    ("path", "narrow", "fact"),
    [
        ("/open-interest/BTC", {}, "open_interest"),
        ("/open-interest/BTC", {"interval": "1h"}, "open_interest"),
        ("/open-interest/BTC", {"aggregate": "sum"}, "open_interest"),
        ("/funding/BTC", {"kind": "predicted"}, "predicted_funding"),
        ("/funding/BTC/prediction-error", {}, "predicted_funding"),
    ],
)
async def test_what_has_days_of_its_own(
    client: httpx.AsyncClient, clean_database: Database, path: str, narrow: dict[str, str], fact: str
) -> None:
    await series(clean_database, "bybit", "BTCUSDT")
    await clean_database.reads.execute(retention.NOTE, fact, MIDNIGHT - 8 * DAY)
    gone = await client.get(path, params={**narrow, "start": days_ago(9), "end": days_ago(8)})
    assert (gone.status_code, gone.json()["code"]) == (410, "gone"), gone.text
    some = await client.get(path, params={**narrow, "start": days_ago(9), "end": days_ago(7)})
    assert some.status_code == 200
    assert f"rows before {days_ago(8)} are not kept any more" in some.json()["meta"]["notices"]
    if "prediction-error" not in path:
        statuses = [
            (await client.get(path, params={**narrow, "at": days_ago(days)})).status_code for days in (8.01, 8, 7)
        ]
        assert statuses == [410, 200, 200]


@pytest.mark.parametrize("asked", [{}, {"aggregate": "sum"}])
async def test_samples_that_were_brought_again_are_answered(
    client: httpx.AsyncClient, clean_database: Database, asked: dict[str, str]
) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await clean_database.reads.execute(retention.NOTE, "open_interest", MIDNIGHT - 8 * DAY)
    told = batch("open_interest", [{"series_id": to, "ts": MIDNIGHT - 9 * DAY, "oi_usd": 1e6}])
    await put(clean_database, "open_interest", [told])
    answer = await client.get("/open-interest/BTC", params={**asked, "start": days_ago(9), "end": days_ago(8.9)})
    assert (answer.status_code, answer.json()["data"][0]["oi_usd"]) == (200, 1e6), answer.text


async def test_what_was_brought_again_is_answered(kept: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await put(clean_database, "perp_1m", [minutes(to, MIDNIGHT - 9 * DAY)])
    answer = await kept.get("/candles/BTC", params={"start": days_ago(9), "end": days_ago(8)})
    assert (answer.status_code, len(answer.json()["data"])) == (200, 3)


@pytest.mark.parametrize(
    "path",
    ["/perp-data/BTC", "/rolling/BTC", "/rolling", "/wicks/BTC", "/long-short/BTC", "/taker-volume/BTC"],
)
async def test_every_answer_made_of_minutes_says_that_they_are_gone(kept: httpx.AsyncClient, path: str) -> None:
    asked = {"start": days_ago(9), "end": days_ago(8)} | ({"where": "c>0"} if path == "/rolling" else {})
    answer = await kept.get(path, params=asked)
    assert (answer.status_code, answer.json()["code"]) == (410, "gone"), answer.text
    at = await kept.get(path, params={"at": days_ago(8.5)})
    assert at.status_code == 410, at.text
