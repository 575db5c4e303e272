"""Answers that come late, out of order or not at all: what is shown is what was asked for last."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.browser.market import OPTIONS_AT
from tests.browser.pages import PATIENCE, Shown


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
async def held(shown: Shown, wanted: Callable[[str, str], bool]) -> AsyncIterator[Held]:
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


async def pick(shown: Shown, asset: str) -> None:
    await shown.page.fill("[name=asset]", asset)
    await shown.page.press("[name=asset]", "Enter")


def about(shown: Shown, asset: str) -> list[str]:
    return [path for path, query in shown.asked if path.endswith(f"/{asset}") or query.get("assets") == asset]


async def test_an_asset_left_is_asked_about_no_more(shown: Shown) -> None:
    await shown.go("#/asset?asset=SOL")
    async with held(shown, lambda path, query: path == "/funding" and "assets=ETH" in query) as holding:
        await pick(shown, "ETH")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        await shown.change(pick(shown, "BTC"))
    await shown.settled()
    assert about(shown, "ETH") == ["/funding"]
    assert {path for path in about(shown, "BTC")} >= {"/funding/BTC", "/open-interest/BTC", "/candles/BTC"}
    assert await shown.page.inner_text("h1") == "BTC"


async def test_what_is_left_of_an_asset_is_not_shown_as_another(shown: Shown) -> None:
    await shown.go("#/asset?asset=BTC")
    async with held(shown, lambda path, query: path == "/funding" and "assets=ETH" in query) as holding:
        await pick(shown, "ETH")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        assert not await shown.page.locator("#chart-funding").is_visible()
    await shown.settled()
    assert await shown.page.locator("#chart-funding").is_visible()


async def test_what_was_taken_back_is_asked_again(shown: Shown) -> None:
    """A control changed while the first answers were on their way left Options and Minute empty."""
    for link, path, change, there in (
        (f"#/options?at={OPTIONS_AT}", "/options/BTC/expiries", ("surface", "moneyness"), "#chart-surface .main-svg"),
        ("#/minute?asset=SOL", "/candles/SOL", ("interval", "5m"), "#chart-candles .main-svg"),
    ):
        async with held(shown, lambda asked, _, path=path: asked == path) as holding:
            await shown.page.goto(f"{shown.home}/{link}")
            await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
            await shown.page.select_option(f"[name={change[0]}]", change[1])
        await shown.settled()
        await shown.page.locator(there).first.wait_for(timeout=PATIENCE)
