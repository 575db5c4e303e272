"""Answers that come late, out of order or not at all: what is shown is what was asked for last."""

import asyncio
from typing import Any

import pytest

from app.db import Database
from tests.browser.holding import Held, held, pick, served
from tests.browser.market import OPTIONS_AT
from tests.browser.pages import PATIENCE, Shown, opened
from tests.streaming import serving


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
    assert set(about(shown, "BTC")) >= {"/funding/BTC", "/open-interest/BTC", "/candles/BTC"}
    assert await shown.page.inner_text("h1") == "BTC"


@pytest.mark.parametrize("path", ["/funding", "/funding/ETH"])
async def test_no_line_of_an_asset_is_shown_as_anothers(shown: Shown, path: str) -> None:
    await shown.go("#/asset?asset=BTC")
    async with held(shown, lambda asked, query: asked == path and "ETH" in f"{asked}{query}") as holding:
        await pick(shown, "ETH")
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
        assert not await shown.page.locator("#chart-funding .plot").is_visible()
    await shown.settled()
    assert await shown.page.locator("#chart-funding .plot").is_visible()


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


async def test_polls_neither_pile_up_nor_overtake(browser: Any, filled: Database, key: str) -> None:
    async with serving(filled, sources=("binance",)) as (home, _):
        shown = await opened(browser, home)
        page = shown.page
        await shown.enter(key)
        await page.clock.install()
        await shown.go("#/admin?part=jobs&job=binance:funding")
        before = Held()

        async def late(route: Any) -> None:
            """The first answer is of now, and comes later."""
            before.asked += 1
            if before.asked > 1:
                return await route.continue_()
            answer = await route.fetch()
            before.came.set()
            await before.go.wait()
            await route.fulfill(response=answer)

        await page.route("**/admin/jobs?*", late)
        await page.clock.run_for(12_000)
        await asyncio.wait_for(before.came.wait(), PATIENCE / 1000)
        assert before.asked == 1
        row = page.locator('#part-jobs tr[data-key="binance:funding"]')
        await row.locator("[data-do=pause]").click()
        await row.locator("[data-do=resume]").wait_for(timeout=PATIENCE)
        before.go.set()
        await shown.settled()
        assert await row.locator("[data-do=resume]").count() == 1, "what is older is not shown later"
        await row.locator("[data-do=resume]").click()
        await row.locator("[data-do=pause]").wait_for(timeout=PATIENCE)
        await page.context.close()
        assert shown.wrong == []


HIDDEN = """hidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_nothing_is_asked_while_nobody_looks(shown: Shown, key: str) -> None:
    page = shown.page
    await shown.enter(key)
    await page.clock.install()
    await shown.go("#/admin?part=jobs")
    await page.evaluate(HIDDEN, True)
    before = len(shown.asked)
    await page.clock.run_for(130_000)
    assert shown.asked[before:] == []
    async with page.expect_request("**/quality/sources?*"):
        await page.evaluate(HIDDEN, False)


async def test_trouble_of_one_part_is_not_taken_for_anothers(shown: Shown) -> None:
    """Candles that come take no refusal of the open interest away."""
    page = shown.page
    async with held(shown, lambda path, _: path == "/candles/BTC") as holding:
        async with served(shown, "**/open-interest/BTC?*aggregate=sum*", "<!doctype html>", "text/html"):
            await page.goto(f"{shown.home}/#/asset?asset=BTC")
            await page.get_by_text("does not speak JSON").wait_for(timeout=PATIENCE)
        await asyncio.wait_for(holding.came.wait(), PATIENCE / 1000)
    await shown.settled()
    assert await page.locator("#chart-price .main-svg").first.is_visible()
    assert await page.get_by_text("does not speak JSON").is_visible()
