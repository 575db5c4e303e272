"""Every view: it loads from us alone and without a fault, for eyes in light and dark, on a phone, and by keys."""

import pytest

from tests.browser.market import OPTIONS_AT
from tests.browser.pages import VIEWS, Shown

LINKS = {name: f"#/{name}" for name in VIEWS} | {
    "options": f"#/options?at={OPTIONS_AT}",
    "minute": "#/minute?asset=SOL",
}
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def test_a_view_brings_its_own_style(shown: Shown) -> None:
    """The first thing one sees waits for no other view's."""
    sheets = "() => [...document.styleSheets].map(({ href }) => href.split('/dashboard/')[1])"
    await shown.go("#/now")
    assert await shown.page.evaluate(sheets) == ["base.css", "parts.css", "views/now.css"]
    await shown.page.get_by_role("link", name="Data", exact=True).click()
    await shown.page.locator("#part-sources").wait_for()
    assert "views/data.css" in await shown.page.evaluate(sheets)


async def test_what_was_begun_in_a_view_ends_with_it(shown: Shown) -> None:
    """A letter typed just before leaving says nothing in the address of the next view."""
    await shown.go("#/asset?asset=BTC")
    await shown.page.fill("[name=exchanges]", "bybit")
    await shown.page.get_by_role("link", name="Data", exact=True).click()
    await shown.settled()
    await shown.page.wait_for_timeout(600)
    assert await shown.page.evaluate("location.hash") == "#/data"


@pytest.mark.parametrize("name", VIEWS)
async def test_for_everybody(shown: Shown, name: str) -> None:
    page = shown.page
    await shown.go(LINKS[name])
    assert await page.locator("h1").count() == 1
    assert await page.locator('#nav a[aria-current="page"]').count() == 1
    for scheme, width in (("light", 1280), ("dark", 390)):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 800})
        await page.wait_for_timeout(100)
        assert await shown.faults() == [], (scheme, width)
        assert width > 390 or await page.evaluate(SIDEWAYS) <= 0
