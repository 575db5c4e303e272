"""A browser, and a server of recorded data it looks at: one of each for all tests. Needs playwright and a Chromium.

The machine's own `chromium` is taken, or the binary that `PERPSTORE_CHROMIUM` names.
"""

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.db import Database, connected, migrate
from app.services import keys
from app.services.seed import put_seed
from tests.browser.market import fill
from tests.browser.pages import Shown, opened
from tests.conftest import create_database, shared
from tests.streaming import serving

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Any]:
    async with playwright.async_playwright() as tools:
        binary = os.environ.get("PERPSTORE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
        try:
            running = await tools.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield running
        await running.close()


@pytest.fixture(scope="session")
async def filled(server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """A database of its own with the recorded market in it."""
    shared("datasets")
    async with connected(await create_database(server, f"perpstore_browser_{os.getpid()}")) as db:
        await migrate(db)
        await put_seed(db)
        await fill(db, tmp_path_factory.mktemp("market"))
        yield db


@pytest.fixture(scope="session")
async def home(filled: Database) -> AsyncIterator[str]:
    """Where it is served."""
    async with serving(filled) as (url, _):
        yield url


@pytest.fixture(scope="session")
async def key(filled: Database) -> str:
    return await keys.create(filled, "browser", ["write", "admin"])


@pytest.fixture(scope="session")
async def api(home: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=home, headers=headers, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
async def shown(browser: Any, home: str) -> AsyncIterator[Shown]:
    """A page at the server; nothing may have gone wrong in it by the end."""
    page = await opened(browser, home)
    yield page
    await page.page.context.close()
    assert page.wrong == []
