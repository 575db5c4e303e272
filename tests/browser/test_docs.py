"""The pages of the API work in a browser that reaches nobody but us. Needs playwright and a Chromium.

The machine's own `chromium` is taken, or the binary that `PERPSTORE_CHROMIUM` names.
"""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from app.main import create_app
from app.settings import Settings

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The pages, served by uvicorn; they need no database."""
    app = create_app(Settings(scheduler=False))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(("path", "selector"), [("/docs", ".opblock-summary-path"), ("/redoc", "[data-section-id] h2")])
async def test_renders_with_the_network_cut(browser: Any, address: str, path: str, selector: str) -> None:
    foreign: list[str] = []
    complaints: list[str] = []

    async def only_us(route: Any) -> None:
        if route.request.url.startswith((address, "data:", "blob:")):
            await route.continue_()
        else:
            foreign.append(route.request.url)
            await route.abort()

    page = await browser.new_page()
    await page.route("**/*", only_us)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    await page.goto(address + path)
    await page.wait_for_selector(selector, timeout=30_000)
    await page.wait_for_load_state("networkidle")
    assert await page.locator(selector).count() > 5
    assert (foreign, complaints) == ([], [])
