"""All pages of an answer show the store as it stood when the first of them was made."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import rollup
from tests.db import facts

WINDOW = {"start": "2026-01-05", "end": "2026-01-07", "limit": "35"}


@pytest.fixture
async def rates(clean_database: Database) -> dict[str, int]:
    """Hourly settlements and open interest of two exchanges over two days; their series."""
    found: dict[str, int] = {}
    for n, exchange in enumerate(("binance", "hyperliquid")):
        series = found[exchange] = await facts.series(clean_database, exchange, "BTCUSDT")
        await facts.settle(clean_database, series, {h: (h + n) * 1e-6 for h in range(48)}, hours=1)
        await facts.hold(clean_database, series, dict.fromkeys(range(48), 1e9 + n))
    return found


async def store_more(db: Database, series: dict[str, int]) -> None:
    """Corrections, rows in between and a new exchange."""
    await facts.settle(db, series["binance"], {h + 0.5: 9e-4 for h in range(48)} | {47: 9e-4, 30: 9e-4}, hours=1)
    await facts.hold(db, series["binance"], dict.fromkeys(range(48), 5e9))
    new = await facts.series(db, "bybit", "BTCUSDT")
    await facts.settle(db, new, dict.fromkeys(range(48), 9e-4), hours=1)
    await rollup.refresh(db)


async def pages(client: httpx.AsyncClient, path: str, params: dict[str, str], *between: Any) -> list[Any]:
    """The rows of all pages, with something done after the first."""
    body = (await client.get(path, params=params)).raise_for_status().json()
    rows = body["data"]
    for doing in between:
        await doing
    while body["page"]["next_url"]:
        body = (await client.get(body["page"]["next_url"])).raise_for_status().json()
        assert body["meta"]["window"]["known_at"] is None
        rows += body["data"]
    return rows


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/funding/BTC", {}),
        ("/funding/BTC", {"order": "desc"}),
        ("/funding/BTC", {"weighted": "oi"}),
        ("/open-interest/BTC", {"interval": "1h"}),
    ],
)
async def test_pages_show_what_the_first_was_made_of(
    client: httpx.AsyncClient, clean_database: Database, rates: dict[str, int], path: str, more: dict[str, str]
) -> None:
    await rollup.refresh(clean_database)
    before = await pages(client, path, {**WINDOW, **more})
    assert await pages(client, path, {**WINDOW, **more}, store_more(clean_database, rates)) == before
    assert await pages(client, path, {**WINDOW, **more}) != before


async def test_an_instant_is_pinned_too(
    client: httpx.AsyncClient, clean_database: Database, rates: dict[str, int]
) -> None:
    asked = {"at": "2026-01-06T06:00:00Z", "limit": "1"}
    before = await pages(client, "/funding/BTC", asked)
    assert len(before) == 2
    changed = facts.settle(clean_database, rates["hyperliquid"], {30: 9e-4}, hours=1)
    assert await pages(client, "/funding/BTC", asked, changed) == before


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_what_is_newest_comes_once(
    client: httpx.AsyncClient, clean_database: Database, rates: dict[str, int], order: str
) -> None:
    """A page shows what is newest when it is asked for: settlements between two pages move no row."""
    settled = facts.settle(clean_database, rates["binance"], {60: 9e-4}, hours=1)
    also = facts.settle(clean_database, rates["hyperliquid"], {61: 9e-4}, hours=1)
    rows = await pages(client, "/funding", {"limit": "1", "order": order}, settled, also)
    assert sorted(row["exchange"] for row in rows) == ["binance", "hyperliquid"]
    assert [row["rate"] == 9e-4 * 8 for row in rows] == [False, True]


async def test_known_at_that_was_asked_for_stays(client: httpx.AsyncClient, rates: dict[str, int]) -> None:
    asked = {**WINDOW, "known_at": "2099-01-01"}
    first = (await client.get("/funding/BTC", params=asked)).json()
    second = (await client.get(first["page"]["next_url"])).json()
    assert datetime.fromisoformat(second["meta"]["window"]["known_at"]).year == 2099
    other = {**asked, "known_at": "2098-01-01", "cursor": first["page"]["next_cursor"]}
    assert (await client.get("/funding/BTC", params=other)).json()["code"] == "bad_cursor"


async def test_the_rollup_answers_for_as_long_as_it_has_not_changed(
    clean_database: Database, rates: dict[str, int]
) -> None:
    """What a page costs is what the first one cost, unless hours were computed since."""
    await rollup.refresh(clean_database)
    reads = clean_database.reads
    entity = await reads.fetchval("select entity_id from instrument limit 1")
    made = await reads.fetchval("select clock_timestamp()")
    ready = rollup.sql("rollup", "is_ready")
    assert await reads.fetchval(ready, entity, facts.at(40), made)
    await store_more(clean_database, rates)
    assert not await reads.fetchval(ready, entity, facts.at(40), made)
    assert await reads.fetchval(ready, entity, facts.at(40), None)
