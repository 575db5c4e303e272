"""All options of an asset together, of every asset that has some."""

from typing import Any

import httpx
import pytest

from app.db import Database
from tests.options import at, listed, listing, tell

CALL, PUT, LINEAR = listed(90000, "call"), listed(100000, "put"), listed(90000, "call", quote="USDC", margin="stable")


async def totals(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get("/options", params={"at": at(3).isoformat(), **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture
async def series(clean_database: Database) -> dict[str, int]:
    """A call, a put and a linear call; of the put no index price is told."""
    found = await listing(clean_database, CALL, PUT, LINEAR)
    await tell(
        clean_database,
        "option_1m",
        {"series_id": found[CALL.symbol], "ts": at(1), "index_price": 90500.0, "underlying_price": 91000.0,
         "open_interest": 12.0, "volume_24h": 4.0},
        {"series_id": found[PUT.symbol], "ts": at(2), "underlying_price": 91200.0, "open_interest": 3.0,
         "volume_24h": 1.0},
        {"series_id": found[LINEAR.symbol], "ts": at(2), "open_interest": 7.0},
    )  # fmt: skip
    return dict(found)


async def test_a_row_an_asset_and_quote(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    inverse, linear = await totals(client)
    assert inverse == {
        "time": "2026-03-02T03:00:00Z", "asset": "BTC", "exchange": "deribit", "quote": "BTC", "expiries": 1,
        "options": 2, "index_price": 90500.0, "open_interest": 15.0,
        "open_interest_usd": 12 * 90500.0 + 3 * 91200.0, "call_open_interest": 12.0, "put_open_interest": 3.0,
        "call_open_interest_usd": 12 * 90500.0, "put_open_interest_usd": 3 * 91200.0, "put_call_open_interest": 0.25,
        "call_volume": 4.0, "put_volume": 1.0, "put_call_volume": 0.25, "as_of": "2026-03-02T02:00:00Z",
    }  # fmt: skip
    assert (linear["quote"], linear["options"], linear["call_open_interest"]) == ("USDC", 1, 7.0)
    absent = ("index_price", "put_open_interest", "call_open_interest_usd", "put_call_open_interest", "call_volume")
    assert [linear[name] for name in absent] == [None] * 5


async def test_nothing_later_nothing_older_than_a_day(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    (row,) = await totals(client, at=at(1.5).isoformat())
    assert (row["options"], row["put_open_interest"]) == (1, None)
    assert [row["options"] for row in await totals(client, at=at(25.5).isoformat())] == [1, 1]
    assert await totals(client, at=at(27).isoformat()) == []


async def test_narrowed_and_why_empty(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    assert len(await totals(client, assets="BTC", exchange="deribit", source="deribit")) == 2
    answer = await client.get("/options", params={"at": at(3).isoformat(), "assets": "ETH"})
    assert "no rows: no option is known with these filters" in answer.json()["meta"]["notices"]
    answer = await client.get("/options", params={"at": at(90).isoformat()})
    assert "no rows: nothing newer than 2026-03-02T02:00:00Z is stored" in answer.json()["meta"]["notices"]
    unknown = await client.get("/options", params={"exchange": "derbit"})
    assert (unknown.status_code, unknown.json()["candidates"]) == (400, ["deribit"])
