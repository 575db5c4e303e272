"""Answers that are held back, or come from something else; and an asset chosen meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.browser.pages import Shown


class Held:
    """Questions that are held back until `go` is set; how many there are under way, and how many there were."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = 0
        self.came = asyncio.Event()

    async def hold(self, route: Any) -> None:
        self.asked += 1
        self.came.set()
        await self.go.wait()
        await route.continue_()


@asynccontextmanager
async def held(shown: Shown, wanted: Callable[[str, str], bool]) -> AsyncGenerator[Held]:
    """Hold back the questions whose path and query are wanted, until the end or until told to let them go."""
    holding = Held()

    def those(url: str) -> bool:
        parts = urlsplit(url)
        return wanted(parts.path, parts.query)

    await shown.page.route(those, holding.hold)
    try:
        yield holding
    finally:
        holding.go.set()


@asynccontextmanager
async def served(shown: Shown, pattern: str, body: str, media: str) -> AsyncGenerator[None]:
    """Something else answers."""

    async def answer(route: Any) -> None:
        await route.fulfill(body=body, content_type=media)

    await shown.page.route(pattern, answer)
    yield
    await shown.page.unroute(pattern)


async def pick(shown: Shown, asset: str) -> None:
    await shown.page.fill("[name=asset]", asset)
    await shown.page.press("[name=asset]", "Enter")
