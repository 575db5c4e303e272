"""The view Options: chain, smiles, surface, term structure and history are the API's numbers."""

from decimal import Decimal
from typing import Any

import httpx

from tests.browser.market import OPTIONS_AT
from tests.browser.pages import Query, Shown, opened, told
from tests.browser.shown import MISSING, day, fixed, number, percent, plain, time

LINK = f"#/options?at={OPTIONS_AT}"
BTC = "/options/BTC"
AT = f"{OPTIONS_AT}:00Z"
SIDE = ("bid", "ask", "mark", "mark_iv", "delta", "open_interest", "volume")
FEW = 5


async def expiries(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    return await told(api, f"{BTC}/expiries", at=AT)


def at_most(value: float, places: int) -> str:
    return plain(Decimal(fixed(value, places)))


def cell(option: dict[str, Any] | None, name: str) -> str:
    value = option and option[name]
    if value is None:
        return MISSING
    if name in ("bid", "ask", "mark"):
        return fixed(value, 4)
    return {"mark_iv": percent(value, 1), "delta": fixed(value, 3)}.get(name, at_most(value, 1))


async def test_the_chain(shown: Shown, api: httpx.AsyncClient) -> None:
    last = (await expiries(api))[FEW]
    await shown.go(f"{LINK}&expiry={day(last['expiry'])}")
    rows = await told(api, f"{BTC}/chain", at=AT, expiry=day(last["expiry"]))
    found = await shown.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('#chain tbody tr')].map((row) => [row.dataset.key,
           Object.fromEntries([...row.querySelectorAll('[data-field]')]
             .map((cell) => [cell.dataset.field, cell.lastChild.data]))]))"""
    )
    assert found == {
        at_most(row["strike"], 6).replace(",", ""): {
            f"{side}.{name}": cell(row[side], name) for side in ("call", "put") for name in SIDE
        }
        for row in rows
    }
    assert len(rows) > FEW


async def test_expiries_and_their_charts(shown: Shown, api: httpx.AsyncClient) -> None:
    await shown.go(LINK)
    rows = await expiries(api)
    table = await shown.page.eval_on_selector_all(
        "#expiries tbody tr", "all => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )
    assert [row[:7] for row in table] == [
        [time(row["expiry"]), fixed(row["days"], 2), str(row["options"]), number(row["forward"]), *volatilities(row)]
        for row in rows
    ]
    for chart, fields in (("term", {"ATM IV": "atm_iv"}), ("skew", {"skew": "skew_25d", "butterfly": "butterfly_25d"})):
        drawn = await shown.drawn(f"#chart-{chart}")
        assert drawn == {name: [[row["days"], row[field]] for row in rows] for name, field in fields.items()}


def volatilities(row: dict[str, Any]) -> list[str]:
    return [percent(row[name], 2) for name in ("atm_iv", "skew_25d", "butterfly_25d")]


async def test_smiles_and_surface(shown: Shown, api: httpx.AsyncClient) -> None:
    chosen = [day(row["expiry"]) for row in await expiries(api) if row["atm_iv"] is not None][1:3]
    await shown.go(f"{LINK}&smiles={','.join(chosen)}")
    for by, field, how in (
        ("strike", "strike", "strike"),
        ("moneyness", "moneyness", "strike"),
        ("delta", "bucket", "delta"),
    ):
        if by != "strike":
            await shown.change(shown.page.select_option("[name=x]", by))
        points = await told(api, f"{BTC}/surface", at=AT, by=how)
        assert await shown.drawn("#chart-smile") == {
            each: [[point[field], point["iv"]] for point in points if day(point["expiry"]) == each] for each in chosen
        }
    drawn = await shown.page.evaluate("document.querySelector('#chart-surface .plot').data[0]")
    told_ = {(day(point["expiry"]), point["bucket"]): point["iv"] for point in points}
    for each, ivs in zip(drawn["y"], drawn["z"], strict=True):
        assert ivs == [told_.get((each, bucket)) for bucket in drawn["x"]]
    assert len(told_) > FEW


async def test_controls_ask_and_the_link_keeps(shown: Shown, browser: Any, home: str, api: httpx.AsyncClient) -> None:
    page = shown.page
    await shown.go(LINK)
    last = day((await expiries(api))[FEW]["expiry"])
    asked = await shown.change(page.select_option("[name=expiry]", last))
    assert (f"{BTC}/chain", last) in [(path, query.get("expiry")) for path, query in asked]
    asked = await shown.change(page.select_option("[name=days]", "1"))
    (history,) = [query for path, query in asked if path == f"{BTC}/term-structure"]
    assert history["interval"] == "5m"
    assert await shown.change(page.select_option("[name=measure]", "skew_25d")) == [], (
        "what is here already is not asked again"
    )
    await shown.change(page.check("[name=greeks]"))
    assert await page.locator('#chain [data-field="call.gamma"]').count() > FEW
    words: Query = {"at": OPTIONS_AT, "expiry": last, "days": "1", "measure": "skew_25d", "greeks": "true"}
    assert await shown.words() == words
    other = await opened(browser, home)
    await other.go(await page.evaluate("location.hash"))
    assert await other.page.inner_text("#chain") == await page.inner_text("#chain")
    await other.page.context.close()


async def test_an_asset_by_its_id(shown: Shown) -> None:
    """The cards are there whatever the asset is called; only its own totals are asked with them."""
    await shown.go(LINK)
    cards = await shown.page.inner_text("#options-cards")
    assert "coins, $" in cards
    before = len(shown.asked)
    await shown.go(f"{LINK}&asset=bitcoin")
    assert await shown.page.inner_text("#options-cards") == cards
    assert [query["assets"] for path, query in shown.asked[before:] if path == "/options"] == ["bitcoin"]
