"""Every view: it loads from us alone and without a fault, for eyes in light and dark, on a phone, and by keys."""

import pytest

from tests.browser.market import OPTIONS_AT
from tests.browser.pages import VIEWS, Shown

LINKS = {name: f"#/{name}" for name in VIEWS} | {
    "options": f"#/options?at={OPTIONS_AT}",
    "minute": "#/minute?asset=SOL",
}
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("name", VIEWS)
async def test_for_everybody(shown: Shown, name: str) -> None:
    page = shown.page
    await shown.go(LINKS[name])
    assert await page.locator("h1").count() == 1
    assert await page.locator('#nav a[aria-current="page"]').count() == 1
    for scheme, width in (("light", 1280), ("dark", 1280), ("dark", 390)):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 800})
        await page.wait_for_timeout(100)
        assert await shown.faults() == [], (scheme, width)
        assert width > 390 or await page.evaluate(SIDEWAYS) <= 0
