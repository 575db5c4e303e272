"""Price indexes, volatility indexes and delivery prices."""

from typing import Any

import httpx
import pytest

from app.db import Database
from app.records import Instrument, is_volatility_index
from tests.options import at, listing, tell

PRICE, VOLATILITY = (
    Instrument("btc_usd", "BTC", "USD", kind="index"),
    Instrument("BTC-DVOL", "BTC", "USD", kind="index"),
)
NAMES = ("BTC-DVOL", "btc-dvol", "btc_usd", "btcdvol_usdc", "DVOL", "-DVOL", "BTC-DVOL-1")
WINDOW = {"start": at(0).isoformat(), "end": at(24).isoformat()}


async def told(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params=params or WINDOW)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture
async def indexes(clean_database: Database) -> dict[str, int]:
    """Two values of a price index, three candles of a volatility index, and two delivery prices."""
    found = await listing(clean_database, PRICE, VOLATILITY)
    values = [{"series_id": found["btc_usd"], "ts": at(h), "close": 9e4 + h} for h in (1, 2)]
    candles = [
        {"series_id": found["BTC-DVOL"], "ts": at(h), "open": 0.47, "high": 0.49, "low": 0.46, "close": 0.475 + h / 100}
        for h in (1, 2, 3)
    ]
    await tell(clean_database, "index_price", *values, *candles)
    await tell(
        clean_database,
        "delivery_price",
        *({"series_id": found["btc_usd"], "ts": at(h), "price": 9e4 + h} for h in (8, 32)),
    )
    return dict(found)


async def test_price_index(client: httpx.AsyncClient, indexes: dict[str, int]) -> None:
    found = await told(client, "/index/BTC")
    assert [(row["instrument"], row["price"], row["open"], row["source"]) for row in found] == [
        ("btc_usd", 90001, None, "deribit"),
        ("btc_usd", 90002, None, "deribit"),
    ]
    at_once = {
        h: [row["price"] for row in await told(client, "/index/BTC", at=at(h).isoformat())] for h in (0.5, 1, 2.5, 26.5)
    }
    assert at_once == {0.5: [], 1: [90001], 2.5: [90002], 26.5: []}


async def test_volatility_index_is_a_fraction(client: httpx.AsyncClient, indexes: dict[str, int]) -> None:
    answer = (await client.get("/volatility-index/BTC", params=WINDOW)).json()
    assert [(row["price"], row["open"]) for row in answer["data"]] == [
        (0.485, 0.47),
        (0.495, 0.47),
        (pytest.approx(0.505), 0.47),
    ]
    assert answer["meta"]["units"]["price"] == "fraction per year"


async def test_a_candle_counts_once_the_next_has_begun(client: httpx.AsyncClient, indexes: dict[str, int]) -> None:
    at_once = {
        h: [row["price"] for row in await told(client, "/volatility-index/BTC", at=at(h).isoformat())]
        for h in (1.5, 2, 3.5)
    }
    assert at_once == {1.5: [], 2: [0.485], 3.5: [0.495]}


async def test_deliveries(client: httpx.AsyncClient, indexes: dict[str, int]) -> None:
    path = "/options/BTC/deliveries"
    assert [(row["time"], row["price"]) for row in await told(client, path)] == [("2026-03-02T08:00:00Z", 90008)]
    assert [row["price"] for row in await told(client, path, at=at(31).isoformat())] == [90008]
    assert [row["price"] for row in await told(client, path, at=at(32).isoformat())] == [90032]


@pytest.mark.parametrize("path", ["/index/ETH", "/volatility-index/ETH", "/options/ETH/deliveries"])
async def test_why_empty(client: httpx.AsyncClient, indexes: dict[str, int], path: str) -> None:
    notices = (await client.get(path)).json()["meta"]["notices"]
    assert notices == ["no rows: no index of this asset is known with these filters"]


async def test_of_volatility_is_one_rule(database: Database) -> None:
    """The database tells a volatility index as the importer and the collector do."""
    found = await database.reads.fetch("select n, is_volatility_index(n) as told from unnest($1::text[]) n", NAMES)
    assert {row["n"]: row["told"] for row in found} == {name: is_volatility_index(name) for name in NAMES}
    assert [name for name in NAMES if is_volatility_index(name)] == ["BTC-DVOL", "btc-dvol", "-DVOL"]
