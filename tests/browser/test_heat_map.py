"""The heat map: every cell is the API's number, every control does what it says, and a link keeps it."""

from typing import Any

import httpx
import pytest

from tests.browser.pages import Shown, opened, told
from tests.browser.shown import MISSING, rate, usd

FIXED = 5
"""Columns before those of the exchanges: asset, OI, mean, spread, next settlement."""
HEAT = "table.heat"
Cells = dict[str, list[str]]


async def expected(api: httpx.AsyncClient, exchanges: list[str], per: str, kind: str = "rate") -> Cells:
    """What each row shows but for the countdown, by the API's answers."""
    rates = {(row["asset"], row["exchange"]): row for row in await told(api, "/funding", per=per)}
    means = {row["asset"]: row for row in await told(api, "/funding", per=per, weighted="oi")}
    assert len(rates) == len(await told(api, "/funding")), "a contract an exchange"
    found: Cells = {}
    for asset in {asset for asset, _ in rates}:
        mean = means[asset]
        wide = None if mean["max"] is None else mean["max"] - mean["min"]
        cells = [rates.get((asset, exchange), {}).get(kind) for exchange in exchanges]
        head = [asset, usd(mean["oi_usd"]), rate(mean["rate"], per), rate(wide, per)]
        found[asset] = [*head, *(rate(value, per) for value in cells)]
    return found


async def heads(shown: Shown) -> list[str]:
    return await shown.page.eval_on_selector_all(
        f"{HEAT} thead th button", "all => all.map((one) => one.childNodes[0].data)"
    )


async def cells(shown: Shown) -> Cells:
    return {asset: [*row[:4], *row[FIXED:]] for asset, row in (await shown.rows(HEAT)).items()}


@pytest.mark.parametrize("per", ["1h", "8h", "1y"])
async def test_every_cell_is_the_apis(shown: Shown, api: httpx.AsyncClient, per: str) -> None:
    await shown.go(f"#/now?per={per}")
    exchanges = (await heads(shown))[FIXED:]
    found = await cells(shown)
    assert found == await expected(api, exchanges, per)
    assert set(found) == {"BTC", "ETH", "SOL"}
    assert len(exchanges) == 7
    numbers = [cell for row in found.values() for cell in row]
    assert numbers.count(MISSING) < len(numbers) / 4


async def test_missing_is_a_dash_with_its_reason(shown: Shown) -> None:
    await shown.go("#/now?kind=predicted")
    found = await cells(shown)
    assert {cell for row in found.values() for cell in row[4:]} == {MISSING}
    titles = await shown.page.eval_on_selector_all(f"{HEAT} td.missing", "all => all.map((cell) => cell.title)")
    assert "No estimate is known" in titles
    assert all(titles)


async def test_controls_ask_and_the_link_keeps(shown: Shown, browser: Any, home: str) -> None:
    page = shown.page
    await shown.go("#/now")
    asked = await shown.change(page.select_option("[name=per]", "1y"))
    assert [query["per"] for path, query in asked if path == "/funding"] == ["1y", "1y"]
    asked = await shown.change(page.select_option("[name=margin]", "stable"))
    assert {query["margin"] for path, query in asked if path == "/funding"} == {"stable"}
    await shown.change(page.select_option("[name=margin]", "all"))
    assert await shown.change(page.fill("[name=q]", "b"), 100) == [], "what is here already is not asked again"
    assert [*await cells(shown)] == ["BTC"]
    await shown.change(page.fill("[name=q]", ""), 100)
    await shown.change(page.get_by_role("button", name="Asset").first.press("Enter"))
    assert [*await cells(shown)] == ["BTC", "ETH", "SOL"]
    await shown.change(page.get_by_role("button", name="Asset").first.press("Enter"))
    assert [*await cells(shown)] == ["SOL", "ETH", "BTC"]
    assert await page.get_attribute(f"{HEAT} th[aria-sort]", "aria-sort") == "descending"
    assert await shown.words() == {"per": "1y", "sort": "-asset"}
    other = await opened(browser, home)
    await other.go(await page.evaluate("location.hash"))
    assert [*(await cells(other)).items()] == [*(await cells(shown)).items()]
    assert await other.page.input_value("[name=per]") == "1y"
    await other.page.context.close()


async def test_a_cell_says_what_it_is_made_of(shown: Shown, api: httpx.AsyncClient) -> None:
    """Also by keys: a tab comes into the table, arrows go from cell to cell."""
    page = shown.page
    await shown.go("#/now?sort=asset")
    (contract,) = await told(api, "/funding", assets="BTC", exchanges=(await heads(shown))[FIXED])
    await page.locator(f'{HEAT} tr[data-asset="BTC"] a').focus()
    for _ in range(FIXED):
        await page.keyboard.press("ArrowRight")
    text = await page.inner_text("#details")
    for part in (
        f"BTC at {contract['exchange']}",
        contract["instrument"],
        contract["source"],
        rate(contract["rate"], "8h"),
    ):
        assert part in text
    assert "settled" in text
    await page.locator(f'{HEAT} tr[data-asset="ETH"] a').press("Enter")
    await shown.settled()
    assert (await shown.words())["asset"] == "ETH"
