"""Two sources of one fact: kept apart, the exchange's own preferred, and listed where they differ too much."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import reference
from app.services.store import put
from tests.db.facts import at, batch, hold, hour_batch, series, settle

PATH = "/quality/disagreements"
WINDOW = {"start": at(0).isoformat(), "end": at(24).isoformat()}


async def read(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params={**WINDOW, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture
async def two(clean_database: Database) -> tuple[int, int]:
    """A contract as its exchange and as Velo tells of it: the two series."""
    own = await series(clean_database, "binance", "BTCUSDT")
    return own, (await reference.series_of(clean_database, "velo", "binance"))["BTCUSDT"].id


async def tell(db: Database, to: int, hour: float, **values: float) -> None:
    """What a source tells of an hour."""
    await put(db, "perp_1h", [hour_batch([{"series_id": to, "ts": at(hour), **values}])])


PRICES = {"open": 100.0, "high": 200.0, "low": 50.0}


async def test_settlements(client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]) -> None:
    own, other = two
    await settle(clean_database, own, {0: 1e-4, 8: 1e-4, 16: 1e-8}, hours=8)
    await settle(clean_database, other, {0: 1.005e-4, 8: 1.2e-4, 16: 2e-8, 24: 9e-4}, hours=8)
    assert await read(client, dataset="funding") == [
        {
            "time": "2026-01-05T08:00:00Z", "dataset": "funding", "asset": "BTC", "exchange": "binance",
            "instrument": "BTCUSDT", "field": "rate", "source": "binance", "value": 1e-4, "other_source": "velo",
            "other_value": 1.2e-4, "difference": pytest.approx(2e-5), "relative_difference": pytest.approx(1 / 6),
            "unit": "fraction per 8 hours", "tolerance": 0.01,
        },
    ]  # fmt: skip
    assert [row["time"][11:13] for row in await read(client, tolerance="0.001")] == ["00", "08", "16"]
    assert await read(client, tolerance="0.6") == []
    (rate,) = (await client.get("/funding/BTC", params={"at": at(9).isoformat()})).json()["data"]
    assert (rate["source"], rate["rate"]) == ("binance", 1e-4)
    asked = {"at": at(9).isoformat(), "source": "velo"}
    (rate,) = (await client.get("/funding/BTC", params=asked)).json()["data"]
    assert (rate["source"], rate["rate"]) == ("velo", 1.2e-4)


async def test_settlements_on_different_intervals_are_compared_on_one_basis(
    client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]
) -> None:
    own, other = two
    await settle(clean_database, own, {4: 1e-4}, hours=4)
    await settle(clean_database, other, {4: 1e-4}, hours=8)
    (row,) = await read(client)
    assert (row["value"], row["other_value"]) == (2e-4, 1e-4)


async def test_estimates_and_open_interest_of_the_hour(
    client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]
) -> None:
    own, other = two
    samples = [{"series_id": own, "ts": at(h), "rate": 1e-4, "interval_hours": 8} for h in (0.9, 1.05, 2.2, 3)]
    await put(clean_database, "predicted_funding", [batch("predicted_funding", samples)])
    await hold(clean_database, own, {0.9: 7e6, 1.05: 1e6, 2.2: 1e6, 3: 1e6})
    for hour, rate, usd in ((0, 2e-4, 1.1e6), (1, 2e-4, 1.1e6), (2, 1.005e-4, 1.01e6)):
        await tell(clean_database, other, hour, funding_rate_8h=rate, oi_usd_close=usd)
    rows = await read(client)
    # Velo's 1:00 against 1:05; within 10 minutes of 2:00 there is nothing; at 3:00 they agree
    assert [(row["time"][11:16], row["dataset"], row["value"], row["other_value"]) for row in rows] == [
        ("01:00", "open-interest", 1e6, 1.1e6), ("01:00", "predicted", 1e-4, 2e-4),
    ]  # fmt: skip
    assert [row["unit"] for row in rows] == ["USD, one side", "fraction per 8 hours"]
    assert [row["dataset"] for row in await read(client, dataset="predicted,candles")] == ["predicted"]


async def test_estimates_of_no_known_interval_are_counted(
    client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]
) -> None:
    own, other = two
    for to, rate in ((own, 1e-4), (other, 2e-4)):
        samples = [{"series_id": to, "ts": at(h), "rate": rate} for h in (1, 2, 3)]
        await put(clean_database, "predicted_funding", [batch("predicted_funding", samples)])
    await settle(clean_database, own, {2.5: 1e-4}, hours=4)
    answer = (await client.get(PATH, params=WINDOW)).json()
    assert [(row["time"][11:13], row["value"]) for row in answer["data"]] == [("03", 2e-4)]
    assert answer["meta"]["notices"][1].startswith("4 estimates are not compared")
    for narrow in ({"start": at(2.5).isoformat()}, {"dataset": "funding"}, {"exchange": "bybit"}):
        answer = (await client.get(PATH, params={**WINDOW, **narrow})).json()
        assert len(answer["meta"]["notices"]) == 1


async def test_open_interest_in_coins(
    client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]
) -> None:
    own, other = two
    held = [{"series_id": own, "ts": at(1), "oi_base": 10.0}]
    await put(clean_database, "open_interest", [batch("open_interest", held)])
    await tell(clean_database, other, 0, oi_base_close=20.0, oi_usd_close=1e6)
    (row,) = await read(client)
    assert (row["field"], row["value"], row["other_value"], row["relative_difference"]) == ("oi_base", 10, 20, 0.5)


async def test_closes_of_hours(client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]) -> None:
    own, other = two
    for hour, close in ((1, 100.0), (2, 100.0)):
        await tell(clean_database, own, hour, **PRICES, close=close)
    await tell(clean_database, other, 1, **PRICES, close=100.05)
    await tell(clean_database, other, 2, **PRICES, close=101.0)
    (row,) = await read(client)
    assert (row["dataset"], row["field"], row["difference"], row["tolerance"]) == ("candles", "close", 1, 0.001)


async def test_it_is_narrowed_paged_and_as_known_then(
    client: httpx.AsyncClient, clean_database: Database, two: tuple[int, int]
) -> None:
    own, other = two
    await settle(clean_database, own, dict.fromkeys((0, 8, 16), 0.0001), hours=8)
    await settle(clean_database, other, dict.fromkeys((0, 8, 16), 0.0002), hours=8)
    moment = datetime.now(UTC).isoformat()
    await settle(clean_database, other, {8: 1e-4}, hours=8)
    assert [row["time"][11:13] for row in await read(client)] == ["00", "16"]
    assert [row["time"][11:13] for row in await read(client, known_at=moment)] == ["00", "08", "16"]
    for narrow, count in (
        ({"asset": "BTC"}, 2),
        ({"asset": "ETH"}, 0),
        ({"exchange": "bybit"}, 0),
        ({"source": "velo"}, 2),
    ):
        assert len(await read(client, **narrow)) == count
    first = (await client.get(PATH, params={**WINDOW, "limit": 1})).json()
    asked = {**WINDOW, "limit": 1, "cursor": first["page"]["next_cursor"]}
    second = (await client.get(PATH, params=asked)).json()
    assert [row["time"][11:13] for row in first["data"] + second["data"]] == ["00", "16"]
    assert second["page"]["next_cursor"] is None
    assert "funding 0.01 and 1e-06 per 8 hours" in first["meta"]["notices"][0]


@pytest.mark.parametrize(
    "query", ["dataset=trades", "tolerance=-1", "tolerance=nan", "source=nobody", "exchange=binanse"]
)
async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"].split(".")[0]) == (400, query.split("=")[0])
