"""Answers that come late, out of order or not at all: what is shown is what was asked for last."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.db import Database
from app.services import keys
from tests.browser.market import OPTIONS_AT
from tests.browser.pages import PATIENCE, Shown, opened
from tests.streaming import serving

FUNDING = json.dumps({"data": [], "meta": {"notices": [], "generated": [], "window": {}}, "page": None})
"""An answer of /funding in which there is nothing."""


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


@asynccontextmanager
async def served(shown: Shown, pattern: str, body: str, media: str) -> AsyncIterator[None]:
    """Something else answers."""

    async def answer(route: Any) -> None:
        await route.fulfill(body=body, content_type=media)

    await shown.page.route(pattern, answer)
    yield
    await shown.page.unroute(pattern)


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


async def test_back_before_a_view_is_there(shown: Shown) -> None:
    page = shown.page
    await shown.go("#/now")
    async with held(shown, lambda path, _: path.endswith("/views/spreads.js")) as holding:
        await page.evaluate("location.hash = '#/spreads'")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        await page.go_back()
        await page.locator("#view .view.now").wait_for(timeout=PATIENCE)
    await shown.settled()
    asked = await shown.change(page.select_option("[name=per]", "1h"))
    assert ("/funding", "1h") in [(path, query.get("per")) for path, query in asked], "it is alive"
    assert await page.inner_text("h1") == "Funding now"


async def test_a_view_that_cannot_be_fetched_says_so(shown: Shown) -> None:
    page = shown.page
    await shown.go("#/now")
    await page.route("**/views/spreads.js", lambda route: route.abort())
    await page.evaluate("location.hash = '#/spreads'")
    again = page.locator("#view [role=alert] button")
    await again.wait_for(timeout=PATIENCE)
    await page.unroute("**/views/spreads.js")
    await again.click()
    await page.locator("h1", has_text="Spreads").wait_for(timeout=PATIENCE)
    assert not [said for said in shown.wrong if "ERR_FAILED" not in said and "spreads.js" not in said]
    shown.wrong.clear()


async def test_charts_come_once_their_library_does(shown: Shown) -> None:
    page = shown.page
    async with served(shown, "**/dashboard/plotly.js", "no script of ours", "text/javascript"):
        await shown.go("#/asset?asset=BTC")
        again = page.locator("#chart-funding").get_by_role("button", name="Try again")
        await again.wait_for(timeout=PATIENCE)
    await again.click()
    await page.locator("#chart-funding .main-svg").first.wait_for(timeout=PATIENCE)
    assert not [said for said in shown.wrong if "Unexpected identifier" not in said]
    shown.wrong.clear()


async def test_an_answer_that_is_no_json_is_told(shown: Shown) -> None:
    async with served(shown, "**/spreads?*", "<!doctype html>", "text/html"):
        await shown.go("#/spreads")
        await shown.page.get_by_text("does not speak JSON").first.wait_for(timeout=PATIENCE)


async def test_names_of_any_letters_are_asked_as_they_are(shown: Shown) -> None:
    await shown.go("#/asset?asset=%E9%BE%8D%2F%25")
    assert [query["assets"] for path, query in shown.asked if path == "/funding"] == ["龍/%"]
    async with served(shown, "**/funding?*", FUNDING, "application/json"):
        await shown.change(pick(shown, "龍"))
    paths = {path for path, _ in shown.asked}
    assert {"/funding/%E9%BE%8D", "/open-interest/%E9%BE%8D", "/funding/%E9%BE%8D/carry"} <= paths
    assert not [path for path in paths if "%25" in path]
    await shown.go("#/asset?asset=..")
    before = len(shown.asked)
    async with served(shown, "**/funding?*", FUNDING, "application/json"):
        await shown.page.evaluate("location.hash = '#/asset?asset=..&window=1d'")
        await shown.page.get_by_text('Nothing is called ".."').first.wait_for(timeout=PATIENCE)
        await shown.settled()
    assert {path for path, _ in shown.asked[before:]} <= {"/funding", "/entities", "/stream", "/quality/sources"}
    assert not [said for said in shown.wrong if "404" not in said]
    shown.wrong.clear()


async def test_where_reading_needs_a_key(browser: Any, filled: Database) -> None:
    """What was refused comes once a key is entered: the numbers, the stream, and files of the API."""
    key = await keys.create(filled, "reader", ["read"])
    async with serving(filled, read_requires_key=True) as (home, _):
        shown = await opened(browser, home)
        page = shown.page
        await shown.go("#/spreads?asset=BTC")
        await page.locator('#live[data-state="locked"]').wait_for(timeout=PATIENCE)
        await page.click("#key")
        await page.fill("#key-input", key)
        await page.get_by_role("button", name="Use it").click()
        await page.locator('#live[data-state="live"]').wait_for(timeout=PATIENCE)
        await shown.settled()
        async with page.expect_download() as taken:
            await page.locator("#ranking").get_by_role("link", name="CSV of the API").click()
        text = Path(await (await taken.value).path()).read_text(encoding="utf-8")
        assert "net_apr" in text.splitlines()[0]
        assert key not in text
        await page.evaluate("sessionStorage.removeItem('perpstore-key')")
        await page.locator("#ranking").get_by_role("link", name="CSV of the API").click()
        await page.locator("#ranking .about .notice").wait_for(timeout=PATIENCE)
        assert not [said for said in shown.wrong if "401" not in said]
        await page.context.close()
