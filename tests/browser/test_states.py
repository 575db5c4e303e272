"""What every page says of the store: that it is empty, that sources are out of reach, that numbers are generated."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import settings
from app.db import Database
from app.ingest.engine import Engine
from app.services.demo import loading
from app.services.demo.world import EXCHANGES
from tests.browser.pages import PATIENCE, VIEWS, Shown, opened
from tests.e2e.conftest import clock, engine, replay
from tests.e2e.rounds import pull_round
from tests.streaming import serving

__all__ = ["clock", "engine", "replay"]
NOBODY = "http://127.0.0.1:9"
KEYED = {"admin", "data"}
"""Views that say how things stand also where nothing is stored."""


@pytest.fixture
async def bare(browser: Any, clean_database: Database) -> AsyncIterator[Shown]:
    """A page at a server that has nothing."""
    async with serving(clean_database) as (home, _):
        shown = await opened(browser, home)
        yield shown
        await shown.page.context.close()
        assert shown.wrong == []


async def test_nothing_is_stored_and_what_to_do(bare: Shown) -> None:
    for name in VIEWS:
        await bare.go(f"#/{name}")
        text = await bare.page.inner_text("#view")
        assert name in KEYED or "perpstore demo" in text, name
        assert "perpstore" in text or name == "data", name
        assert not any(word in text for word in ("undefined", "NaN", "[object")), name
    assert not [said for said in bare.wrong if "404" not in said]
    bare.wrong.clear()


async def test_nobody_can_be_reached(browser: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYBIT_BASE_URL", NOBODY)
    settings.environment.cache_clear()
    await pull_round(engine, ["bybit"])
    async with serving(engine.db, sources=("bybit",)) as (home, app):
        app.state.scheduled = True
        shown = await opened(browser, home)
        await shown.go("#/data")
        notice = shown.page.locator("#unreachable")
        await notice.wait_for(timeout=PATIENCE)
        text = await notice.inner_text()
        assert "sources can be reached" in text
        assert "perpstore demo" in text
        await notice.get_by_role("link").click()
        row = (await shown.rows("#part-sources"))["bybit"]
        assert row[1].endswith("unreachable")
        assert any("ConnectError" in cell for cell in row)
        assert any("check the network" in cell for cell in row)
        await shown.page.context.close()


async def test_the_server_is_gone(browser: Any, clean_database: Database) -> None:
    async with serving(clean_database) as (home, _):
        shown = await opened(browser, home)
        await shown.go("#/data?part=freshness")
    await shown.page.fill("[name=source]", "binance")
    await shown.page.get_by_text("The server does not answer").first.wait_for(timeout=PATIENCE)
    await shown.page.context.close()


async def test_generated_is_said_on_every_page(bare: Shown, clean_database: Database) -> None:
    await loading._mark(clean_database)
    await loading._list(clean_database, 1_790_000_000)
    for name in VIEWS:
        await bare.go(f"#/{name}")
        notice = bare.page.locator("#generated")
        await notice.wait_for(timeout=PATIENCE)
        text = await notice.inner_text()
        assert "Generated data" in text
        assert "perpstore demo --remove" in text
        assert all(exchange in text for exchange in EXCHANGES)
    bare.wrong.clear()
